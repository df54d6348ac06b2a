#include "platform/win32/texts.h"

#include <string.h>

#include <algorithm>
#include <vector>

namespace mp::platform {
namespace {

/// What Node's child_process gives every child, too: without SYSTEMROOT a program cannot even load its libraries.
constexpr const wchar_t* kRequired[] = {L"HOMEDRIVE",   L"HOMEPATH",    L"LOGONSERVER", L"PATH",
                                        L"SYSTEMDRIVE", L"SYSTEMROOT",  L"TEMP",        L"USERDOMAIN",
                                        L"USERNAME",    L"USERPROFILE", L"WINDIR"};

/// Inside quotes a backslash is itself, unless a quote comes behind it, or the closing quote.
void append_quoted(std::wstring* line, const std::wstring& argument) {
  if (!argument.empty() && argument.find_first_of(L" \t\n\v\"") == std::wstring::npos) {
    *line += argument;
    return;
  }
  *line += L'"';
  size_t backslashes = 0;
  for (const wchar_t c : argument) {
    if (c == L'"') line->append(backslashes + 1, L'\\');
    backslashes = c == L'\\' ? backslashes + 1 : 0;
    *line += c;
  }
  line->append(backslashes, L'\\');
  *line += L'"';
}

size_t name_length(const std::wstring& variable) {
  const size_t end = variable.find(L'=', 1);  // names of the system's own may begin with one
  return end == std::wstring::npos ? variable.size() : end;
}

/// As the system compares names: without case, by code units.
int compare_names(const std::wstring& a, const std::wstring& b) {
  return CompareStringOrdinal(a.data(), static_cast<int>(name_length(a)), b.data(),
                              static_cast<int>(name_length(b)), TRUE) -
         CSTR_EQUAL;
}

}  // namespace

std::wstring wide(const char* text) {
  const auto size = static_cast<int>(strlen(text));
  if (size == 0) return {};
  std::wstring result(static_cast<size_t>(MultiByteToWideChar(CP_UTF8, 0, text, size, nullptr, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text, size, result.data(), static_cast<int>(result.size()));
  return result;
}

std::wstring command_line(char* const* argv) {
  std::wstring line;
  for (; *argv != nullptr; argv++) {
    if (!line.empty()) line += L' ';
    append_quoted(&line, wide(*argv));
  }
  return line;
}

std::wstring environment_block(char* const* envp) {
  std::vector<std::wstring> variables;
  for (; *envp != nullptr; envp++) variables.push_back(wide(*envp));
  // Of names that differ by case only, the first in the order of code units is kept, as child_process does it.
  std::sort(variables.begin(), variables.end());
  for (const wchar_t* name : kRequired) {
    wchar_t value[32768];
    const DWORD length = GetEnvironmentVariableW(name, value, sizeof value / sizeof *value);
    if (length > 0 && length < sizeof value / sizeof *value)
      variables.push_back(std::wstring(name) + L'=' + value);
  }
  std::stable_sort(variables.begin(), variables.end(),
                   [](const auto& a, const auto& b) { return compare_names(a, b) < 0; });
  std::wstring block;
  const std::wstring* last = nullptr;
  for (const std::wstring& variable : variables) {
    if (last != nullptr && compare_names(*last, variable) == 0) continue;
    block.append(variable).append(1, L'\0');
    last = &variable;
  }
  if (block.empty()) block.append(1, L'\0');
  return block.append(1, L'\0');
}

}  // namespace mp::platform

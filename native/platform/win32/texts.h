// Texts as the system takes them: command lines and variables of programs.
#pragma once

#include <string>

#include "platform/win32/win32.h"

namespace mp::platform {

/// UTF-16 of UTF-8. Allocates.
std::wstring wide(const char* text);
/// One command line that the C libraries of Microsoft's take apart into these arguments again. Allocates.
std::wstring command_line(char* const* argv);
/// A block of variables, sorted as the system wants it, each once whatever its case, and with those that programs cannot do
/// without. Allocates.
std::wstring environment_block(char* const* envp);

}  // namespace mp::platform

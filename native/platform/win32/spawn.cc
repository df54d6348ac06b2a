// Starting a program with the handles it is given, and no others.
#include <errno.h>
#include <string.h>

#include <vector>

#include "platform/win32/descriptors.h"
#include "platform/win32/texts.h"

namespace mp::platform {
namespace {

/// Duplicates that a child inherits, closed here when it has started. Another thread that starts a program meanwhile, and
/// does not list what that gets, passes them on, too: the system knows no other way.
class Gifts {
 public:
  Gifts() = default;
  Gifts(const Gifts&) = delete;
  ~Gifts() {
    for (HANDLE handle : handles) CloseHandle(handle);
  }
  Failure add(int fd) {
    HANDLE made = INVALID_HANDLE_VALUE;
    if (fd < 0) {
      SECURITY_ATTRIBUTES inherit = {sizeof inherit, nullptr, TRUE};
      made = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                         OPEN_EXISTING, 0, nullptr);
      if (made == INVALID_HANDLE_VALUE) return failed_call("CreateFileW");
    } else {
      HANDLE given = handle_of(fd);
      if (given == INVALID_HANDLE_VALUE) return add(-1);  // a program without a console has no streams
      if (!DuplicateHandle(GetCurrentProcess(), given, GetCurrentProcess(), &made, 0, TRUE,
                           DUPLICATE_SAME_ACCESS))
        return failed_call("DuplicateHandle");
    }
    handles.push_back(made);
    return {};
  }
  std::vector<HANDLE> handles;
};

/// See descriptors.h.
std::vector<BYTE> block_of(const std::vector<HANDLE>& handles) {
  const auto count = static_cast<int>(handles.size());
  std::vector<BYTE> block(block_bytes(count));
  memcpy(block.data(), &count, sizeof count);
  BYTE* flags = block.data() + sizeof count;
  for (int i = 0; i < count; i++) {
    if (i < 3) {
      const DWORD type = GetFileType(handles[static_cast<size_t>(i)]);
      flags[i] = static_cast<BYTE>(kOpen | (type == FILE_TYPE_PIPE   ? kPipe
                                            : type == FILE_TYPE_CHAR ? kDevice
                                                                     : 0));
    }
    memcpy(flags + count + static_cast<size_t>(i) * sizeof(HANDLE), &handles[static_cast<size_t>(i)],
           sizeof(HANDLE));
  }
  return block;
}

/// The job of all children that end with this process: the system ends them when its last handle goes, which is ours. Their
/// own children are in no job of ours; they end with them by theirs.
HANDLE children_job() {
  static HANDLE const job = [] {
    HANDLE made = CreateJobObjectW(nullptr, nullptr);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE |
                                              JOB_OBJECT_LIMIT_BREAKAWAY_OK |
                                              JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    if (made != nullptr)
      SetInformationJobObject(made, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    return made;
  }();
  return job;
}

constexpr DWORD_PTR kJobList = 0x2000d;  // PROC_THREAD_ATTRIBUTE_JOB_LIST: not every header has it

/// What a process is told beside its command line.
class Attributes {
 public:
  Attributes() = default;
  Attributes(const Attributes&) = delete;
  ~Attributes() {
    if (list_ != nullptr) DeleteProcThreadAttributeList(list_);
  }
  /// What is pointed to must live as long. `job`: null or that of a child that is to be born in it.
  Failure make(std::vector<HANDLE>* handles, HANDLE* job) {
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 2, 0, &size);
    memory_.resize(size);
    auto* list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data());
    if (!InitializeProcThreadAttributeList(list, 2, 0, &size))
      return failed_call("InitializeProcThreadAttributeList");
    list_ = list;
    if (!UpdateProcThreadAttribute(list_, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles->data(),
                                   handles->size() * sizeof(HANDLE), nullptr, nullptr))
      return failed_call("UpdateProcThreadAttribute");
    // Born in it: should we die in between, there would be a process that never ran and that nobody ends. Where the system
    // does not know that (Wine), it is put there as soon as it exists.
    if (job != nullptr) UpdateProcThreadAttribute(list_, 0, kJobList, job, sizeof *job, nullptr, nullptr);
    return {};
  }
  LPPROC_THREAD_ATTRIBUTE_LIST list() const { return list_; }

 private:
  std::vector<unsigned char> memory_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

/// A console that is to be written to must be the child's, too.
bool has_console(const std::vector<HANDLE>& handles) {
  for (size_t i = 0; i < 3 && i < handles.size(); i++) {
    DWORD mode;
    if (GetConsoleMode(handles[i], &mode)) return true;
  }
  return false;
}

Failure why_not(const std::wstring& directory) {
  const DWORD error = GetLastError();
  if (!directory.empty()) {
    const DWORD attributes = GetFileAttributesW(directory.c_str());
    if (attributes == INVALID_FILE_ATTRIBUTES) return {ENOENT, "chdir"};
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) return {ENOTDIR, "chdir"};
  }
  return {code_of(error), "CreateProcessW"};
}

}  // namespace

Failure process_spawn(const SpawnRequest& request, Spawned* out) {
  if (request.fd_count > kFirstHandle) return {EINVAL, "CreateProcessW"};
  Gifts gifts;
  for (int i = 0; i < request.fd_count; i++)
    if (Failure f = gifts.add(request.fds[i])) return f;
  HANDLE job = request.our_end == OurEnd::nothing ? nullptr : children_job();
  Attributes attributes, without_job;
  if (Failure f = attributes.make(&gifts.handles, job == nullptr ? nullptr : &job)) return f;
  if (Failure f = without_job.make(&gifts.handles, nullptr)) return f;
  std::vector<BYTE> block = block_of(gifts.handles);
  const std::wstring file = wide(request.file), directory = wide(request.cwd == nullptr ? "" : request.cwd);
  std::wstring line = command_line(request.argv), variables = environment_block(request.envp);

  STARTUPINFOEXW info = {};
  info.StartupInfo.cb = sizeof info;
  info.StartupInfo.cbReserved2 = static_cast<WORD>(block.size());
  info.StartupInfo.lpReserved2 = block.data();
  info.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  if (gifts.handles.size() >= 3) {
    info.StartupInfo.hStdInput = gifts.handles[0];
    info.StartupInfo.hStdOutput = gifts.handles[1];
    info.StartupInfo.hStdError = gifts.handles[2];
  }
  DWORD flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
  // In its job before its first instruction, also where it is not born in it.
  if (job != nullptr) flags |= CREATE_SUSPENDED;
  if (request.new_session) flags |= DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
  if (request.hide_window) {
    info.StartupInfo.dwFlags |= STARTF_USESHOWWINDOW;
    info.StartupInfo.wShowWindow = SW_HIDE;
    if (!request.new_session && !has_console(gifts.handles)) flags |= CREATE_NO_WINDOW;
  }
  PROCESS_INFORMATION made = {};
  const auto start = [&](const Attributes& with) {
    info.lpAttributeList = with.list();
    return CreateProcessW(file.c_str(), line.data(), nullptr, nullptr, TRUE, flags, variables.data(),
                          directory.empty() ? nullptr : directory.c_str(), &info.StartupInfo, &made);
  };
  // A job that this process is in may forbid others below it.
  if (!start(attributes) && !start(without_job)) return why_not(directory);
  // Should that fail, too, the child's own thread watches its parent all the same, once it has come so far.
  BOOL born_there = FALSE;
  if (job != nullptr && !(IsProcessInJob(made.hProcess, job, &born_there) && born_there))
    AssignProcessToJobObject(job, made.hProcess);
  if (job != nullptr) ResumeThread(made.hThread);
  CloseHandle(made.hThread);
  *out = {made.dwProcessId, number_of(made.hProcess)};
  return {};
}

}  // namespace mp::platform

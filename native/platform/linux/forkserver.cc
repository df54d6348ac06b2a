// The forkserver's side: one thread, which waits for its requesters and its children.
//
// It is the parent of all children: it collects them and tells their exit codes. It never reads what a requester sends a
// child, so a slow, huge or hostile message is that child's business alone.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "platform/linux/channel.h"
#include "platform/linux/exit_record.h"
#include "platform/linux/forkserver.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace mp::platform {
namespace {

constexpr int64_t kSessionNs = 100'000'000;
/// Without a request for so long, the next one finds a process ready: until then the one just started has the machine.
constexpr int kQuietMs = 5;

void collect(const ServedChild& child) {
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  const int32_t code = exit_code_of(status);
  // Four bytes fit into an empty pipe. It is the requester's, though, who may have filled it, or has gone.
  pollfd space{child.status, POLLOUT, 0};
  if (poll(&space, 1, 0) == 1 && (space.revents & POLLOUT) != 0) [[maybe_unused]]
    const ssize_t written = write(child.status, &code, sizeof code);
  close(child.status);
  server().watches.remove(child.handle);
  close(child.handle);
}

/// Never waits: who does not read what it asked for has no connection any more. What it had asked already comes to nothing.
void answer_on(int channel, const void* data, size_t size, const int* fds, int fd_count) {
  if (datagram_send(channel, data, size, fds, fd_count, false)) shutdown(channel, SHUT_RDWR);
}

/// A user has gone. Its children notice by themselves.
void close_channel(int channel) {
  if (server().told_by == channel) server().told_by = -1;
  server().watches.remove(channel);
  close(channel);
  std::erase(server().channels, channel);
}

/// Hundreds of descriptors, mostly neighbours, with few calls.
void close_runs(std::vector<int>& fds) {
  std::sort(fds.begin(), fds.end());
  for (size_t i = 0; i < fds.size();) {
    size_t end = i + 1;
    while (end < fds.size() && fds[end] == fds[end - 1] + 1) end++;
    if (fds[i] >= 0 &&
        syscall(SYS_close_range, static_cast<unsigned>(fds[i]), static_cast<unsigned>(fds[end - 1]), 0U) != 0)
      close_all(&fds[i], static_cast<int>(end - i));
    i = end;
  }
}

/// A new process: nothing of the server's is left but its end of `channel`, on which it is told what to do.
void become_child(ServerSignals& signals) {
  std::vector<int> fds;
  fork_descriptors(&fds);
  close_runs(fds);
  server() = {};
  signals.give_back_in_child();
}

/// Returns when a child has its session: its requester may look at once.
void await_session(pid_t pid) {
  const int64_t until = monotonic_now() + kSessionNs;
  while (getsid(pid) != pid && monotonic_now() < until) yield();
}

/// Forks a process that has an assignment, or (null) waits for one. True in the child; in the server *made says which
/// one it is, or the reply why there is none.
bool fork_child(const Received* assigned, const Assignment& assignment, ServerSignals& signals, Spare* made,
                ForkReply* reply, ForkTurn* turn) {
  int its_end = -1, our_end = -1;
  const auto fail = [&](const Failure& why) {
    reply->code = why.code;
    snprintf(reply->syscall, sizeof reply->syscall, "%s", why.syscall);
    close_all(&its_end, 1);
    close_all(&our_end, 1);
    return false;
  };
  if (Failure f = channel_create(&its_end, &our_end)) return fail(f);
  if (assigned != nullptr) {
    if (Failure f = assign(our_end, assignment, *assigned)) return fail(f);
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) {
    fork_take_mask(before);
    close(our_end);
    if (assigned != nullptr) close_all(assigned->fds, assigned->fd_count);
    become_child(signals);
    *turn = {assigned != nullptr ? ForkTurn::child : ForkTurn::spare, {}, 0, -1, its_end, 0};
    if (assigned != nullptr) fork_take(its_end, turn);
    return true;
  }
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail({error, "fork"});
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const Failure failed = handle < 0 ? Failure{errno, "pidfd_open"} : server().watches.add(handle);
  if (failed) {
    close_all(&handle, 1);
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return fail(failed);
  }
  close(its_end);
  *made = {pid, handle, our_end};
  return false;
}

/// Nobody's child any more; it ends when its channel does, and is collected like the others.
void dismiss(const Spare& process) {
  close(process.channel);
  server().children.push_back({0, process.pid, process.handle, -1});
}

void dismiss_spare() {
  if (server().spare.pid == 0) return;
  dismiss(server().spare);
  server().spare = {};
}

/// Forks a process that is ready when the next request comes. True in that process.
bool fork_spare(ServerSignals& signals, ForkTurn* turn) {
  ForkReply reply;
  server().wants_spare = false;
  return fork_child(nullptr, {}, signals, &server().spare, &reply, turn);
}

/// Those that wait for a process because it has them blocked.
uint64_t pending_signals(pid_t pid) {
  char path[32], text[2048];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  const int status = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t n = read(status, text, sizeof text - 1);
  close_all(&status, 1);
  if (n <= 0) return 0;
  text[n] = 0;
  const char* line = strstr(text, "\nShdPnd:");
  return line == nullptr ? 0 : strtoull(line + sizeof "\nShdPnd:" - 1, nullptr, 16);
}

/// Gives the request to the process that waits for one, or forks one for it. True in the latter.
bool start_child(const Received& received, bool new_session, ServerSignals& signals, ForkReply* reply,
                 int* handle, ForkTurn* turn) {
  Assignment assignment{kForkMagic, static_cast<uint32_t>(received.sender), new_session, 0};
  Spare made{};
  // It may be too busy with its preparations to have dropped them itself.
  if (server().spare.pid != 0) assignment.stale = pending_signals(server().spare.pid);
  if (server().spare.pid != 0 && !assign(server().spare.channel, assignment, received)) {
    made = server().spare;
    server().spare = {};
  } else {
    dismiss_spare();
    if (fork_child(&received, assignment, signals, &made, reply, turn)) return true;
    if (reply->code != 0) return false;
  }
  if (Failure f = server().watches.add(made.channel)) {
    // It has not been told to go.
    dismiss(made);
    reply->code = f.code;
    snprintf(reply->syscall, sizeof reply->syscall, "%s", f.syscall);
    return false;
  }
  if (new_session) await_session(made.pid);
  *handle = made.handle;
  reply->pid = static_cast<uint32_t>(made.pid);
  server().channels.push_back(made.channel);
  server().children.push_back({assignment.requester, made.pid, made.handle, received.fds[kStatusFd]});
  return false;
}

/// Answers a request for a child. True in the child.
bool start(int channel, const ForkHeader& header, const Received& received, const char* refusal,
           ServerSignals& signals, ForkTurn* turn) {
  struct {
    ForkReply reply;
    char refusal[kRefusalBytes];
  } answer;
  size_t size = sizeof answer.reply;
  int handle = -1;
  answer.reply = {};
  const auto deny = [&](int code, const char* call) {
    answer.reply.code = code;
    snprintf(answer.reply.syscall, sizeof answer.reply.syscall, "%s", call);
  };
  if (received.cut || received.fd_count < kOtherFds) {
    deny(EMFILE, "recvmsg");
  } else if (!received.same_user) {
    deny(EPERM, "getuid");
  } else if (refusal != nullptr) {
    deny(EBUSY, "refused");
    size += static_cast<size_t>(snprintf(answer.refusal, sizeof answer.refusal, "%.4000s", refusal));
  } else if (start_child(received, header.new_session != 0, signals, &answer.reply, &handle, turn)) {
    return true;
  }
  server().wants_spare = refusal == nullptr;
  answer_on(channel, &answer, size, &handle, handle < 0 ? 0 : 1);
  // A child's status stays with us until we have told it.
  const int kept = handle < 0 ? 0 : 1;
  close_all(received.fds + kept, received.fd_count - kept);
  return false;
}

void census(int channel) {
  std::vector<uint32_t> pids;
  for (const ServedChild& child : server().children) {
    if (child.requester == 0) continue;  // a spare that was dismissed
    pids.push_back(child.requester);
    pids.push_back(static_cast<uint32_t>(child.pid));
  }
  pids.push_back(0);  // or it would look like the end of the channel
  answer_on(channel, pids.data(), pids.size() * sizeof pids[0], nullptr, 0);
}

/// To whom has told something, now that it is done.
void say_ready() {
  const ForkReply ready{kReadyMagic, 0, 0, ""};
  if (server().told_by >= 0) answer_on(server().told_by, &ready, sizeof ready, nullptr, 0);
  server().told_by = -1;
}

/// One message of a channel. True: the caller has something to do.
bool serve_message(int channel, const char* refusal, ServerSignals& signals, ForkTurn* turn) {
  ForkHeader header{};
  Received received;
  Failure failed = datagram_receive(channel, &header, sizeof header, false, &received);
  if (failed.code == EAGAIN) return false;
  const bool whole = !failed && received.size == sizeof header && header.magic == kForkMagic;
  if (whole && header.kind == ForkKind::start)
    return start(channel, header, received, refusal, signals, turn);
  if (whole && header.kind == ForkKind::census) {
    close_all(received.fds, received.fd_count);
    census(channel);
    return false;
  }
  if (whole && header.kind == ForkKind::tell && received.same_user && received.fd_count > 0) {
    *turn = {ForkTurn::told, {}, received.fd_count, -1, -1, static_cast<uint32_t>(received.sender)};
    memcpy(turn->fds, received.fds, sizeof turn->fds);
    server().told_by = channel;
    // It has not what will be loaded now.
    dismiss_spare();
    server().wants_spare = true;
    return true;
  }
  // The end of the channel, or somebody who does not speak our language.
  close_all(received.fds, received.fd_count);
  close_channel(channel);
  return false;
}

}  // namespace

Server& server() {
  static Server s;
  return s;
}

Failure fork_serve(int first_channel, const char* refusal, bool wait, ForkTurn* turn) {
  static bool opened = false;
  if (!opened) {
    if (Failure f = server().watches.add(first_channel)) return f;
    server().channels.push_back(first_channel);
  }
  opened = true;
  fork_watch_users(false);
  ServerSignals signals;
  say_ready();
  std::vector<ServedChild>& children = server().children;
  const std::vector<int>& channels = server().channels;
  std::vector<int> ready;
  for (;;) {
    // A child's channel ends a moment before the child does, and its end is still to be told.
    *turn = {channels.empty() && children.empty() ? ForkTurn::over : ForkTurn::idle, {}, 0, -1, -1, 0};
    if (turn->kind == ForkTurn::over) return {};
    const bool prepares = wait && refusal == nullptr && server().wants_spare && server().spare.pid == 0;
    if (Failure f = server().watches.wait(!wait ? 0 : prepares ? kQuietMs : -1, &ready)) return f;
    if (ready.empty() && !wait) return {};
    if (ready.empty() && prepares && fork_spare(signals, turn)) return {};
    // Ends first: they give back descriptors and places among processes.
    for (const int fd : ready) {
      if (fd == server().spare.handle) dismiss_spare();
      const auto child = std::ranges::find(children, fd, &ServedChild::handle);
      if (child == children.end()) continue;
      collect(*child);
      children.erase(child);
    }
    for (const int fd : ready) {
      if (std::ranges::find(channels, fd) == channels.end()) continue;
      if (serve_message(fd, refusal, signals, turn)) return {};
    }
  }
}

void fork_descriptors(std::vector<int>* fds) {
  *fds = server().channels;
  for (const ServedChild& child : server().children) fds->insert(fds->end(), {child.handle, child.status});
  fds->insert(fds->end(), {server().spare.handle, server().spare.channel, server().watches.descriptor()});
}

void fork_prepare() {
  FILE* maps = fopen("/proc/self/maps", "re");
  if (maps == nullptr) return;
  char line[512];
  while (fgets(line, sizeof line, maps) != nullptr) {
    unsigned long from, to, inode;
    char access[8];
    // Private and of no file; what else there is stays as its owner wants it.
    if (sscanf(line, "%lx-%lx %7s %*x %*s %lu", &from, &to, access, &inode) == 4 && inode == 0 &&
        access[3] == 'p' && strstr(line, "[v") == nullptr)
      madvise(reinterpret_cast<void*>(from), to - from, MADV_DOFORK);
  }
  fclose(maps);
}

Failure random_bytes(void* bytes, size_t size) {
  auto* at = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t n = getrandom(at, size, 0);
    if (n < 0 && errno != EINTR) return {errno, "getrandom"};
    if (n <= 0) continue;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return {};
}

[[noreturn]] void process_exit_now(int32_t code) {
  fflush(nullptr);
  _exit(code & 0xff);
}

}  // namespace mp::platform

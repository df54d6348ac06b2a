// Everything the project needs from an operating system, on one page.
//
// One folder per system implements it (linux/ complete; win32/ all but names, forks and sockets; darwin/ nothing). No
// algorithm lives behind this seam and no system header in front of it: core/ and node/ include this file and nothing lower.
// Functions never throw, never allocate unless they say so, and translate errno where it happens.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mp::platform {

/// Why a system call failed: the errno value and the call's name, for the error the user reads. code 0: it did not.
struct Failure {
  int code = 0;
  const char* syscall = "";
  explicit operator bool() const { return code != 0; }
};
/// The symbolic name of a code ("ENOMEM"), and its sentence ("Cannot allocate memory").
const char* failure_name(int code);
const char* failure_text(int code);

// ---- Time ----------------------------------------------------------------------------------------------------------

/// Nanoseconds of a monotonic clock that is the same for every process of this boot.
int64_t monotonic_now();

// ---- Parking ---------------------------------------------------------------------------------------------------------

using Word = std::atomic<uint32_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 4,
              "a word is a plain 32-bit cell in shared memory");

/// One word a thread sleeps on, and the value it must still have for sleep to be right.
struct Watch {
  Word* word;
  uint32_t value;
};
/// At most this many watches go into one park.
inline constexpr uint32_t kWatchMax = 128;

/// Sleeps until one of `watches` is unparked or no longer has its value, or `wake_at` (monotonic) has come.
/// May return early without cause: the caller looks at its words again. Works between processes.
/// Where the system cannot watch so many (old kernels one word, Windows 64 objects), it watches the first, watches[0] in any
/// case, and sleep is cut to 5 ms.
void park(const Watch* watches, uint32_t count, int64_t wake_at);
/// Wakes up to `count` threads sleeping on `word`, in any process.
void unpark(Word* word, uint32_t count);
inline constexpr uint32_t kAll = 0x7fffffff;
/// Gives the processor to another thread that is ready.
void yield();
/// Tells the processor that this is a spin loop.
void pause();

// ---- Threads ---------------------------------------------------------------------------------------------------------

struct Thread {
  unsigned long handle;
};
/// Starts a native thread with a small stack and all signals but faults blocked (they are for JavaScript's threads).
Failure thread_start(const char* name, void (*body)(void*), void* argument, Thread* out);
void thread_join(Thread thread);

// ---- Death -----------------------------------------------------------------------------------------------------------

/// A token lives in shared memory and says whether the thread that took it is alive. The kernel itself marks it and
/// wakes its watchers when that thread ends by any cause. (Linux: a robust process-shared mutex, taken once.)
struct alignas(64) Token {
  unsigned char opaque[64];
};
enum class TokenTake { fresh, from_dead, busy, unsupported };
/// Where a token's parts lie.
///   whole   all in shared memory, which must be out of strangers' reach: the kernel and libc follow pointers in it
///   apart   for memory that others may overwrite or cut off: only the word is shared, at the end of a unit of
///           kApartUnit bytes. Taking the token puts private memory in the place of what is mapped behind that unit, and
///           there lies what is followed. Such tokens come last in a thread's list: damage cannot hide the death of others
enum class TokenForm { whole, apart };
inline constexpr size_t kApartUnit = 65536;  // the largest page of any system

/// Makes the bytes of a whole token that nobody has taken. Once, by the creator of the memory. Apart: zeros are such.
void token_init(Token* token);
/// Takes the token for the calling thread; never waits. After from_dead the last taker is certainly gone.
TokenTake token_take(Token* token, TokenForm form);
/// Gives it back, by the thread that took it, and wakes its watchers.
void token_release(Token* token, TokenForm form);
/// The word that changes when the taker dies. Watch it with the value just read.
Word* token_word(Token* token, TokenForm form);
/// Whether the taker of a token with this word is dead, or there is none.
bool token_dead(const Token* token, uint32_t word_value);
/// True where only token_dead notices a death and no watcher is woken (no robust lists): re-check every few ms.
bool token_is_polled();
/// Identifies how this build lays tokens out; processes that differ cannot share them.
uint32_t token_layout();

/// Returns when no thread of a process whose token died can still write to shared memory: none runs user code, none is
/// inside a system call. Bounded by one second. `pid` 0 or a process that lives on (a worker thread's end, exec): only
/// what still runs of the dead thread itself is waited for, which is nothing. A pid of another namespace (0: of ours)
/// means nothing here: then a grace must do.
void confirm_death(uint32_t pid, uint64_t pid_namespace);

// ---- Memory ----------------------------------------------------------------------------------------------------------

/// An anonymous shared segment of `size` bytes (sparse: nothing is reserved), closed on exec, sealed against shrinking
/// and growing. Returns its descriptor in *fd.
Failure memory_create(const char* label, size_t size, int* fd);
/// An unsealed anonymous file for messages between a parent and its child.
Failure memory_file(const char* label, int* fd);
Failure memory_map(int fd, size_t size, void** base);
/// Maps [offset, offset + size) of a segment, wherever there is room; core dumps leave it out. `offset`: a multiple of
/// 64 KiB. Reserves nothing, so that `size` may be far more than there is memory; ENOMEM if addresses are limited.
Failure memory_map_part(int fd, size_t offset, size_t size, void** base);
/// Maps part of a segment over pages that are mapped already (POSIX; unsupported elsewhere).
Failure memory_map_over(int fd, size_t offset, void* at, size_t size);
void memory_unmap(void* base, size_t size);
Failure memory_size(int fd, size_t* size);
/// Whether `size` bytes would fit in available memory and under the cgroup's limit now.
bool memory_fits(size_t size);
/// Backs [offset, offset + size) with real pages, or fails now rather than with SIGBUS later. Refuses with ENOMEM what
/// would not fit in available memory or under the cgroup's limit.
Failure memory_reserve(int fd, size_t offset, size_t size);
/// Gives the pages of [offset, offset + size) back; the bytes read as zero afterwards. Whole pages.
Failure memory_discard(int fd, size_t offset, size_t size);
/// Has all pages of [at, at + size) in place, for somebody who is about to write there: one call costs less than a fault for
/// each. A hint: where it cannot be followed, the faults come.
void memory_populate(void* at, size_t size);
/// Opens the segment that process `pid` has as its descriptor `other`, made by memory_create with that label. Nothing else
/// is ever opened: ENOENT if there is none (any more), EACCES if this process may not.
Failure memory_open_of(uint32_t pid, int other, const char* label, int* fd);

// ---- Named memory ----------------------------------------------------------------------------------------------------

/// Where a named segment lies: an object of shared memory by its name, or a file by its path.
struct Place {
  const char* name;
  bool is_path;
};
/// device + inode name a file for good while somebody has it open or mapped.
struct FileFacts {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
};
/// A file that has no name yet. `temporary` is empty, or the name it bears meanwhile where the system cannot do without.
struct Unnamed {
  int fd = -1;
  char temporary[4096] = "";
};

/// Whether something has the name.
bool named_exists(Place place);
/// Makes an empty file on the file system of `place`: a creator that dies before it is named leaves nothing.
Failure named_prepare(Place place, uint32_t mode, Unnamed* out);
/// Gives it `size` bytes (sparse). ENOSPC or ENOMEM if so many cannot fit on that file system or in memory.
Failure named_resize(int fd, size_t size, bool will_reserve);
/// Backs [offset, offset + size) with real pages or blocks.
Failure named_reserve(int fd, size_t offset, size_t size);
/// Gives it its name, whole and at once: EEXIST if there is one already. The descriptor stays open.
Failure named_publish(Unnamed* made, Place place);
/// The same, in the place of what has the name now, so that nobody finds the name missing.
Failure named_replace(Unnamed* made, Place place);
/// Forgets a file that was not published, and closes it.
void named_discard(Unnamed* made);
/// Opens what has the name. Never follows a symbolic link (ELOOP), never opens what is not a plain file (ENODEV).
Failure named_open(Place place, bool writable, int* fd);
Failure named_facts(int fd, FileFacts* out);
/// Takes the name away; where `expected` is given, only from that very file (else ENOENT).
Failure named_unlink(Place place, const FileFacts* expected);
/// Calls `each` with the name of every object of shared memory. Allocates.
Failure named_list(void (*each)(void* context, const char* name), void* context);
/// Removes what creators that died inside named_replace left behind beside `place`.
void named_sweep(Place place);
/// Keeps others that call this from the file until the descriptor is closed. Never waits: EBUSY.
Failure named_lock(int fd);

/// Maps a file under the fault guard; *guard is its number there. Read-only: see the guard's flags.
Failure named_map(int fd, size_t size, bool read_only, void** base, uint32_t* guard);
void named_unmap(void* base, size_t size, uint32_t guard);
/// Writes changed pages to the file and waits for it.
Failure named_sync(void* base, size_t size);

/// The fault guard. A file can be shortened while it is mapped, and a program can write to what it mapped read-only. Both
/// would be fatal signals. A fault inside a guarded mapping sets a flag instead, and the program goes on:
///   kDamaged   a page was gone; this process sees a page of zeros, private, in its place
///   kWritten   a read-only mapping was written to; the bytes stay private until guard_restore()
/// Other faults go to the handler that was there before. Flags live at guard_flags()[guard], for the process's lifetime.
inline constexpr uint32_t kDamaged = 1, kWritten = 2;
inline constexpr uint32_t kGuardMax = 65536;  // as many as the system allows mappings, by default
Word* guard_flags();
/// Drops what was written to a read-only mapping, so that it shows the file again, and clears kWritten.
void guard_restore(uint32_t guard);

// ---- Processes -------------------------------------------------------------------------------------------------------

uint32_t process_id();
uint32_t thread_id();
/// When `pid` started, in the kernel's units; 0 if there is no such process. pid + start time name a process for good.
uint64_t process_start_time(uint32_t pid);
/// Identifies the namespace in which pids are meant (0 where systems have none).
uint64_t pid_namespace();

/// What the system does to a child at the end of the thread that started it, until it follows its parent itself.
enum class OurEnd : uint8_t { nothing, wakes, kills };

struct SpawnRequest {
  const char* file;   // resolved through PATH unless it holds a slash
  char* const* argv;  // null-terminated
  char* const* envp;  // null-terminated
  const char* cwd;    // or nullptr
  const int* fds;     // child's descriptor i is fds[i]; -1: /dev/null. All others are closed on exec.
  int fd_count;
  bool new_session;  // detached from the parent's terminal and process group
  OurEnd our_end = OurEnd::nothing;
  bool hide_window = false;  // no console window (Windows)
};
struct Spawned {
  uint32_t pid;
  int handle;  // waitable: a pidfd
};
/// Starts a program; returns when its image is loaded, or says which step failed.
Failure process_spawn(const SpawnRequest& request, Spawned* out);
/// Sends a signal through the handle: never to a reused pid. ESRCH once it has ended.
Failure process_signal(int handle, int signal);
/// Collects a child's end without waiting. *ended false: it still runs. Exit code 0..255, or -N after signal N.
Failure process_reap(int handle, bool* ended, int32_t* exit_code);
/// Waits until the handle's process has ended or `wake_at`; false: it still runs. Does not collect.
/// `interrupt` (may be null) ends the wait when it no longer has `interrupt_value`.
bool process_wait(int handle, int64_t wake_at, const Word* interrupt, uint32_t interrupt_value);
/// Which of these processes have ended, with one call to the system: ended[i] is that of handles[i]. Allocates.
void processes_ended(const int* handles, int count, bool* ended);
/// The processes that this one has started, as the system knows it (Windows). Allocates.
void process_children(uint32_t pid, std::vector<uint32_t>* children);
/// A handle of this very process, to be inherited by children that must not outlive it.
Failure process_self_handle(int* handle);
/// Rings when this process is about to end because of its parent's end: for its children. Never closed while it lives.
Failure process_ending(int* bell);
/// Ends this process when the process behind `parent_handle` is gone, or `parent_ending` rings: a native thread, so it works
/// while JavaScript is busy. SIGTERM first; SIGKILL 500 ms later if a handler of it did not end the process. Either end wakes
/// this process if it is stopped then.
Failure follow_parent(int parent_handle, int parent_ending);

// ---- Forking ---------------------------------------------------------------------------------------------------------
//
// A forkserver is a process that forks itself on request. It and its requesters talk over channels: connected pairs that
// are passed on by inheritance and have no address. A message is one datagram, whole or not at all, with descriptors.

/// Both ends are closed on exec.
Failure channel_create(int* requester_end, int* server_end);

inline constexpr int kForkFdMax = 16;
inline constexpr int kRefusalBytes = 4096;

struct Forked {
  uint32_t pid;
  int handle;  // waitable like that of a spawned process, although the server is its parent
  int status;  // the end of a pipe that gives the exit code: see process_reap_forked
};
/// What the server answered. `refusal` is its sentence if it does not fork for a reason of its own (code EBUSY).
struct ForkAnswer {
  Forked forked;
  char refusal[kRefusalBytes];
};
/// Has the server at the other end fork a child with these descriptors; the first three are its standard streams (-1:
/// /dev/null), it is told where it finds the others. Waits for the answer until `wake_at` (ETIMEDOUT), and while `interrupt`
/// has `interrupt_value`.
/// EPIPE or ECONNRESET: the server is gone; EPERM: it serves another user; EINTR, ETIMEDOUT: the channel must be closed.
/// After any failure no child runs on: one that was forked all the same ends before it does anything.
Failure fork_request(int channel, const SpawnRequest& request, int64_t wake_at, const Word* interrupt,
                     uint32_t interrupt_value, uint32_t* untold, ForkAnswer* answer);
/// Gives the server descriptors to act upon before it serves what is sent later.
Failure fork_tell(int channel, const int* fds, int fd_count);
/// Whether the server has acted upon all of `*untold` tells, which counts those that it has not; does not wait. Every
/// request does, and counts as well. ECONNRESET: the server is gone.
Failure fork_ready(int channel, uint32_t* untold, bool* ready);
/// The processes that the server has forked and that still run, as pairs of pids: requester, child. Returns how many
/// numbers there are, at most `max`. ETIMEDOUT: the channel must be closed.
Failure fork_census(int channel, uint32_t* untold, int64_t wake_at, uint32_t* pids, int max, int* count);
/// What this process may do as a user, as a number: the same for the same ids, real and effective, and groups.
uint64_t privileges();
/// As process_reap, for a forked process. 255 where the server died before it could tell the exit code, and
/// the kernel does not.
Failure process_reap_forked(int handle, int status, bool* ended, int32_t* exit_code);

/// Of this process; -1 where it is not to be had. (umask() would change it for a moment, for all threads.)
int current_umask();

/// What a server's turn ended with.
struct ForkTurn {
  enum Kind : uint32_t {
    idle,   // nothing is left to do now
    over,   // the last requester has gone, and the last child
    told,   // fds are those of a fork_tell
    child,  // this process is a new child: fds are those of its request, without the standard streams
    spare,  // this process is a new one that nobody has asked for yet: see fork_take
  } kind;
  int fds[kForkFdMax];
  int fd_count;
  int go;              // child: see fork_confirmed
  int channel;         // child: one of its own to the same server
  uint32_t requester;  // child: the pid of who asked for it
};
/// Serves `first_channel` and those of the children until something is to be done by the caller; waits for requests only
/// if `wait`. With a refusal (not null) no child is forked. Never waits for a peer, who may be stuck or hostile.
/// Returns in the server and in each child. Allocates.
Failure fork_serve(int first_channel, const char* refusal, bool wait, ForkTurn* turn);
/// In a process that will be a server: signals that are sent to whole groups are for others from here on. Its children have
/// Node's actions for them, or those its modules set.
void fork_shield();
/// In a server while it runs JavaScript: ends it when its last user is gone, and its last child.
void fork_watch_users(bool yes);
/// In a server: what it has open for its requesters and its children. Allocates.
void fork_descriptors(std::vector<int>* fds);
/// In a spare: waits until somebody asks for it, and makes it a child. Never returns if nobody ever will. Its signals are
/// blocked until then, and those to its group are lost on it.
void fork_take(int channel, ForkTurn* turn);
/// In a child: waits until its requester knows of it. False: it never will.
bool fork_confirmed(int go);
/// Lets V8's memory, which is kept out of children by default, go with a fork. Allocates.
void fork_prepare();
/// Has children that will be forked allocate from untouched memory instead of pages they share. For good, so not for
/// processes that do other work.
void malloc_fill_holes();
/// Forks this process. In the child out->pid is 0, `streams` are its 0, 1 and 2 (-1: /dev/null), and all signals are
/// blocked until fork_unblock().
Failure process_fork(const int* streams, bool new_session, Spawned* out);
void fork_unblock();
/// Until somebody takes it; lets it come, if it was blocked.
void signal_ignore(int signal);
/// Whether all threads of this process but the calling one sleep: then none is in the middle of something, e.g. with a
/// lock of a library's that a child would never get.
bool threads_rest();
/// Becomes another program, with the same standard streams and the same pid. Returns if that fails.
Failure process_exec(const char* file, char* const* argv, char* const* envp);
/// The names of this process's threads, one per line. Returns their number.
int thread_names(char* names, size_t size);
/// How many handles this process has open (Windows; else 0): for tests of leaks.
uint32_t handle_count();
/// Random bytes of the kernel's own.
Failure random_bytes(void* bytes, size_t size);
/// Ends this process at once, without what C libraries and runtimes do at exit.
[[noreturn]] void process_exit_now(int32_t code);

// ---- Sockets ---------------------------------------------------------------------------------------------------------
//
// Streams of bytes between processes or machines. Their descriptors never block and are closed on exec; a peer that is gone
// is an error, never a signal.

inline constexpr size_t kSocketNameMax = 108;  // with a path's NUL
/// Where a socket listens. port -1: `name` is a path or, with a leading NUL, a name without a file (Linux). Otherwise a
/// numeric address of a host.
struct SocketPlace {
  const char* name;
  size_t name_size;
  int port;
};
/// The same, to be filled in. A client's socket has no name of its own where names are paths: size 0.
struct SocketName {
  char name[kSocketNameMax];
  size_t name_size = 0;
  int port = -1;
};

/// `facts` are those of the file that bears the name; inode 0: there is none. EINVAL: not an address.
Failure socket_listen(SocketPlace place, int backlog, int* fd, FileFacts* facts);
/// Whether a file bears that name at which nobody listens any more. Whoever does is not disturbed.
bool socket_abandoned(SocketPlace place);
/// *fd -1: nobody is waiting to be accepted.
Failure socket_accept(int listener, int* fd);
/// Begins to connect. EAGAIN: more are waiting there than may; try again later.
Failure socket_connect(SocketPlace place, int* fd);
/// Whether it has connected by now, or why it could not.
Failure socket_connected(int fd, bool* connected);
Failure socket_name(int fd, SocketName* name);
Failure socket_peer_name(int fd, SocketName* name);
/// *count 0: the peer sends nothing more; -1: nothing is there now.
Failure socket_receive(int fd, void* into, size_t size, int64_t* count);
/// How many bytes were taken, perhaps fewer than `size`; -1: there is no room now.
Failure socket_send(int fd, const void* bytes, size_t size, int64_t* count);
/// Tells the peer that nothing more will be sent.
void socket_end(int fd);
enum class SocketWait : uint32_t { timed_out, ready, interrupted };
/// Waits until the socket can be read (or accepted) from or, with `to_send`, written to, or its failure be told.
SocketWait socket_wait(int fd, bool to_send, int64_t wake_at, const Word* interrupt,
                       uint32_t interrupt_value);

// ---- Descriptors and signals -----------------------------------------------------------------------------------------

/// The number of a descriptor of libuv's, by what uv_get_osfhandle() says of it: the same where descriptors are the system's.
int descriptor_of(intptr_t os_handle);
/// Under which number other processes find a descriptor of ours (memory_open_of); see win32/win32.h.
int descriptor_in_others(int fd);

Failure doorbell_create(int* fd);  // an eventfd, close-on-exec, non-blocking
void doorbell_ring(int fd);
void doorbell_clear(int fd);
/// Whether event loops watch descriptors themselves. Where they do not, a thread of the system's does, and calls.
#ifdef _WIN32
inline constexpr bool kLoopsPoll = false;
#else
inline constexpr bool kLoopsPoll = true;
#endif
/// Has `heard(argument)` called when a doorbell rings (each time, unless `once`) or a process has ended. Allocates.
Failure listen_start(int fd, bool once, void (*heard)(void*), void* argument, void** listening);
/// No more calls: waits for one that is under way.
void listen_stop(void* listening);
Failure pipe_create(int* read_end, int* write_end);
inline constexpr size_t kPipeNameMax = 64;
/// A child's end of a pipe, and the name by which an event loop connects to the other end before the child starts (Windows).
Failure pipe_offer(bool child_reads, int* child_end, char (&name)[kPipeNameMax]);
Failure file_read_at(int fd, void* bytes, size_t size, size_t offset);  // all of it, or EIO
Failure file_write_at(int fd, const void* bytes, size_t size, size_t offset);
Failure file_resize(int fd, size_t size);
void close_fd(int fd);
void directory_remove(const char* path);  // if it is empty
Failure close_on_exec(int fd);            // programs this process starts do not get it
/// Gives a pipe that this process writes to flags of its own: those of an inherited one are everybody's who has it, and a program
/// that makes it non-blocking would do so for all. What cannot be opened anew stays as it is. May be called after a vfork.
void own_pipe(int fd);
/// Returns when bytes can be written to it, or never will be.
void await_space(int fd);
Failure move_fd(int fd, int to);  // `to` is then what `fd` was, open in programs this process starts

/// What the program has under a linker's name; null: nothing.
void* symbol(const char* name);
/// Keeps this code loaded until the process ends: Node unloads the addon with the last worker thread that has it, and handlers
/// of signals and native threads would be left with nothing.
void stay_loaded();

/// Counts SIGINT and SIGTERM that reached a handler of this program (default actions never return). Watched by blocking
/// waits: a change means "interrupted". Call interrupt_watch() before each long wait: it puts the counter in front of
/// whatever handler is installed now; a signal whose action is the default is left alone.
Word* interrupt_word();
void interrupt_watch();
/// From now on the SIGINT that a terminal sends to all processes of its foreground (Ctrl-C) does nothing here: it is for the
/// parent to answer. One that a process sends keeps its default action. Until the program listens for it, or does no more.
void leave_terminal_interrupts();
/// Where the system cannot tell (Windows): whether the program listens for SIGINT now.
void listens_for_interrupts(bool yes);

}  // namespace mp::platform

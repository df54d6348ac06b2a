// Starting processes through a forkserver, for TypeScript. The server is one for all threads of this process.
#include <node_api.h>

#include <atomic>
#include <chrono>
#include <mutex>

#include "node/child.h"
#include "node/texts.h"

namespace mp::node {
namespace {

using platform::Failure;

/// The server this process uses. `generation` counts servers: 0, none yet; who finds one dead says which one it means.
/// A thread that waits for an answer holds the mutex, perhaps for long: who must not wait tries it only.
struct Client {
  std::timed_mutex mutex;
  std::atomic<int> channel{-1};
  std::atomic<uint32_t> generation{0};
  uint32_t untold = 0;      // see platform::fork_ready
  uint64_t privileges = 0;  // of this process, and so of the server, when there came to be one
};

Client& client() {
  static Client c;
  return c;
}

constexpr int kCensusMax = 1 << 16;
/// Another thread has found the server dead.
constexpr Failure kChannelGone{32 /* EPIPE */, "sendmsg"};
/// What the program has given up its server has still, and its children would.
constexpr Failure kOtherPrivileges{1 /* EPERM */, "geteuid"};
constexpr int kTimedOut = 110;  // ETIMEDOUT

/// How long a server may keep those waiting who can do without it: it may be loading what another of its users named.
constexpr int64_t kBusyNs = 1'000'000'000;

Failure usable(const Client& c) {
  if (c.channel < 0) return kChannelGone;
  return c.privileges == platform::privileges() ? Failure{} : kOtherPrivileges;
}

/// Its answer, should it come, would be taken for that to another question.
void abandon(Client* c) {
  platform::close_fd(c->channel);
  c->channel = -1;
}

void use(Client* c, int channel) {
  c->untold = 0;
  c->privileges = platform::privileges();
  ++c->generation;
  c->channel = channel;
}

/// forkserverLaunch(file, argv, envp, fds): starts a server, as a child that does not end with us; its channel becomes its
/// next descriptor. Gives its id, or null if another thread was faster.
napi_value launch(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const std::string file = to_text(env, args[0]);
  const TextList argv(env, args[1]), envp(env, args[2]);
  std::vector<int> fds = to_fds(env, args[3]);
  Client& c = client();
  const std::lock_guard guard(c.mutex);
  if (c.channel >= 0) return null(env);
  int ours = -1, its = -1;
  if (Failure f = platform::channel_create(&ours, &its)) return throw_failure(env, f);
  fds.push_back(its);
  const platform::SpawnRequest request = {file.c_str(),
                                          argv.pointers.data(),
                                          envp.pointers.data(),
                                          nullptr,
                                          fds.data(),
                                          static_cast<int>(fds.size()),
                                          false,
                                          platform::OurEnd::wakes};
  platform::Spawned server;
  const Failure failed = platform::process_spawn(request, &server);
  platform::close_fd(its);
  if (failed) {
    platform::close_fd(ours);
    return throw_failure(env, failed);
  }
  Child* child = nullptr;
  if (Failure f = children_of(args.data)->add(server.handle, -1, -1, false, &child)) {
    platform::close_fd(ours);
    return throw_failure(env, f);
  }
  child->owner->keep_alive(child, false);
  use(&c, ours);
  return uint32(env, child->id);
}

/// forkserverDrop(generation): gives up that server. It ends when its last requester has gone.
napi_value drop(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Client& c = client();
  const std::lock_guard guard(c.mutex);
  if (c.generation == to_uint32(env, args[0]) && c.channel >= 0) abandon(&c);
  return nullptr;
}

/// forkserverGeneration(): of the server there is; 0: there is none.
napi_value generation(napi_env env, napi_callback_info) {
  return uint32(env, client().channel < 0 ? 0 : client().generation.load());
}

/// forkserverAdopt(channel): a forked child's own to the server it came from.
napi_value adopt(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  const std::lock_guard guard(client().mutex);
  use(&client(), to_int32(env, args[0]));
  return nullptr;
}

/// forkserverTell(fds, wait): false if it would have had to wait for another thread.
napi_value tell(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  const std::vector<int> fds = to_fds(env, args[0]);
  Client& c = client();
  std::unique_lock guard(c.mutex, std::defer_lock);
  if (to_bool(env, args[1]))
    guard.lock();
  else if (!guard.try_lock())
    return boolean(env, false);
  if (Failure f = usable(c)) return throw_failure(env, f);
  if (Failure f = platform::fork_tell(c.channel, fds.data(), static_cast<int>(fds.size())))
    return throw_failure(env, f);
  ++c.untold;
  return boolean(env, true);
}

/// forkserverReady(): whether a request would be served at once, as far as this process's own wishes go.
napi_value ready(napi_env env, napi_callback_info) {
  Client& c = client();
  const std::unique_lock guard(c.mutex, std::try_to_lock);
  bool is_ready = false;
  if (!guard.owns_lock() || c.channel < 0) return boolean(env, false);
  if (Failure f = platform::fork_ready(c.channel, &c.untold, &is_ready)) return throw_failure(env, f);
  return boolean(env, is_ready);
}

/// forkserverCensus(): [requester's pid, child's pid, …]; empty without a server, or one that has no time.
napi_value census(napi_env env, napi_callback_info) {
  napi_value list;
  napi_create_array(env, &list);
  Client& c = client();
  const std::unique_lock guard(c.mutex, std::chrono::nanoseconds(kBusyNs));
  if (!guard.owns_lock() || c.channel < 0) return list;
  std::vector<uint32_t> pids(kCensusMax);
  int count = 0;
  const Failure failed = platform::fork_census(c.channel, &c.untold, platform::monotonic_now() + kBusyNs,
                                               pids.data(), kCensusMax, &count);
  if (failed.code == kTimedOut) abandon(&c);
  if (failed) return list;
  // The last one says that there are no more.
  for (int i = 0; i + 1 < count; ++i)
    napi_set_element(env, list, static_cast<uint32_t>(i), uint32(env, pids[static_cast<size_t>(i)]));
  return list;
}

/// umask(): see platform::current_umask.
napi_value umask_of_process(napi_env env, napi_callback_info) {
  return int32(env, platform::current_umask());
}

/// childFork(fds, newSession, doorbell, endsWithUs, patient): { id, pid }, or the server's refusal as text. Takes over the
/// doorbell. `patient`: waits as long as the server loads.
napi_value child_fork(napi_env env, napi_callback_info info) {
  Args<5> args(env, info);
  const std::vector<int> fds = to_fds(env, args[0]);
  const platform::SpawnRequest request = {
      nullptr, nullptr, nullptr, nullptr, fds.data(), static_cast<int>(fds.size()), to_bool(env, args[1])};
  platform::ForkAnswer answer{};
  {
    platform::interrupt_watch();
    const platform::Word* word = platform::interrupt_word();
    Client& c = client();
    const std::lock_guard guard(c.mutex);
    const uint32_t before = word->load(std::memory_order_acquire);
    const int64_t wake_at = to_bool(env, args[4]) ? INT64_MAX : platform::monotonic_now() + kBusyNs;
    Failure failed = usable(c);
    if (!failed)
      failed = platform::fork_request(c.channel, request, wake_at, word, before, &c.untold, &answer);
    if (failed) platform::close_fd(to_int32(env, args[2]));
    if (failed && *answer.refusal != 0) return string(env, answer.refusal);
    if (failed) return throw_failure(env, failed);
  }
  Child* child = nullptr;
  if (Failure f = children_of(args.data)->add(answer.forked.handle, answer.forked.status,
                                              to_int32(env, args[2]), to_bool(env, args[3]), &child)) {
    return throw_failure(env, f);
  }
  return started(env, child->id, answer.forked.pid);
}

}  // namespace

/// In a forked child: the server is its parent's.
void forget_forkserver() {
  Client& c = client();
  if (c.channel >= 0) platform::close_fd(c.channel);
  c.channel = -1;
}

void init_fork_request(napi_env env, napi_value exports, Children* children) {
  add_function(env, exports, "forkserverLaunch", launch, children);
  add_function(env, exports, "forkserverDrop", drop);
  add_function(env, exports, "forkserverGeneration", generation);
  add_function(env, exports, "forkserverAdopt", adopt);
  add_function(env, exports, "forkserverTell", tell);
  add_function(env, exports, "forkserverReady", ready);
  add_function(env, exports, "forkserverCensus", census);
  add_function(env, exports, "umask", umask_of_process);
  add_function(env, exports, "childFork", child_fork, children);
}

}  // namespace mp::node

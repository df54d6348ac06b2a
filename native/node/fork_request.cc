// Starting processes through a forkserver, for TypeScript. The server is one for all threads of this process.
#include <node_api.h>

#include <mutex>

#include "node/child.h"
#include "node/texts.h"

namespace mp::node {
namespace {

using platform::Failure;

/// The server this process uses. `generation` counts servers: 0, none yet; who finds one dead says which one it means.
struct Client {
  std::mutex mutex;
  int channel = -1;
  uint32_t generation = 0;
  uint32_t untold = 0;  // see platform::fork_ready
};

Client& client() {
  static Client c;
  return c;
}

constexpr int kCensusMax = 1 << 16;
/// Another thread has found the server dead.
constexpr int kChannelGone = 32;  // EPIPE

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
  c.channel = ours;
  c.untold = 0;
  ++c.generation;
  return uint32(env, child->id);
}

/// forkserverDrop(generation): gives up that server. It ends when its last requester has gone.
napi_value drop(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Client& c = client();
  const std::lock_guard guard(c.mutex);
  if (c.generation != to_uint32(env, args[0]) || c.channel < 0) return nullptr;
  platform::close_fd(c.channel);
  c.channel = -1;
  return nullptr;
}

/// forkserverGeneration(): of the server there is; 0: there is none.
napi_value generation(napi_env env, napi_callback_info) {
  const std::lock_guard guard(client().mutex);
  return uint32(env, client().channel < 0 ? 0 : client().generation);
}

/// forkserverAdopt(channel): a forked child's own to the server it came from.
napi_value adopt(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  const std::lock_guard guard(client().mutex);
  client().channel = to_int32(env, args[0]);
  client().untold = 0;
  ++client().generation;
  return nullptr;
}

/// forkserverTell(fds)
napi_value tell(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  const std::vector<int> fds = to_fds(env, args[0]);
  const std::lock_guard guard(client().mutex);
  if (client().channel < 0) return throw_failure(env, {kChannelGone, "sendmsg"});
  if (Failure f = platform::fork_tell(client().channel, fds.data(), static_cast<int>(fds.size())))
    return throw_failure(env, f);
  ++client().untold;
  return nullptr;
}

/// forkserverReady(): whether a request would be served at once.
napi_value ready(napi_env env, napi_callback_info) {
  const std::lock_guard guard(client().mutex);
  bool is_ready = false;
  if (client().channel < 0) return boolean(env, false);
  if (Failure f = platform::fork_ready(client().channel, &client().untold, &is_ready))
    return throw_failure(env, f);
  return boolean(env, is_ready);
}

/// forkserverCensus(): [requester's pid, child's pid, …]; empty without a server.
napi_value census(napi_env env, napi_callback_info) {
  napi_value list;
  napi_create_array(env, &list);
  const std::lock_guard guard(client().mutex);
  if (client().channel < 0) return list;
  std::vector<uint32_t> pids(kCensusMax);
  int count = 0;
  if (platform::fork_census(client().channel, &client().untold, pids.data(), kCensusMax, &count)) return list;
  // The last one says that there are no more.
  for (int i = 0; i + 1 < count; ++i)
    napi_set_element(env, list, static_cast<uint32_t>(i), uint32(env, pids[static_cast<size_t>(i)]));
  return list;
}

/// umask(): see platform::current_umask.
napi_value umask_of_process(napi_env env, napi_callback_info) {
  return int32(env, platform::current_umask());
}

/// childFork(fds, newSession, doorbell, endsWithUs): { id, pid }, or the server's refusal as text. Takes over the
/// doorbell.
napi_value child_fork(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const std::vector<int> fds = to_fds(env, args[0]);
  const platform::SpawnRequest request = {
      nullptr, nullptr, nullptr, nullptr, fds.data(), static_cast<int>(fds.size()), to_bool(env, args[1])};
  platform::ForkAnswer answer{};
  {
    platform::interrupt_watch();
    const platform::Word* word = platform::interrupt_word();
    const std::lock_guard guard(client().mutex);
    const uint32_t before = word->load(std::memory_order_acquire);
    const Failure failed = client().channel < 0 ? Failure{kChannelGone, "sendmsg"}
                                                : platform::fork_request(client().channel, request, word,
                                                                         before, &client().untold, &answer);
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

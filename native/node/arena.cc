// The arena, participants and objects for JavaScript. None of it is hot: node-addon-api.
#include <napi.h>

#include <limits>
#include <mutex>

#include "core/lock.h"
#include "core/monitor.h"
#include "core/objects.h"
#include "core/participants.h"
#include "node/environment.h"
#include "node/external_memory.h"
#include "node/layout.h"

namespace mp::node {
namespace {

Environment& self(const Napi::CallbackInfo& info) { return *static_cast<Environment*>(info.Data()); }

void fail(Napi::Env env, const platform::Failure& f) {
  auto error = Napi::Error::New(env, std::string(f.syscall) + ": " + platform::failure_text(f.code) + " (" +
                                         platform::failure_name(f.code) + ")");
  error.Set("errno", Napi::String::New(env, platform::failure_name(f.code)));
  error.Set("syscall", Napi::String::New(env, f.syscall));
  error.ThrowAsJavaScriptException();
}

std::mutex& arena_mutex() {
  static std::mutex m;  // two threads of one process may want the arena at once
  return m;
}

/// What this process is called: worker threads take it over. Guarded by arena_mutex.
char* process_name() {
  static char name[kNameBytes * 2] = "MainProcess";
  return name;
}

constexpr char kArenaLabel[] = "multiproc-arena";
constexpr uint64_t kHeapBytesLeast = uint64_t{64} << 20;

/// As large a segment as may be (ulimit -f): what is not used of it costs nothing.
platform::Failure create_sparse(uint64_t* heap_bytes, int* fd) {
  platform::Failure failed;
  for (*heap_bytes = kHeapBytesMax; *heap_bytes >= kHeapBytesLeast; *heap_bytes /= 4) {
    failed = platform::memory_create(kArenaLabel, kHeapOffset + *heap_bytes, fd);
    if (!failed) return {};
  }
  return failed;
}

// createArena(id: bigint): makes this tree's arena unless this process has one already.
void create_arena(const Napi::CallbackInfo& info) {
  const std::lock_guard guard(arena_mutex());
  Arena& arena = process_arena();
  if (arena.base != nullptr) return;
  bool lossless;
  const uint64_t id = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  Arena made;
  void* base = nullptr;
  uint64_t heap_bytes;
  auto failed = create_sparse(&heap_bytes, &made.fd);
  if (failed) return fail(info.Env(), failed);
  if (!(failed = platform::memory_map(made.fd, kArenaBytes, &base))) {
    made.base = static_cast<unsigned char*>(base);
    failed = arena_format(made, id, heap_bytes);
  }
  if (failed) {
    if (base != nullptr) platform::memory_unmap(base, kArenaBytes);
    platform::close_fd(made.fd);
    return fail(info.Env(), failed);
  }
  arena = made;
}

const char* problem_of(ArenaCheck check) {
  switch (check) {
    case ArenaCheck::ok:
      return "";
    case ArenaCheck::unready:
      return "unready";
    case ArenaCheck::not_an_arena:
      return "not_an_arena";
    case ArenaCheck::other_version:
      return "other_version";
    case ArenaCheck::other_libc:
      return "other_libc";
    case ArenaCheck::other_size:
      return "other_size";
  }
  return "not_an_arena";
}

/// Makes the segment behind `fd` this process's arena. `id`: only if it is that one; 0: whichever it is.
platform::Failure use_arena(int fd, uint64_t id, const char** problem) {
  size_t size = 0;
  if (auto failed = platform::memory_size(fd, &size)) return failed;
  SegmentHeader header;
  *problem = "not_an_arena";
  if (size < sizeof header || platform::file_read_at(fd, &header, sizeof header, 0)) return {};
  *problem = problem_of(arena_check(header, size));
  if (**problem == 0 && id != 0 && header.id != id) *problem = "another";
  if (**problem != 0) return {};
  void* base;
  if (auto failed = platform::memory_map(fd, kArenaBytes, &base)) return failed;
  process_arena() = {static_cast<unsigned char*>(base), fd};
  return {};
}

// openArena(fd) → '' or why it cannot be used. Takes the descriptor over.
Napi::Value open_arena(const Napi::CallbackInfo& info) {
  const std::lock_guard guard(arena_mutex());
  Napi::Env env = info.Env();
  const char* problem = "";
  if (process_arena().base == nullptr) {
    if (auto failed = use_arena(info[0].As<Napi::Number>().Int32Value(), 0, &problem))
      return fail(env, failed), env.Undefined();
  }
  return Napi::String::New(env, problem);
}

// joinArena(pid, fd, id) → '' or why the segment that process has there cannot be used
Napi::Value join_arena(const Napi::CallbackInfo& info) {
  const std::lock_guard guard(arena_mutex());
  Napi::Env env = info.Env();
  if (process_arena().base != nullptr) return Napi::String::New(env, "");
  bool lossless;
  const uint64_t id = info[2].As<Napi::BigInt>().Uint64Value(&lossless);
  int fd;
  if (auto failed = platform::memory_open_of(info[0].As<Napi::Number>().Uint32Value(),
                                             info[1].As<Napi::Number>().Int32Value(), kArenaLabel, &fd))
    return fail(env, failed), env.Undefined();
  const char* problem = "";
  const auto failed = use_arena(fd, id, &problem);
  if (process_arena().base == nullptr) platform::close_fd(fd);
  if (failed) return fail(env, failed), env.Undefined();
  return Napi::String::New(env, problem);
}

// arenaInfo() → { fd, id, creatorPid, creatorFd } or null before there is one
Napi::Value arena_info(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Arena& arena = process_arena();
  if (arena.base == nullptr) return env.Null();
  auto o = Napi::Object::New(env);
  o.Set("fd", platform::descriptor_in_others(arena.fd));
  o.Set("id", Napi::BigInt::New(env, arena.segment().id));
  o.Set("creatorPid", arena.segment().creator_pid);
  o.Set("creatorFd", arena.segment().creator_fd);
  return o;
}

// slots() → ArrayBuffer over all slots
Napi::Value slots(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Arena& arena = process_arena();
  constexpr size_t bytes = size_t{kSlotMax} * sizeof(Slot);
  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      env, arena.base + kSlotsOffset, bytes, [](napi_env, void*, void*) {}, nullptr, &buffer);
  if (status != napi_ok) {
    // napi_no_external_buffers_allowed: Electron and other runtimes with a V8 memory cage
    fail(env, {95, status == napi_no_external_buffers_allowed ? "external array buffers are not allowed here"
                                                              : "napi_create_external_arraybuffer"});
    return env.Undefined();
  }
  return Napi::Value(env, buffer);
}

// mapSlots(buffer): puts the slots in the place of a WebAssembly memory's pages, so that wasm code can reach them. V8
// unmaps the whole memory when it is collected; the arena's own mapping is another one.
void map_slots(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto buffer = info[0].As<Napi::ArrayBuffer>();
  constexpr size_t bytes = size_t{kSlotMax} * sizeof(Slot);
  if (buffer.ByteLength() != bytes || reinterpret_cast<uintptr_t>(buffer.Data()) % kPage != 0)
    return fail(env, {22 /* EINVAL */, "map_slots"});
  if (auto failed = platform::memory_map_over(process_arena().fd, kSlotsOffset, buffer.Data(), bytes))
    return fail(env, failed);
  discount_for_good(env, bytes);
}

// enter(environmentId) → owner id of this environment
Napi::Value enter(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Environment& e = self(info);
  if (e.me == 0) {
    platform::Failure failed;
    e.me =
        participant_enter(process_arena(), this_identity(info[0].As<Napi::Number>().Uint32Value()), &failed);
    if (failed) return fail(env, failed), env.Undefined();
    name_participant(process_arena(), e.me);
  }
  return Napi::Number::New(env, e.me);
}

// rename(name): of this process; worker threads that enter later have it, too
void rename_participant(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  const std::lock_guard guard(arena_mutex());
  snprintf(process_name(), kNameBytes * 2, "%s", name.c_str());
  if (self(info).me != 0) participant_rename(process_arena(), self(info).me, name.c_str());
  self(info).named_locks.rename(name.c_str());
}

// ownerInfo(ownerId) → { pid, thread, environment, name } or null if it is no more
Napi::Value owner_info(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const OwnerId owner = info[0].As<Napi::Number>().Uint32Value() & kOwnerMask;
  return {env, participant_value(env, process_arena(), owner)};
}

// ownerAlive(ownerId): the generation goes on and its token is not marked
Napi::Value owner_alive(const Napi::CallbackInfo& info) {
  platform::Watch unused;
  return Napi::Boolean::New(
      info.Env(),
      !owner_dead(process_arena(), info[0].As<Napi::Number>().Uint32Value() & kOwnerMask, &unused));
}

// sweep() → how many dead participants were swept
Napi::Value sweep(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), participants_sweep(process_arena()));
}

// createObject(kind, detail) → slot index
Napi::Value create_object(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint32_t index;
  const uint32_t kind = info[0].As<Napi::Number>().Uint32Value(),
                 detail = info[1].As<Napi::Number>().Uint32Value();
  if (auto failed = object_create(process_arena(), self(info).me, kind, detail, 0, &index))
    return fail(env, failed), env.Undefined();
  return Napi::Number::New(env, index);
}

// openObject(index, generation, kind) → false: that object is gone
Napi::Value open_object(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  platform::Failure failed;
  const bool opened = object_open(process_arena(), self(info).me, info[0].As<Napi::Number>().Uint32Value(),
                                  info[1].As<Napi::Number>().Uint32Value(),
                                  info[2].As<Napi::Number>().Uint32Value(), &failed);
  if (failed) return fail(env, failed), env.Undefined();
  return Napi::Boolean::New(env, opened);
}

// grantObject(ownerId, index) → false: that participant is gone
Napi::Value grant_object(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  platform::Failure failed;
  const bool granted = object_grant(process_arena(), info[0].As<Napi::Number>().Uint32Value(),
                                    info[1].As<Napi::Number>().Uint32Value(), &failed);
  if (failed) return fail(env, failed), env.Undefined();
  return Napi::Boolean::New(env, granted);
}

// closeObject(index)
void close_object(const Napi::CallbackInfo& info) {
  object_close(process_arena(), owner_slot(self(info).me), info[0].As<Napi::Number>().Uint32Value());
}

// census() → what is in use: for tests of leaks, and for tools
Napi::Value census(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Arena& arena = process_arena();
  auto o = Napi::Object::New(env);
  uint32_t live = 0, objects = 0, spares = 0;
  const uint32_t high = arena.base ? arena.header().participant_high.load() : 0;
  for (uint32_t i = 1; i <= high; i++) live += arena.participant(i).state.load() & 1;
  const uint32_t reserved = arena.base ? arena.header().slots_reserved.load() : 0;
  for (uint32_t i = 1; i < reserved; i++) {
    const uint32_t kind = header_kind(arena.slot(i).header.load());
    spares += kind == kSpare ? 1 : 0;
    objects += kind != kFree && kind != kSpare ? 1 : 0;
  }
  o.Set("participants", live);
  o.Set("participantHigh", high);
  o.Set("objects", objects);
  o.Set("slotsReserved", reserved);
  o.Set("spares", spares);
  o.Set("heapUsed", arena.base ? static_cast<double>(arena.heap().used.load()) : 0);
  o.Set("heapWarm", arena.base ? static_cast<double>(static_cast<int64_t>(arena.heap().warm.load())) : 0);
  return o;
}

void leave(void* data) {
  auto* e = static_cast<Environment*>(data);
  e->waiters.stop();
  // The named locks leave with `delete e`: they are nobody's business but their own.
  if (e->me != 0) participant_leave(process_arena(), e->me);
  delete e;
}

}  // namespace

Arena& process_arena() {
  static Arena arena;
  return arena;
}

Environment& environment(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  if (data == nullptr) {
    data = new Environment;
    napi_set_instance_data(env, data, nullptr, nullptr);
    napi_add_env_cleanup_hook(env, leave, data);
  }
  return *static_cast<Environment*>(data);
}

Identity this_identity(uint32_t environment) {
  const uint32_t pid = platform::process_id();
  return {pid, platform::thread_id(), environment, platform::process_start_time(pid),
          platform::pid_namespace()};
}

void name_participant(const Arena& arena, OwnerId me) {
  const std::lock_guard guard(arena_mutex());
  participant_rename(arena, me, process_name());
}

napi_value participant_value(napi_env env, const Arena& arena, OwnerId owner) {
  Identity who;
  char name[kNameBytes];
  if (!participant_info(arena, owner, &who, name)) return Napi::Env(env).Null();
  const bool known = who.pid_namespace == 0 || who.pid_namespace == platform::pid_namespace();
  auto o = Napi::Object::New(env);
  o.Set("pid", known ? who.pid : std::numeric_limits<double>::quiet_NaN());
  o.Set("environment", who.environment);
  o.Set("name", static_cast<const char*>(name));
  return o;
}

napi_value owner_of_lock(napi_env env, const Arena& arena, const Slot& slot) {
  const OwnerId owner = slot.word.load(std::memory_order_acquire) & kOwnerMask;
  platform::Watch unused;
  if (owner == 0 || owner == kAbandoned || owner_dead(arena, owner, &unused)) return Napi::Env(env).Null();
  return participant_value(env, arena, owner);
}

void init_arena(napi_env raw, napi_value raw_exports) {
  Napi::Env env(raw);
  Napi::Object exports(raw, raw_exports);
  void* e = &environment(raw);
  const auto add = [&](const char* name, auto body) {
    exports.Set(name, Napi::Function::New(env, body, name, e));
  };
  add("createArena", create_arena);
  add("openArena", open_arena);
  add("joinArena", join_arena);
  add("arenaInfo", arena_info);
  add("slots", slots);
  add("mapSlots", map_slots);
  add("enter", enter);
  add("rename", rename_participant);
  add("ownerInfo", owner_info);
  add("ownerAlive", owner_alive);
  add("sweep", sweep);
  add("createObject", create_object);
  add("openObject", open_object);
  add("grantObject", grant_object);
  add("closeObject", close_object);
  add("census", census);
  exports.Set("layout", shared_layout(env));
}

}  // namespace mp::node

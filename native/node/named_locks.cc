// Named locks for TypeScript: create, open, close, who has one that is not open here.
#include "node/named_locks.h"

#include <cerrno>
#include <cstring>

#include "core/event.h"
#include "core/objects.h"
#include "core/participants.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
#include "node/args.h"
#include "node/environment.h"
#include "node/segments.h"

namespace mp::node {
namespace {

Environment& self(void* data) { return *static_cast<Environment*>(data); }

platform::Failure find(const SegmentRequest& request, FoundSegment* found) {
  if (auto failed = segment_find(request, found)) return failed;
  if (found->check != NamedCheck::ok) return {};
  found->check = named_lock_check(found->header);
  // Where nobody is told of a death, processes are looked up by their pids.
  if (found->check == NamedCheck::ok && platform::token_is_polled() &&
      found->header.segment.pid_namespace != platform::pid_namespace())
    found->check = NamedCheck::other_libc;
  if (found->check != NamedCheck::ok) platform::close_fd(found->fd);
  return {};
}

platform::Failure map(const FoundSegment& found, bool read_only, Arena* arena, uint32_t* guard) {
  void* base = nullptr;
  if (auto failed = platform::named_map(found.fd, kNamedLockBytes, read_only, &base, guard)) return failed;
  *arena = {static_cast<unsigned char*>(base), found.fd, &kNamedLockPlan,
            named_lock_object(found.header.segment.kind)};
  return {};
}

void unmap(const Arena& arena, uint32_t guard) { platform::named_unmap(arena.base, kNamedLockBytes, guard); }

/// createNamedLock(request, units, bound): makes it and gives it its name. EEXIST: there is one.
napi_value create_named_lock(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  SegmentRequest request = segment_request(env, args[0]);
  request.element_bytes = 1;
  request.shape = {kNamedLockBytes - kPage};
  request.reserve = false;  // but for what every lock needs
  alignas(64) unsigned char start[sizeof(ArenaHeader) + sizeof(Monitor)] = {};
  if (named_lock_object(request.kind) == kSemaphore) {
    auto* monitor = reinterpret_cast<Monitor*>(start + sizeof(ArenaHeader));
    semaphore_init(*monitor, to_uint32(env, args[1]), to_uint32(env, args[2]));
    request.bytes = start;
    request.byte_count = sizeof start;
  }
  const std::atomic<bool> stop{false};
  BuiltSegment built;
  auto failed = segment_build(request, Publish::exclusive, stop, &built);
  if (failed) return throw_failure(env, failed);
  failed = platform::named_reserve(built.file.fd, 0, 2 * kPage);
  if (!failed) failed = segment_publish(request, Publish::exclusive, {}, &built);
  platform::named_discard(&built.file);  // named by now, so this closes the descriptor
  return failed ? throw_failure(env, failed) : nullptr;
}

/// openNamedLock(request, environment) → { problem: '', index, id } or { problem }
napi_value open_named_lock(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  FoundSegment found;
  if (auto failed = find(segment_request(env, args[0]), &found)) return throw_failure(env, failed);
  napi_value o = segment_problem(env, found);
  if (found.check != NamedCheck::ok) return o;
  uint32_t index = 0;
  auto failed = self(args.data).named_locks.open(found, to_uint32(env, args[1]), &index);
  platform::close_fd(found.fd);
  if (failed) return throw_failure(env, failed);
  set(env, o, "index", uint32(env, kNamedLockBase + index));
  set(env, o, "id", bigint(env, found.header.segment.id));
  return o;
}

/// enterNamedAgain(index, request, environment): in a forked child
napi_value enter_named_again(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  FoundSegment found;
  const bool missing =
      static_cast<bool>(find(segment_request(env, args[1]), &found)) || found.check != NamedCheck::ok;
  auto failed = self(args.data).named_locks.enter_again(to_uint32(env, args[0]) - kNamedLockBase,
                                                        missing ? nullptr : &found, to_uint32(env, args[2]));
  if (!missing) platform::close_fd(found.fd);
  return failed ? throw_failure(env, failed) : nullptr;
}

/// closeNamedLock(index)
napi_value close_named_lock(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  self(args.data).named_locks.close(to_uint32(env, args[0]) - kNamedLockBase);
  return nullptr;
}

/// Who holds a lock, or writes.
napi_value owner_of(napi_env env, const Arena& arena) {
  if (arena.kind == kLock) return owner_of_lock(env, arena, arena.slot(0));
  napi_value nobody;
  napi_get_null(env, &nobody);
  if (arena.kind != kRWLock) return nobody;
  const OwnerId writer = rwlock_fields(monitor_at(arena, 0)).writer.load() & kOwnerMask;
  platform::Watch unused;
  return writer == 0 || owner_dead(arena, writer, &unused) ? nobody : participant_value(env, arena, writer);
}

/// Who has a seat at a monitor: a glance, without its latch.
napi_value seats_of(napi_env env, const Arena& arena) {
  napi_value list;
  napi_create_array(env, &list);
  if (!is_monitor(arena.kind)) return list;
  uint32_t n = 0;
  each_seat(arena, monitor_at(arena, 0), [&](Seat& seat) {
    const OwnerId owner = seat.owner.load(std::memory_order_acquire) & kOwnerMask;
    platform::Watch unused;
    if (!owner_dead(arena, owner, &unused))
      napi_set_element(env, list, n++, seat_value(env, arena, owner, seat.hold.load(), false));
    return true;
  });
  return list;
}

/// namedLockFacts(request) → { problem: '', owner, fields, isSet } or { problem }: of a lock that need not be open here
napi_value named_lock_facts(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  SegmentRequest request = segment_request(env, args[0]);
  request.read_only = true;
  FoundSegment found;
  if (auto failed = find(request, &found)) return throw_failure(env, failed);
  napi_value o = segment_problem(env, found);
  if (found.check != NamedCheck::ok) return o;
  Arena arena;
  uint32_t guard = 0;
  auto failed = map(found, true, &arena, &guard);
  platform::close_fd(found.fd);
  if (failed) return throw_failure(env, failed);
  set(env, o, "owner", owner_of(env, arena));
  set(env, o, "fields", monitor_fields_value(env, monitor_at(arena, 0)));
  set(env, o, "seats", seats_of(env, arena));
  set(env, o, "isSet", boolean(env, arena.kind == kEvent && event_set_in(event_word(arena.slot(0)).load())));
  unmap(arena, guard);
  return o;
}

}  // namespace

bool named_lock_intact(const NamedLock& lock) {
  const bool same = memcmp(lock.arena.base, &lock.header, sizeof lock.header) == 0 &&
                    participant_stands(lock.arena, lock.me);
  // After them: looking is what finds out that a page is gone.
  return same && platform::guard_flags()[lock.guard].load(std::memory_order_acquire) == 0;
}

platform::Failure NamedLocks::open(const FoundSegment& found, uint32_t environment, uint32_t* index) {
  uint32_t free = static_cast<uint32_t>(table_.size());
  for (uint32_t i = 0; i < table_.size(); i++) {
    if (table_[i] == nullptr) {
      free = i;
    } else if (table_[i]->file.device == found.facts.device && table_[i]->file.inode == found.facts.inode) {
      *index = i;
      return {};
    }
  }
  if (count_ == kNamedLocksMax) return {E2BIG, "open"};
  auto* lock = new NamedLock{{}, 0, found.facts, 0, {}};
  memcpy(static_cast<void*>(&lock->header), &found.header, sizeof lock->header);
  auto failed = map(found, false, &lock->arena, &lock->guard);
  if (failed) {
    delete lock;
    return failed;
  }
  lock->me = participant_enter(lock->arena, this_identity(environment), &failed);
  lock->arena.fd = -1;  // it is the caller's, and only entering needs it
  if (lock->me == 0) {
    unmap(lock->arena, lock->guard);
    delete lock;
    return failed;
  }
  name_participant(lock->arena, lock->me);
  if (free == table_.size())
    table_.push_back(lock);
  else
    table_[free] = lock;
  count_++;
  *index = free;
  return {};
}

void NamedLocks::close(uint32_t index) {
  NamedLock* lock = at(index);
  if (lock == nullptr) return;
  table_[index] = nullptr;
  count_--;
  if (lock->me != 0) participant_leave(lock->arena, lock->me);
  unmap(lock->arena, lock->guard);  // N4
  delete lock;
}

void NamedLocks::rename(const char* name) {
  for (const NamedLock* lock : table_)
    if (lock != nullptr) participant_rename(lock->arena, lock->me, name);
}

platform::Failure NamedLocks::enter_again(uint32_t index, const FoundSegment* found, uint32_t environment) {
  NamedLock* lock = at(index);
  if (lock == nullptr) return {};
  lock->me = 0;
  platform::Failure failed{ENOENT, "open"};
  if (found != nullptr && lock->file.device == found->facts.device &&
      lock->file.inode == found->facts.inode) {
    lock->arena.fd = found->fd;
    failed = {};
    lock->me = participant_enter(lock->arena, this_identity(environment), &failed);
    lock->arena.fd = -1;
  }
  if (failed)
    memset(static_cast<void*>(&lock->header), 0, sizeof lock->header);
  else
    name_participant(lock->arena, lock->me);
  return failed;
}

NamedLocks::~NamedLocks() {
  for (uint32_t i = 0; i < table_.size(); i++) close(i);
}

void init_named_locks(napi_env env, napi_value exports) {
  void* e = &environment(env);
  add_function(env, exports, "createNamedLock", create_named_lock, e);
  add_function(env, exports, "openNamedLock", open_named_lock, e);
  add_function(env, exports, "enterNamedAgain", enter_named_again, e);
  add_function(env, exports, "closeNamedLock", close_named_lock, e);
  add_function(env, exports, "namedLockFacts", named_lock_facts, e);
}

}  // namespace mp::node

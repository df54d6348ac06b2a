// Parcels for TypeScript: blocks that carry a message, or a part of one, past a ring that is too small for it.
#include <cstring>

#include "core/blocks.h"
#include "core/objects.h"
#include "node/args.h"
#include "node/environment.h"
#include "node/heap.h"

namespace mp::node {
namespace {

struct Bytes {
  unsigned char* at = nullptr;
  size_t length = 0;
};

Bytes bytes_of(napi_env env, napi_value view) {
  Bytes b;
  napi_typedarray_type type;
  napi_get_typedarray_info(env, view, &type, &b.length, reinterpret_cast<void**>(&b.at), nullptr, nullptr);
  return b;
}

// createParcel(bytes: Uint8Array) → slot index of a block with these bytes
napi_value create_parcel(napi_env env, napi_callback_info info) {
  const Args<1> a(env, info);
  const OwnerId me = static_cast<Environment*>(a.data)->me;
  const Arena& arena = process_arena();
  const Bytes from = bytes_of(env, a[0]);
  NewBlock made;
  if (auto failed = block_create(arena, me, kParcel, 0, from.length, &made))
    return throw_failure(env, failed);
  HeapPart part;
  if (from.length > 0) {
    if (auto failed = heap_map(arena.slot(made.index).extent, from.length, false, &part)) {
      object_close(arena, owner_slot(me), made.index);
      return throw_failure(env, failed);
    }
    memcpy(part.at, from.at, from.length);  // all of it: nothing of what lay there before is left (B4)
    heap_unmap(part);
  }
  return uint32(env, made.index);
}

/// Smaller memory is likely to have been in use before.
constexpr size_t kPopulateFrom = 128 << 10;

// readParcel(slot, target: Uint8Array, fresh): fills `target` with the first bytes of a parcel. `fresh`: nobody has used that
// memory yet.
napi_value read_parcel(napi_env env, napi_callback_info info) {
  const Args<3> a(env, info);
  const Slot& slot = process_arena().slot(to_uint32(env, a[0]));
  const Bytes to = bytes_of(env, a[1]);
  if (to.length > slot.bytes) return throw_failure(env, {5 /* EIO */, "read_parcel"});
  if (to.length == 0) return nullptr;
  HeapPart part;
  if (auto failed = heap_map(slot.extent, slot.bytes, false, &part)) return throw_failure(env, failed);
  if (to.length >= kPopulateFrom && to_bool(env, a[2])) platform::memory_populate(to.at, to.length);
  memcpy(to.at, part.at, to.length);
  heap_unmap(part);
  return nullptr;
}

// parcelBytes(slot) → how many it has
napi_value parcel_bytes(napi_env env, napi_callback_info info) {
  const Args<1> a(env, info);
  return number(env, static_cast<double>(process_arena().slot(to_uint32(env, a[0])).bytes));
}

}  // namespace

void init_parcels(napi_env env, napi_value exports) {
  void* e = &environment(env);
  add_function(env, exports, "createParcel", create_parcel, e);
  add_function(env, exports, "readParcel", read_parcel, e);
  add_function(env, exports, "parcelBytes", parcel_bytes, e);
}

}  // namespace mp::node

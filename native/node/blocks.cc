// Blocks for JavaScript: making them, and the buffers over their bytes. An environment has one buffer for each block it has
// open; TypeScript counts who uses it.
#include "core/blocks.h"

#include <cerrno>
#include <cstring>
#include <map>

#include "core/objects.h"
#include "node/args.h"
#include "node/environment.h"
#include "node/heap.h"

namespace mp::node {
namespace {

struct Blocks;

/// A buffer over a block. Deleted by its finalizer: then V8 has forgotten the address.
struct BlockView {
  Blocks* owner;  // null once closed, or when the environment ends
  uint32_t slot;
  HeapPart part;
};

struct Blocks {
  napi_env env;
  Environment* environment;
  std::map<uint32_t, BlockView*> open;  // by slot
};

void forget(BlockView* view) {
  if (view->owner == nullptr) return;
  const auto at = view->owner->open.find(view->slot);
  if (at != view->owner->open.end() && at->second == view) view->owner->open.erase(at);
  view->owner = nullptr;
}

void finalize(napi_env, void*, void* hint) {
  auto* view = static_cast<BlockView*>(hint);
  forget(view);
  heap_unmap(view->part);
  delete view;
}

// createBlock(kind, detail, bytes) → slot index
napi_value create_block(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const Blocks& self = *static_cast<Blocks*>(args.data);
  const Arena& arena = process_arena();
  const auto bytes = static_cast<uint64_t>(to_int64(env, args[2]));
  NewBlock made;
  if (auto failed = block_create(arena, self.environment->me, to_uint32(env, args[0]),
                                 to_uint32(env, args[1]), bytes, &made))
    return throw_failure(env, failed);
  if (made.dirty > 0) {
    HeapPart part;
    if (auto failed = heap_map(arena.slot(made.index).extent, bytes, false, &part)) {
      object_close(arena, owner_slot(self.environment->me), made.index);
      return throw_failure(env, failed);
    }
    memset(part.at, 0, made.dirty);  // B4
    heap_unmap(part);
  }
  return uint32(env, made.index);
}

// openBlock(slot) → ArrayBuffer of a block that this environment holds. The last one must have been closed, or collected.
napi_value open_block(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  Blocks& self = *static_cast<Blocks*>(args.data);
  const uint32_t index = to_uint32(env, args[0]);
  const Slot& slot = process_arena().slot(index);
  // A buffer that is being collected, or has strayed, still counts for V8 at its address: older ones abort when there are
  // two at one.
  const bool fresh = self.open.contains(index);
  HeapPart part;
  if (auto failed = heap_map(slot.extent, slot.bytes, fresh, &part)) return throw_failure(env, failed);
  auto* view = new BlockView{&self, index, part};
  napi_value buffer;
  const napi_status status =
      napi_create_external_arraybuffer(env, part.at, slot.bytes, finalize, view, &buffer);
  if (status != napi_ok) {
    heap_unmap(part);
    delete view;
    // Electron and other runtimes with a V8 memory cage
    return throw_failure(env, {EOPNOTSUPP, status == napi_no_external_buffers_allowed
                                               ? "external array buffers are not allowed here"
                                               : "napi_create_external_arraybuffer"});
  }
  self.open[index] = view;
  return buffer;
}

// closeBlock(slot, buffer) → false: somebody made another buffer of it (ArrayBuffer.prototype.transfer), so that the bytes
// are still in reach
napi_value close_block(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  Blocks& self = *static_cast<Blocks*>(args.data);
  bool detached = true;
  napi_is_detached_arraybuffer(env, args[1], &detached);
  if (detached) return boolean(env, false);
  if (const auto at = self.open.find(to_uint32(env, args[0])); at != self.open.end()) forget(at->second);
  napi_detach_arraybuffer(env, args[1]);  // may finalize, and so delete, the view
  return boolean(env, true);
}

void leave(void* data) {
  auto* self = static_cast<Blocks*>(data);
  for (auto& [slot, view] : self->open) view->owner = nullptr;
  delete self;
}

}  // namespace

void init_blocks(napi_env env, napi_value exports) {
  auto* self = new Blocks{env, &environment(env), {}};
  napi_add_env_cleanup_hook(env, leave, self);
  add_function(env, exports, "createBlock", create_block, self);
  add_function(env, exports, "openBlock", open_block, self);
  add_function(env, exports, "closeBlock", close_block, self);
}

}  // namespace mp::node

// The layout of shared memory, as TypeScript gets it.
#include <napi.h>

#include "core/monitor.h"
#include "core/objects.h"
#include "core/pipe.h"
#include "core/pool_board.h"
#include "core/queue.h"
#include "node/layout.h"

namespace mp::node {

Napi::Object shared_layout(Napi::Env env) {
  auto o = Napi::Object::New(env);
  auto fields = Napi::Object::New(env);
#define MP_EXPORT(type, field, at, bytes) fields.Set(#type "." #field, Napi::Number::New(env, at));
  MP_LAYOUT(MP_EXPORT)
  MP_MONITOR_LAYOUT(MP_EXPORT)
  MP_PIPE_LAYOUT(MP_EXPORT)
  MP_POOL_LAYOUT(MP_EXPORT)
#undef MP_EXPORT
  o.Set("version", kLayoutVersion);
  o.Set("offsets", fields);
  o.Set("slotsBytes", Napi::Number::New(env, size_t{kSlotMax} * sizeof(Slot)));
  o.Set("slotBytes", Napi::Number::New(env, sizeof(Slot)));
  o.Set("kindLock", Napi::Number::New(env, kLock));
  o.Set("kindValue", Napi::Number::New(env, kValue));
  o.Set("kindArray", Napi::Number::New(env, kArray));
  o.Set("kindList", Napi::Number::New(env, kList));
  o.Set("kindSemaphore", Napi::Number::New(env, kSemaphore));
  o.Set("kindRWLock", Napi::Number::New(env, kRWLock));
  o.Set("kindCondition", Napi::Number::New(env, kCondition));
  o.Set("kindBarrier", Napi::Number::New(env, kBarrier));
  o.Set("kindEvent", Napi::Number::New(env, kEvent));
  o.Set("kindQueue", Napi::Number::New(env, kQueue));
  o.Set("kindRing", Napi::Number::New(env, kRing));
  o.Set("kindPipe", Napi::Number::New(env, kPipe));
  o.Set("kindPipeEnd", Napi::Number::New(env, kPipeEnd));
  o.Set("kindParcel", Napi::Number::New(env, kParcel));
  o.Set("pipeBlockBytes", Napi::Number::New(env, sizeof(PipeBlock)));
  o.Set("pipeRingBytes", Napi::Number::New(env, sizeof(PipeRing)));
  o.Set("queueBlockBytes", Napi::Number::New(env, sizeof(QueueBlock)));
  o.Set("poolBoardBytes", Napi::Number::New(env, sizeof(PoolBoard)));
  o.Set("poolEntryBytes", Napi::Number::New(env, sizeof(PoolEntry)));
  o.Set("poolEntries", Napi::Number::New(env, kPoolEntries));
  o.Set("ownerMask", Napi::Number::New(env, kOwnerMask));
  o.Set("abandonedOwner", Napi::Number::New(env, kAbandoned));
  return o;
}

}  // namespace mp::node

#include "node/unwind.h"

#include "platform/platform.h"

namespace mp::node {
namespace {

struct Isolate;
using Callback = void (*)(Isolate*);

template <class F>
F find(const char* name) {
  return reinterpret_cast<F>(platform::symbol(name));
}

struct V8 {
  Isolate* (*isolate)() = find<Isolate* (*)()>("_ZN2v87Isolate10GetCurrentEv");
  void (*run)(Isolate*) =
      find<void (*)(Isolate*)>("_ZN2v815MicrotasksScope17PerformCheckpointEPNS_7IsolateE");
  bool (*running)(Isolate*) =
      find<bool (*)(Isolate*)>("_ZN2v815MicrotasksScope19IsRunningMicrotasksEPNS_7IsolateE");
  void (*terminate)(Isolate*) = find<void (*)(Isolate*)>("_ZN2v87Isolate18TerminateExecutionEv");
  void (*cancel)(Isolate*) = find<void (*)(Isolate*)>("_ZN2v87Isolate24CancelTerminateExecutionEv");
  void (*at_bottom)(Isolate*, Callback) =
      find<void (*)(Isolate*, Callback)>("_ZN2v87Isolate24AddCallCompletedCallbackEPFvPS0_E");
  void (*not_at_bottom)(Isolate*, Callback) =
      find<void (*)(Isolate*, Callback)>("_ZN2v87Isolate27RemoveCallCompletedCallbackEPFvPS0_E");
};

const V8& v8() {
  static const V8 functions;
  return functions;
}

/// No JavaScript is on the stack any more: what comes next is to run. V8 up to 11 needs to be told, and not only once.
void unwound(Isolate* isolate) { v8().cancel(isolate); }

}  // namespace

bool can_unwind() {
  const V8& v = v8();
  return v.isolate && v.run && v.running && v.terminate && v.cancel && v.at_bottom && v.not_at_bottom;
}

void drop_microtasks() {
  Isolate* isolate = v8().isolate();
  // A queue that is being run is emptied when the running microtask is terminated. So is one whose first is.
  if (v8().running(isolate)) return;
  v8().terminate(isolate);
  v8().run(isolate);
  v8().cancel(isolate);
}

void unwound_at_loop() {
  Isolate* isolate = v8().isolate();
  v8().not_at_bottom(isolate, unwound);
  v8().cancel(isolate);
}

void unwind() {
  v8().at_bottom(v8().isolate(), unwound);
  v8().terminate(v8().isolate());
}

}  // namespace mp::node

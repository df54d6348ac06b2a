// Doorbells: events that reset themselves. A ring that nobody hears yet is kept, several are one.
#include "platform/win32/win32.h"

namespace mp::platform {
namespace {

/// What the thread that waits for us calls. Freed when the wait is over.
struct Listening {
  void (*heard)(void*);
  void* argument;
  HANDLE wait;
};

void CALLBACK heard(void* context, BOOLEAN) {
  const auto* listening = static_cast<Listening*>(context);
  listening->heard(listening->argument);
}

}  // namespace

Failure doorbell_create(int* fd) {
  HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  if (event == nullptr) return failed_call("CreateEventW");
  *fd = number_of(event);
  return {};
}

void doorbell_ring(int fd) { SetEvent(handle_of(fd)); }

// Whoever heard it has taken it.
void doorbell_clear(int) {}

Failure listen_start(int fd, bool once, void (*call)(void*), void* argument, void** out) {
  auto* listening = new Listening{call, argument, nullptr};
  if (!RegisterWaitForSingleObject(&listening->wait, handle_of(fd), heard, listening, INFINITE,
                                   once ? WT_EXECUTEONLYONCE : WT_EXECUTEDEFAULT)) {
    delete listening;
    return failed_call("RegisterWaitForSingleObject");
  }
  *out = listening;
  return {};
}

void listen_stop(void* p) {
  auto* listening = static_cast<Listening*>(p);
  UnregisterWaitEx(listening->wait, INVALID_HANDLE_VALUE);  // waits for a call that is under way
  delete listening;
}

}  // namespace mp::platform

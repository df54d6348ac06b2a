// What V8 is told about memory that is not its own.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

namespace mp::node {

/// V8 counts the bytes of a WebAssembly memory as if they were heap, and would collect for them; these are mostly not even
/// memory of this process. When the environment ends V8 counts them back, and since Node 24 aborts if the sum is below
/// zero, so they are added again before. Not for external buffers: those are counted back before any hook of ours.
inline void discount_for_good(napi_env env, size_t bytes) {
  struct Discount {
    napi_env env;
    int64_t bytes;
  };
  int64_t adjusted;
  auto* discount = new Discount{env, static_cast<int64_t>(bytes)};
  napi_adjust_external_memory(env, -discount->bytes, &adjusted);
  napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        auto* d = static_cast<Discount*>(data);
        int64_t after;
        napi_adjust_external_memory(d->env, d->bytes, &after);
        delete d;
      },
      discount);
}

}  // namespace mp::node

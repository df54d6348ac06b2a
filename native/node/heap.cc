// The heap is mapped in windows of 64 GiB, each when first needed and for good: attaching to a block is an addition then.
// Extents are aligned so that none lies in two windows (blocks.h). Larger ones, and all where addresses are limited
// (ulimit -v), are mapped alone.
#include "node/heap.h"

#include <atomic>
#include <mutex>

#include "core/blocks.h"
#include "node/environment.h"

namespace mp::node {
namespace {

constexpr uint64_t kWindowBytes = kAlignMax;
constexpr uint64_t kMapAlign = 64 << 10;  // pages are as large on some systems

std::atomic<unsigned char*>& window(uint64_t number) {
  static std::atomic<unsigned char*> windows[kHeapBytesMax / kWindowBytes];
  return windows[number];
}

/// Null if there is no room for it.
unsigned char* open_window(uint64_t number) {
  static std::mutex mutex;
  if (unsigned char* known = window(number).load(std::memory_order_acquire)) return known;
  const std::lock_guard guard(mutex);
  if (unsigned char* known = window(number).load(std::memory_order_acquire)) return known;
  const Arena& arena = process_arena();
  const uint64_t from = number * kWindowBytes, left = arena.heap_bytes() - from;
  void* base = nullptr;
  if (platform::memory_map_part(arena.fd, kHeapOffset + from, left < kWindowBytes ? left : kWindowBytes,
                                &base))
    return nullptr;
  window(number).store(static_cast<unsigned char*>(base), std::memory_order_release);
  return static_cast<unsigned char*>(base);
}

}  // namespace

platform::Failure heap_map(uint64_t extent, uint64_t bytes, bool fresh, HeapPart* out) {
  const Arena& arena = process_arena();
  if (extent > arena.heap_bytes() || bytes > arena.heap_bytes() - extent)
    return {5 /* EIO */, "heap_map"};  // no block of ours
  if (!fresh && bytes <= kWindowBytes) {
    if (unsigned char* base = open_window(extent / kWindowBytes)) {
      *out = {base + extent % kWindowBytes, nullptr, 0};
      return {};
    }
  }
  const uint64_t before = extent % kMapAlign;
  void* base = nullptr;
  if (auto failed = platform::memory_map_part(arena.fd, kHeapOffset + extent - before, before + bytes, &base))
    return failed;
  *out = {static_cast<unsigned char*>(base) + before, base, before + bytes};
  return {};
}

void heap_unmap(const HeapPart& part) {
  if (part.alone != nullptr) platform::memory_unmap(part.alone, part.alone_bytes);
}

}  // namespace mp::node

// Included in front of everything when core/ is compiled for the fake scheduler (-include): every access to an atomic,
// except relaxed loads (hints, always followed by a compare-and-swap), becomes a scheduling decision.
//
// One thread runs at a time, so what is explored is all interleavings under sequential consistency; weaker orders are
// the business of ThreadSanitizer and of the comments in core/.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <functional>
#include <vector>

namespace mp::fake {
void step();
}

namespace std {
template <class T>
class scheduled_atomic {
 public:
  static constexpr bool is_always_lock_free = true;
  constexpr scheduled_atomic() = default;
  constexpr scheduled_atomic(T value) : value_(value) {}  // NOLINT: as std::atomic
  scheduled_atomic(const scheduled_atomic&) = delete;
  scheduled_atomic& operator=(const scheduled_atomic&) = delete;

  T load(memory_order order = memory_order_seq_cst) const {
    if (order != memory_order_relaxed) mp::fake::step();
    return value_;
  }
  void store(T value, memory_order = memory_order_seq_cst) { mp::fake::step(), value_ = value; }
  T exchange(T value, memory_order = memory_order_seq_cst) {
    mp::fake::step();
    const T old = value_;
    value_ = value;
    return old;
  }
  bool compare_exchange_strong(T& expected, T desired, memory_order = memory_order_seq_cst,
                               memory_order = memory_order_seq_cst) {
    mp::fake::step();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = desired;
    return true;
  }
  bool compare_exchange_weak(T& expected, T desired, memory_order = memory_order_seq_cst,
                             memory_order = memory_order_seq_cst) {
    return compare_exchange_strong(expected, desired);
  }
  T fetch_or(T bits, memory_order = memory_order_seq_cst) {
    return change([&](T v) { return v | bits; });
  }
  T fetch_and(T bits, memory_order = memory_order_seq_cst) {
    return change([&](T v) { return v & bits; });
  }
  T fetch_add(T n, memory_order = memory_order_seq_cst) {
    return change([&](T v) { return v + n; });
  }
  /// What lies there, for the test's own eyes: not a step.
  T peek() const { return value_; }

 private:
  template <class F>
  T change(F f) {
    mp::fake::step();
    const T old = value_;
    value_ = f(old);
    return old;
  }
  T value_{};
};
}  // namespace std
#define atomic scheduled_atomic

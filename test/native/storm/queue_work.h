// What the workers of the queue storm share with each other and with their parent.
#pragma once

#include <atomic>

#include "support/queues.h"

namespace mp::test {

inline constexpr uint32_t kSlots = 16, kLives = 1u << 17, kMessages = 512;
inline constexpr int64_t kStuckNs = 5 * kSecond;
using Counter = std::atomic<uint64_t>;

/// The ways that messages go: the queue, and the two directions of the pipe.
enum Way : uint32_t { kQueueWay, kPipeWay, kPipeBack, kWays };

/// One life of a worker, as a producer.
struct Producer {
  std::atomic<uint16_t> tried, put;   // messages with lower numbers may be, or are, on their way
  std::atomic<uint16_t> last[kWays];  // of a pipe: the number after the last one received
  std::atomic<uint32_t> received[kMessages / 32];
};
struct Shared {
  std::atomic<uint32_t> lives;
  Counter put, got, carried, told_lost, longest, late;
  Counter twice, disorder, spoilt, dangling, phantom, stuck, refused;
  Producer producers[kLives];
};
inline Shared* shared;
inline Arena tree;
inline unsigned char* heap;
inline QueueName queue_name;
inline uint32_t pipe_block, pipe_ends[2];

inline QueueDesk queue_desk(OwnerId me) {
  return {tree, queue_name.index, reinterpret_cast<QueueMonitor&>(tree.slot(queue_name.index)),
          *static_cast<QueueBlock*>(heap_at(tree, heap, queue_name.ring)), me};
}
inline PipeDesk pipe_desk(OwnerId me) {
  return {tree, pipe_block, *static_cast<PipeBlock*>(heap_at(tree, heap, pipe_block)), me};
}
inline PipeEnd& pipe_end(uint32_t side) { return reinterpret_cast<PipeEnd&>(tree.slot(pipe_ends[side])); }

/// Looks at a message that `me` has received, and closes what it refers to.
void receive(OwnerId me, Way way, const unsigned char* record);
/// Gets a message from a ring of the pipe whose receiver `me` is: plain ones as JavaScript does.
PipeResult take_from_pipe(OwnerId me, uint32_t ring, unsigned char* out);
/// Never returns. Dies at the point, if it has a name; number 0 never does.
[[noreturn]] void work(uint32_t number, const char* point, uint32_t after);

}  // namespace mp::test

// A pool's board: what the dispatcher and one worker say to each other about the tasks on their way between them.
//
// Arguments travel through one ring of a pipe, results through the other (pipe.h). Both sides number the messages in the order
// in which they pass, so a message need not say which it is; the board says the rest.
//
//   PoolBoard    busy | taken | since | entry 0 … kPoolEntries - 1
//   task n       entry[n % kPoolEntries]: task = n << 2 | state, call = which function, and how, since
//   result n     entry[n % kPoolEntries]: result = number of its task << 2 | what it is; began, ended
//
//     kTaskQueued ──worker──▶ kTaskStarted ──▶ a result
//          └────dispatcher──▶ kTaskWithdrawn: the worker passes it over
//
// P1  A queued task is started by the worker or withdrawn by the dispatcher, by compare-and-swap: one of them has it.
// P2  A worker starts a task before it reads its arguments. Whatever kills it from then on has killed that task, and none that
//     is queued behind: the dispatcher withdraws those and gives them to others. Their bytes lie in the ring still, where only
//     the dispatcher writes.
// P3  An entry is the dispatcher's until the message is in the ring, and again when the worker has taken it: started it, or
//     passed it over. No more than half of the entries are in use so, nor by results that nobody has read.
//
// Writers  task, call: the dispatcher; task: the worker, from queued to started. All else: the worker.
// Order    task, call → the record's tail → the worker; result, began, ended → the result's tail → the dispatcher.
// Death    of the worker: first its results are read, then tasks that are queued are moved, and those that are started fail.
//          of the dispatcher: the worker finds the end of its ring.
#pragma once

#include "core/layout.h"

namespace mp {

inline constexpr uint32_t kPoolEntries = 512;
inline constexpr uint32_t kTaskQueued = 0, kTaskStarted = 1, kTaskWithdrawn = 2;

///   since          when task n was started, in tenths of a millisecond, as far as they fit: for one that gives no result
///   began, ended   when the task of result n ran, in milliseconds
/// All three are times of the machine's monotonic clock, and written while somebody traces.
struct PoolEntry {
  Word task;
  Word call;
  Word result;
  uint32_t since;
  double began;
  double ended;
};
static_assert(sizeof(PoolEntry) == 32);

///   busy    how long the worker has run tasks, in milliseconds, but for what it runs now
///   taken   the number of the next task that it will take
///   since   since when it has been at what it runs now, in milliseconds of the machine's monotonic clock; 0: it runs nothing
struct alignas(64) PoolBoard {
  double busy;
  Word taken;
  uint32_t unused;
  double since;
  uint32_t reserved[10];
  PoolEntry entry[kPoolEntries];
};

// clang-format off
//        struct         field              offset  size
#define MP_POOL_LAYOUT(PIN)                         \
  PIN(PoolEntry,     task,                  0,     4) \
  PIN(PoolEntry,     call,                  4,     4) \
  PIN(PoolEntry,     result,                8,     4) \
  PIN(PoolEntry,     since,                12,     4) \
  PIN(PoolEntry,     began,                16,     8) \
  PIN(PoolEntry,     ended,                24,     8) \
  PIN(PoolBoard,     busy,                  0,     8) \
  PIN(PoolBoard,     taken,                 8,     4) \
  PIN(PoolBoard,     since,                16,     8) \
  PIN(PoolBoard,     entry,                64, 16384)
// clang-format on
MP_POOL_LAYOUT(MP_PIN)

}  // namespace mp

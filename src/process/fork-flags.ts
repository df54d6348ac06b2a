/**
 * What a Node that is to be forked is started with, by whichever method: V8 gives no work to threads that a child has not, and
 * does not collect, or drop compiled code, by the clock: each child would write over the pages it shares to do so once more.
 */
export const forkFlags: readonly string[] = [
  '--single-threaded',
  '--v8-pool-size=1',
  '--no-memory-reducer',
  '--no-flush-bytecode',
];

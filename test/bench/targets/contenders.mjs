// What the processes of lock-contended, sync-fairness and owner-death do.
import { Lock, RWLock } from 'multiproc';

export function countUnderLock(lock, cell, ready, stop) {
  let n = 0;
  ready.add(1);
  while (ready.value < 2);
  while (stop.value === 0) {
    for (let i = 0; i < 100; i++) {
      const guard = lock.acquireSync();
      cell.value += 1;
      guard.release();
      n++;
    }
  }
  return n;
}

export function holdAndWait(lock, ready, stop, holdMicros) {
  const waits = [];
  ready.add(1);
  while (ready.value < 2);
  while (stop.value === 0) {
    const asked = performance.now();
    const guard = lock instanceof RWLock ? lock.writeSync() : lock.acquireSync();
    const got = performance.now();
    waits.push(got - asked);
    while ((performance.now() - got) * 1000 < holdMicros);
    guard.release();
  }
  return waits;
}

export function holdBusy(lock, holding) {
  lock.acquireSync();
  holding.value = 1;
  for (;;);
}

/** Waits for the lock; when it came, by the monotonic clock all processes share. */
export function takeNext(lock, waiting) {
  // The first run of a function is its compilation, 0.1 ms: not what is asked here.
  new Lock().acquireSync().release();
  process.hrtime.bigint();
  waiting.value = 1;
  const guard = lock.acquireSync();
  const at = process.hrtime.bigint();
  if (!guard.abandoned) throw new Error('the death was not reported');
  guard.release();
  return at;
}

// Nanoseconds of one lock operation, the loop taken off: best of five, in a process of its own.
import { Lock, Value } from 'multiproc';

const [kind, count] = [process.argv[2], Number(process.argv[3])];
const lock = new Lock();
const named = new Lock({ name: `bench-${process.pid}` });
Lock.delete(`bench-${process.pid}`); // it stays as long as it is open
const value = new Value('i', 0);
const cells = new Int32Array(new ArrayBuffer(64));
const bodies = {
  empty(n) {
    let x = 0;
    for (let i = 0; i < n; i++) x++;
    return x;
  },
  guard(n) {
    let x = 0;
    for (let i = 0; i < n; i++) {
      const guard = lock.acquireSync();
      x++;
      guard.release();
    }
    return x;
  },
  named(n) {
    let x = 0;
    for (let i = 0; i < n; i++) {
      const guard = named.acquireSync();
      x++;
      guard.release();
    }
    return x;
  },
  exclusive(n) {
    let x = 0;
    for (let i = 0; i < n; i++) lock.runExclusiveSync(() => x++);
    return x;
  },
  update(n) {
    value.value = 0;
    for (let i = 0; i < n; i++) value.update((v) => v + 1);
    return value.value;
  },
  add(n) {
    value.value = 0;
    for (let i = 0; i < n; i++) value.add(1);
    return value.value;
  },
  cas(n) {
    let x = 0;
    for (let i = 0; i < n; i++) {
      Atomics.compareExchange(cells, 0, 0, 4097);
      x++;
      Atomics.compareExchange(cells, 0, 4097, 0);
    }
    return x;
  },
};
const time = (body) => {
  const start = process.hrtime.bigint();
  if (body(count) !== count) throw new Error('wrong count');
  return Number(process.hrtime.bigint() - start) / count;
};
let best = Infinity;
for (let round = 0; round < 6; round++) best = Math.min(best, time(bodies[kind]) - time(bodies.empty));
console.log(JSON.stringify(best));

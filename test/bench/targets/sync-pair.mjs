// Nanoseconds of one operation of a primitive that nobody else uses, the loop taken off: best of a hundred, in a process of its own.
import { Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, RWLock, Semaphore } from 'multiproc';

const [kind, count] = [process.argv[2], Number(process.argv[3])];
/** A loop compiled for itself alone, so that it sees one class only. */
const loop = (body) =>
  new Function('o', 'n', `let x = 0; for (let i = 0; i < n; i++) { ${body}; x++ } return x`);
const pair = 'const g = o.acquireSync(); g.release()';
const set = () => {
  const event = new Event();
  event.set();
  return event;
};
const [object, body] = {
  Lock: () => [new Lock(), pair],
  RLock: () => [new RLock(), pair],
  Semaphore: () => [new Semaphore(), pair],
  BoundedSemaphore: () => [new BoundedSemaphore(), pair],
  'Event.set': () => [new Event(), 'o.set(); o.clear()'],
  'Event.isSet': () => [set(), 'if (!o.isSet()) throw 0'],
  'Event.wait': () => [set(), 'if (!o.waitSync()) throw 0'],
  Condition: () => [new Condition(), 'const g = o.acquireSync(); o.notify(); g.release()'],
  Barrier: () => [new Barrier(1), 'o.waitSync()'],
  'RWLock.read': () => [new RWLock(), 'const g = o.readSync(); g.release()'],
  'RWLock.write': () => [new RWLock(), 'const g = o.writeSync(); g.release()'],
}[kind]();
const [measured, empty] = [loop(body), loop('')];
const time = (run) => {
  const start = process.hrtime.bigint();
  if (run(object, count) !== count) throw new Error('wrong count');
  return Number(process.hrtime.bigint() - start) / count;
};
// Short runs, many of them: some meet no other program.
let [best, none] = [Infinity, Infinity];
for (let round = 0; round < 100; round++) {
  best = Math.min(best, time(measured));
  none = Math.min(none, time(empty));
}
console.log(JSON.stringify(best - none));

// What does each primitive cost that nobody else uses?
import { freshNode, hasPython, interleave, python } from './support.mjs';

/** Ours (targets/sync-pair.mjs); what it is, in Python; CPython's set-up and body; the goal. */
const kinds = {
  Lock: ['acquireSync + release', 'm.Lock()', 'o.acquire(); o.release()', 2],
  RLock: ['acquireSync + release', 'm.RLock()', 'o.acquire(); o.release()', 2],
  Semaphore: ['acquireSync + release', 'm.Semaphore()', 'o.acquire(); o.release()', 1.2],
  BoundedSemaphore: ['acquireSync + release', 'm.BoundedSemaphore()', 'o.acquire(); o.release()', 1.2],
  'Event.set': ['+ clear', 'm.Event()', 'o.set(); o.clear()', 2],
  'Event.isSet': ['', 'm.Event(); o.set()', 'o.is_set()', 2],
  'Event.wait': ['Sync of a set one', 'm.Event(); o.set()', 'o.wait()', 2],
  Condition: ['acquireSync + notify + release', 'm.Condition()', 'o.acquire(); o.notify(); o.release()', 2],
  Barrier: ['(1).waitSync', 'm.Barrier(1)', 'o.wait()', 2],
  'RWLock.read': ['Sync + release', 'm.Lock()', 'o.acquire(); o.release()', 2],
  'RWLock.write': ['Sync + release', 'm.Lock()', 'o.acquire(); o.release()', 2],
};

const source = (make, body, n) => `
import multiprocessing as m, time

o = ${make}
def run(n):
    t = time.perf_counter()
    for i in range(n):
        ${body}
    return (time.perf_counter() - t) * 1e9 / n
def empty(n):
    t = time.perf_counter()
    for i in range(n): pass
    return (time.perf_counter() - t) * 1e9 / n
print(min(run(${n}) for r in range(100)) - min(empty(${n}) for r in range(100)))
`;

export async function bench({ smoke }) {
  const [rounds, ours, theirs] = smoke ? [1, 500, 50] : [7, 20_000, 2000];
  const rows = [];
  for (const [kind, [call, make, body, goal]] of Object.entries(kinds)) {
    const m = await interleave(rounds, {
      ours: () => freshNode('sync-pair', kind, ours),
      python: () => (hasPython && (!smoke || kind === 'Lock') ? python(source(make, body, theirs)) : NaN),
    });
    const isRW = kind.startsWith('RWLock');
    rows.push({
      what: `${kind}${/^[a-z]/.test(call) ? ' ' : ''}${call}`,
      unit: 'ns',
      ours: m.ours,
      goal: `≥ ${goal}x`,
      peers: { [isRW ? 'CPython Lock (it has no other)' : `CPython ${body.replaceAll('o.', '')}`]: m.python },
    });
  }
  return { title: 'primitives, uncontended', rows };
}

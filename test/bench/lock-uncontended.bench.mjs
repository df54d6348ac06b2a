// What does it cost to take and release a lock that nobody else wants?
import { freshNode, hasPython, interleave, python } from './support.mjs';

const pairs = (setup, body) => `
import multiprocessing as m, time
${setup}
def run(n):
    t = time.perf_counter()
    for i in range(n):
        ${body}
    return (time.perf_counter() - t) * 1e9 / n
def empty(n):
    t = time.perf_counter()
    for i in range(n): pass
    return (time.perf_counter() - t) * 1e9 / n
print(min(run(N) - empty(N) for r in range(5)))
`;

export async function bench({ smoke }) {
  const rounds = smoke ? 1 : 7;
  const n = smoke ? 10_000 : 1_000_000;
  const py = (setup, body) => () =>
    hasPython ? python(pairs(setup, body).replaceAll('N)', `${n})`).replaceAll('(n)', '(n)')) : NaN;
  const m = await interleave(rounds, {
    guard: () => freshNode('lock-pair', 'guard', n),
    named: () => freshNode('lock-pair', 'named', n),
    exclusive: () => freshNode('lock-pair', 'exclusive', n),
    update: () => freshNode('lock-pair', 'update', n),
    add: () => freshNode('lock-pair', 'add', n),
    cas: () => freshNode('lock-pair', 'cas', n),
    pyPair: py('l = m.Lock()', 'l.acquire(); l.release()'),
    pyWith: py('l = m.Lock()', 'with l: pass'),
    pyValue: py('v = m.Value("i", 0)', 'with v.get_lock(): v.value += 1'),
  });
  return {
    title: 'lock, uncontended',
    rows: [
      {
        what: 'acquireSync + guard.release',
        unit: 'ns',
        ours: m.guard,
        goal: '≤ 25 ns, ≥ 2.5x CPython',
        peers: {
          'CPython Lock acquire + release': m.pyPair,
          'CPython with lock': m.pyWith,
          'two bare Atomics (floor)': m.cas,
        },
      },
      {
        what: 'the same of new Lock({ name })',
        unit: 'ns',
        ours: m.named,
        peers: { 'CPython Lock acquire + release': m.pyPair },
      },
      { what: 'runExclusiveSync', unit: 'ns', ours: m.exclusive, peers: { 'CPython with lock': m.pyWith } },
      {
        what: 'Value.update(v => v + 1)',
        unit: 'ns',
        ours: m.update,
        peers: { 'CPython with v.get_lock(): v.value += 1': m.pyValue },
      },
      {
        what: 'Value.add(1)',
        unit: 'ns',
        ours: m.add,
        peers: { 'CPython with v.get_lock(): v.value += 1': m.pyValue },
      },
    ],
  };
}

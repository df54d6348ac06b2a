// How many sections a second do two processes get through one lock, and how long does the unluckiest wait?
import { Lock, Process, RawValue } from 'multiproc';
import { hasPython, interleave, python, quantile } from './support.mjs';
import { countUnderLock, holdAndWait } from './targets/contenders.mjs';

/** Two processes count under one lock for a while; sections per second of both together. */
async function contend(ms) {
  const [lock, cell, ready, stop] = [
    new Lock(),
    new RawValue('i', 0),
    new RawValue('i', 0),
    new RawValue('i', 0),
  ];
  const both = [0, 1].map(() => new Process(countUnderLock, lock, cell, ready, stop).start());
  while (ready.value < 2) await new Promise(setImmediate);
  const start = performance.now();
  await new Promise((done) => setTimeout(done, ms));
  stop.value = 1;
  const seconds = (performance.now() - start) / 1000;
  const counts = await Promise.all(both.map((p) => p.result()));
  const total = counts[0] + counts[1];
  if (total !== cell.value) throw new Error(`the lock lost ${total - cell.value} updates`);
  await Promise.all(both.map((p) => p.join()));
  return total / seconds / 1e6;
}

/** Two processes hold a lock for 20 µs again and again; every wait of both, in milliseconds. */
async function waits(ms) {
  const [lock, ready, stop] = [new Lock(), new RawValue('i', 0), new RawValue('i', 0)];
  const both = [0, 1].map(() => new Process(holdAndWait, lock, ready, stop, 20).start());
  while (ready.value < 2) await new Promise(setImmediate);
  await new Promise((done) => setTimeout(done, ms));
  stop.value = 1;
  const results = await Promise.all(both.map((p) => p.result()));
  await Promise.all(both.map((p) => p.join()));
  return results.flat();
}

const pythonSource = (ms, body) => `
import multiprocessing as m, time
from multiprocessing.sharedctypes import RawValue
def work(lock, cell, value, ready, stop, out):
    n = 0
    with ready.get_lock(): ready.value += 1
    while ready.value < 2: pass
    while not stop.value:
        for i in range(100):
            ${body}
            n += 1
    out.put(n)
m.set_start_method('fork')
lock, cell, value, ready, stop, out = m.Lock(), RawValue('i', 0), m.Value('i', 0), m.Value('i', 0), RawValue('i', 0), m.Queue()
ps = [m.Process(target=work, args=(lock, cell, value, ready, stop, out)) for _ in range(2)]
[p.start() for p in ps]
while ready.value < 2: pass
t = time.perf_counter(); time.sleep(${ms} / 1000); stop.value = 1; d = time.perf_counter() - t
total = out.get() + out.get()
[p.join() for p in ps]
print(total / d / 1e6)
`;

export async function bench({ smoke }) {
  const [rounds, ms] = smoke ? [1, 50] : [7, 700];
  const py = (body) => () => (hasPython ? python(pythonSource(ms, body)) : NaN);
  const m = await interleave(rounds, {
    ours: () => contend(ms),
    pyLock: py('lock.acquire(); cell.value += 1; lock.release()'),
    pyValue: py('with value.get_lock(): value.value += 1'),
  });
  const all = [];
  for (let round = 0; round < rounds; round++) all.push(await waits(ms));
  const perRound = (q) =>
    quantile(
      all.map((list) => quantile(list, q)),
      0.5,
    );
  return {
    title: 'lock, two processes',
    rows: [
      {
        what: 'sections with one increment',
        unit: 'M/s',
        ours: m.ours,
        goal: '≥ 12 M/s, ≥ 6x CPython',
        peers: { 'CPython Lock + RawValue': m.pyLock, 'CPython Value.get_lock()': m.pyValue },
      },
      { what: 'wait under a 20 µs hold, p99.9', unit: 'ms', ours: perRound(0.999), goal: '≤ 2 ms' },
      { what: 'wait under a 20 µs hold, p50', unit: 'ms', ours: perRound(0.5) },
      { what: 'wait under a 20 µs hold, longest', unit: 'ms', ours: perRound(1) },
    ],
  };
}

// A hundred wait for a condition: how long from notifyAll() until the last one has gone on?
import { Condition, Process, Value } from 'multiproc';
import { hasPython, interleave, python } from './support.mjs';
import { herd } from './targets/herd.mjs';

/** Tasks in so many other processes; 0: in this one. */
async function notifyAll(processes, tasks) {
  const [condition, back] = [new Condition(), new Value('i', 0)];
  const all = tasks * Math.max(1, processes);
  const others = Array.from({ length: processes }, () => new Process(herd, condition, tasks, back).start());
  const here = processes === 0 ? herd(condition, tasks, back) : null;
  while (condition.waiters < all) await new Promise((done) => setTimeout(done, 2));
  await new Promise((done) => setTimeout(done, 20));
  const guard = await condition.acquire();
  const start = performance.now();
  condition.notifyAll();
  guard.release();
  await here;
  while (back.value < all) await new Promise(setImmediate);
  const took = performance.now() - start;
  await Promise.all(others.map((p) => p.join()));
  condition.close();
  back.close();
  return took;
}

const source = (processes, threads) => `
import multiprocessing as m, threading, time
m.set_start_method('fork')
c, waiting, back = m.Condition(), m.RawValue('i', 0), m.Value('i', 0)
def one():
    with c:
        waiting.value += 1
        c.wait()
    with back.get_lock(): back.value += 1
def many():
    ts = [threading.Thread(target=one) for _ in range(${threads})]
    [t.start() for t in ts]
    [t.join() for t in ts]
ps = [m.Process(target=many) for _ in range(${processes})] or [threading.Thread(target=many)]
[p.start() for p in ps]
all = ${threads} * len(ps)
while waiting.value < all: time.sleep(0.002)
time.sleep(0.02)
c.acquire()
t = time.perf_counter()
c.notify_all()
c.release()
while back.value < all: time.sleep(0)
print((time.perf_counter() - t) * 1000)
[p.join() for p in ps]
`;

export async function bench({ smoke }) {
  const rows = [];
  for (const [processes, tasks, rounds] of smoke
    ? [[2, 5, 1]]
    : [
        [0, 100, 15],
        [20, 5, 5],
      ]) {
    const m = await interleave(rounds, {
      ours: () => notifyAll(processes, tasks),
      python: () => (hasPython ? python(source(processes, tasks)) : NaN),
    });
    rows.push({
      what: processes === 0 ? `${tasks} tasks of one process` : `${processes} processes × ${tasks} tasks`,
      unit: 'ms',
      ours: m.ours,
      peers: { 'CPython, threads for tasks': m.python },
    });
  }
  return { title: 'notifyAll() until all have gone on', rows };
}

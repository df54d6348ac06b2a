// Two processes want the same thing all the time and hold it a while: does each get its share, and how long are the waits?
import { Lock, Process, RawValue, RWLock, Semaphore } from 'multiproc';
import { median, quantile } from './support.mjs';
import { holdAndWait } from './targets/contenders.mjs';

async function compete(object, holdMicros, ms) {
  const [ready, stop] = [new RawValue('i', 0), new RawValue('i', 0)];
  const both = [0, 1].map(() => new Process(holdAndWait, object, ready, stop, holdMicros).start());
  while (ready.value < 2) await new Promise(setImmediate);
  await new Promise((done) => setTimeout(done, ms));
  stop.value = 1;
  const results = await Promise.all(both.map((p) => p.result()));
  await Promise.all(both.map((p) => p.join()));
  for (const o of [object, ready, stop]) o.close();
  const counts = results.map((list) => list.length);
  return {
    share: (100 * Math.min(...counts)) / (counts[0] + counts[1]),
    late: quantile(results.flat(), 0.999),
  };
}

export async function bench({ smoke }) {
  const [rounds, ms] = smoke ? [1, 30] : [5, 700];
  const rows = [];
  for (const [what, make] of [
    ['Lock', () => new Lock()],
    ['Semaphore', () => new Semaphore()],
    ['RWLock, writing', () => new RWLock()],
  ]) {
    for (const hold of smoke ? [20] : [20, 200]) {
      const got = [];
      for (let round = 0; round < rounds; round++) got.push(await compete(make(), hold, ms));
      const of = (field) => median(got.map((one) => one[field]));
      rows.push(
        { what: `${what}, held ${hold} µs: the lesser share`, unit: '%', ours: of('share'), goal: '≥ 40 %' },
        { what: `${what}, held ${hold} µs: wait, p99.9`, unit: 'ms', ours: of('late'), goal: '≤ 2 ms' },
      );
    }
  }
  return { title: 'fairness of two processes', rows };
}

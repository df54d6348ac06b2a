// A process is SIGKILLed while it holds a lock and computes: when does the one who waits have the lock?
import { Lock, Process, RawValue } from 'multiproc';
import { quantile } from './support.mjs';
import { holdBusy, takeNext } from './targets/contenders.mjs';

async function once() {
  const [lock, holding, waiting] = [new Lock(), new RawValue('i', 0), new RawValue('i', 0)];
  const owner = new Process(holdBusy, lock, holding).start();
  while (holding.value === 0) await new Promise(setImmediate);
  const next = new Process(takeNext, lock, waiting).start();
  while (waiting.value === 0) await new Promise(setImmediate);
  await new Promise((done) => setTimeout(done, 5)); // past its spin, asleep
  const killedAt = process.hrtime.bigint();
  owner.kill();
  const at = await next.result();
  await Promise.all([owner.join(), next.join()]);
  for (const object of [lock, holding, waiting]) object.close();
  return Number(at - killedAt) / 1000;
}

export async function bench({ smoke }) {
  const times = [];
  for (let i = 0; i < (smoke ? 2 : 100); i++) times.push(await once());
  return {
    title: 'death of a busy owner',
    rows: [
      {
        what: 'SIGKILL → the next one owns the lock, p50',
        unit: 'µs',
        ours: quantile(times, 0.5),
        goal: '≤ 400 µs; CPython: never',
      },
      { what: 'the same, p90', unit: 'µs', ours: quantile(times, 0.9) },
      { what: 'the same, longest', unit: 'µs', ours: quantile(times, 1) },
    ],
  };
}

// Kills at random, with a journal that shows every double owner.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { head } from '../support/sync.js';

test('hundreds of owners and waiters are killed: no double owner, no wrong total, nobody waits for ever', async () => {
  // Each kill takes three environments: the process's main thread and two worker threads. MULTIPROC_KILLS=500 for more.
  const kills = Number(process.env.MULTIPROC_KILLS ?? 34);
  const got = await runJson(
    `${head}
    const lock = new mp.Lock(), total = new mp.RawValue('d', 0);
    const deaths = new mp.Value('i', 0), wrong = new mp.Value('i', 0), stop = new mp.Value('i', 0);
    const seats = Array.from({ length: 6 }, () => new mp.RawValue('d', 0));
    const start = (first) => startPeer('process', peers.workInThreads, lock, total, seats, first, deaths, wrong, stop);
    const pair = [start(0), start(3)];
    let died = 0;
    for (let i = 0; i < ${kills}; i++) {
      const first = (i % 2) * 3;
      const from = seats.slice(first, first + 3).map((s) => s.value);
      await until(() => seats.slice(first, first + 3).every((s, n) => s.value > from[n]));   // all three have worked
      await new Promise((r) => setTimeout(r, Math.random() * 5));
      await pair[i % 2].end();
      died++;
      pair[i % 2] = start(first);
      // The one that was not killed goes on meanwhile.
      const before = total.value;
      await until(() => total.value > before);
    }
    stop.value = 1;
    const ends = await Promise.all(pair.map((p) => p.done));
    const guard = await lock.acquire();
    const sum = seats.reduce((all, s) => all + s.value, 0);
    if (guard.abandoned) total.value = sum;
    guard.release();
    await until(() => native.census().participants === 1);
    out({ died, ends, wrong: wrong.value, equal: total.value === sum, deaths: deaths.value, sections: sum, objects: native.census().objects });`,
    { timeout: 30_000 + 2_000 * kills },
  );
  expect(got).toMatchObject({
    died: kills,
    ends: ['stopped', 'stopped'],
    wrong: 0,
    equal: true,
    objects: 11,
  });
  expect(got.deaths).toBeGreaterThan(0); // some died holding it: the fear was met
}, 2_000_000);

test('worker threads that work are terminated by the dozen: the same', async () => {
  const got = await runJson(
    `${head}
    const lock = new mp.Lock(), total = new mp.RawValue('d', 0);
    const deaths = new mp.Value('i', 0), wrong = new mp.Value('i', 0), stop = new mp.Value('i', 0);
    const seats = Array.from({ length: 4 }, () => new mp.RawValue('d', 0));
    const start = (seat) => startPeer('thread', peers.work, lock, total, seats, seat, deaths, wrong, stop, seat % 2 ? 'sync' : 'async');
    const all = seats.map((_, seat) => start(seat));
    for (let i = 0; i < 40; i++) {
      const seat = i % 4, from = seats[seat].value;
      await until(() => seats[seat].value > from);
      await all[seat].end();
      all[seat] = start(seat);
    }
    stop.value = 1;
    await Promise.all(all.map((p) => p.done));
    const guard = lock.acquireSync(), sum = seats.reduce((a, s) => a + s.value, 0);
    if (guard.abandoned) total.value = sum;
    await until(() => native.census().participants === 1);
    out([wrong.value, total.value === sum]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([0, true]);
});

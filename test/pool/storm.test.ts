/** The storm, in short; `npm run storm:pool` is the long one. */
import { expect, test } from 'vitest';
import { describe, runJson, runScript } from '../support/child.js';
import { head } from '../support/pools.js';

test('workers are killed under load: every promise settles, the right ones reject, nothing is left', async () => {
  const script = new URL('../storm/pool.mjs', import.meta.url);
  const end = await runScript(script, { args: ['seconds=6', 'seed=7'], timeout: 90_000 });
  expect(end.code, describe(end)).toBe(0);
  expect(end.stdout).toMatch(/ 0 wrong$/m);
}, 100_000);

test('a million tasks leave no memory behind', async () => {
  const got = await runJson(
    `${head('new mp.Pool(options)')}
    import { native } from '${new URL('../../lib/native/load.js', import.meta.url).href}';
    const pool = make(2);
    const burst = async (n) => {
      for (let done = 0; done < n; done += 20_000)
        await Promise.all(Array.from({ length: 20_000 }, (_, i) => pool.apply(i % 100 ? fns.echo : fns.all, [i % 2 ? i : { i, list: [1, 2, 3] }])));
    };
    const memory = () => { for (let i = 0; i < 4; i++) gc(); const { heapUsed, external, arrayBuffers } = process.memoryUsage(); return (heapUsed + external + arrayBuffers) / 2 ** 20 };
    await burst(200_000);
    const before = memory(), slots = native.census().objects, workers = await pool.broadcast(fns.rss);
    await burst(800_000);
    const after = memory(), grown = (await pool.broadcast(fns.rss)).map((rss, i) => (rss - workers[i]) / 2 ** 20);
    out([after - before, native.census().objects - slots, grown, pool.stats().completed]);
    await pool.terminate();`,
    { execArgv: ['--expose-gc'], timeout: 110_000 },
  );
  expect(got[0]).toBeLessThan(4);
  expect(got[1]).toBe(0);
  for (const mib of got[2] as number[]) expect(mib).toBeLessThan(60);
  expect(got[3]).toBe(1_000_004);
}, 120_000);

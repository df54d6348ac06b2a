// Starts pools: node pool-start.mjs '{ setting, count, startMethod }' prints, for `count` pools one after the other, the
// milliseconds until it was ready (ours only), and until each of its workers had run a task.
import { argv } from 'node:process';
import { loadPackage, open } from './pools.mjs';

const { setting, count, startMethod } = JSON.parse(argv[2]);
await loadPackage(setting);
if (startMethod !== undefined) (await import('multiproc')).setStartMethod(startMethod);

/** Hands in tasks until each worker has had one: when that was so. */
async function everyone({ run }) {
  const seen = new Set();
  let since;
  const lane = async () => {
    while (seen.size < setting.workers) seen.add(await run('hold', 2));
    since ??= performance.now();
  };
  await Promise.all(Array.from({ length: setting.workers }, lane));
  return since;
}

const times = [];
for (let i = 0; i < count; i++) {
  const start = performance.now();
  const pool = await open(setting);
  const ready = performance.now() - start;
  times.push([ready, (await everyone(pool)) - start]);
  await pool.end();
}
console.log(JSON.stringify(times));
process.exit();

// Puts loads on a pool: node pool-load.mjs '{ setting, loads: [[kind, ...arguments], …] }' prints a number for each load.
import { deepStrictEqual } from 'node:assert';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import * as tasks from './pool-tasks.mjs';
import { open } from './pools.mjs';

const { setting, loads } = JSON.parse(argv[2]);
const pool = await open(setting);
const { run } = pool;
const hundred = Array.from({ length: 100 }, (_, i) => i);
const argumentOf = { nothing: undefined, echo: hundred };

/** Each of these gives thousands of tasks a second; `serial` microseconds, `hash` milliseconds. */
const kinds = {
  /** So many tasks are out at any time, for so many milliseconds. */
  window(task, ms, width = 256) {
    const x = argumentOf[task];
    return new Promise((resolve, reject) => {
      const start = performance.now();
      let done = 0;
      let out = 0;
      let isOver = false;
      const ended = () => {
        done++;
        out--;
        if ((done & 63) === 0 && performance.now() - start > ms) isOver = true;
        if (!isOver) hand();
        else if (out === 0) resolve(done / (performance.now() - start));
      };
      const hand = () => {
        out++;
        run(task, x).then(ended, reject);
      };
      for (let i = 0; i < width; i++) hand();
    });
  },

  /** So many tasks handed in at once, until all are done. */
  async burst(task, count) {
    const x = argumentOf[task];
    const start = performance.now();
    const all = new Array(count);
    for (let i = 0; i < count; i++) all[i] = run(task, x);
    const results = await Promise.all(all);
    const rate = count / (performance.now() - start);
    deepStrictEqual(results[count - 1] ?? undefined, x); // JSON makes it null
    return rate;
  },

  /** One task after the other, for so many milliseconds. */
  async serial(task, ms) {
    const start = performance.now();
    let done = 0;
    for (; (done & 15) !== 0 || performance.now() - start < ms; done++) await run(task);
    return ((performance.now() - start) * 1000) / done;
  },

  /** The hashes of all files of a folder: milliseconds. */
  async hash(folder) {
    const files = readdirSync(folder).map((name) => join(folder, name));
    const start = performance.now();
    const hashes = await Promise.all(files.map((file) => run('hash', file)));
    const ms = performance.now() - start;
    deepStrictEqual(hashes[0], tasks.hash(files[0]));
    return ms;
  },

  /** A map over so many ints: with the pool's own map(), or in tasks of so many items. */
  async map(count, chunksize) {
    const ints = Array.from({ length: count }, (_, i) => i);
    const start = performance.now();
    let results;
    if (pool.pool !== undefined) {
      results = await pool.pool.map(tasks.increment, ints);
    } else {
      const chunks = [];
      for (let i = 0; i < count; i += chunksize)
        chunks.push(run('incrementAll', ints.slice(i, i + chunksize)));
      results = (await Promise.all(chunks)).flat();
    }
    const rate = count / (performance.now() - start);
    deepStrictEqual([results.length, results[count - 1]], [count, count]);
    return rate;
  },
};

await kinds.burst('nothing', 200);
await kinds.burst('echo', 200);
const numbers = [];
for (const [kind, ...args] of loads) {
  await kinds[kind](...args); // until everything is compiled, on both sides; for every pool
  numbers.push(await kinds[kind](...args));
}
console.log(JSON.stringify(numbers));
await pool.end();
process.exit();

// Tasks that compute long: between two of them a worker does what else it has to.
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { runJson, scriptFile } from '../support/child.js';

const functions = pathToFileURL(
  scriptFile(`
  import { workerState } from 'multiproc';
  const state = workerState();
  export const begin = (array) => { state.array = array; state.turns = 0; setInterval(() => state.turns++, 1) };
  export const fillShared = (i) => { state.array.fill(i); return process.pid };
  export const fillOwn = (i) => { state[i] = Buffer.alloc(64 << 20, i + 1); return process.pid };
  export const turnsAfter = (ms) => { for (const until = performance.now() + ms; performance.now() < until;); return state.turns };`),
).href;
const head = `
  import * as mp from 'multiproc';
  import * as fns from '${functions}';
  const chunksize = 1;
  const withPool = async (options, body) => {
    const array = new mp.RawArray('B', 256 << 20);
    const pool = new mp.Pool({ processes: 1, initializer: fns.begin, initargs: [array], ...options });
    try { return await body(pool) } finally { await pool.terminate() }
  };
  const out = (value) => console.log(JSON.stringify(value));`;

test('the event loop has a turn between two of them', async () => {
  const turns = await runJson<number[]>(`${head}
    out(await withPool({}, (pool) => pool.map(fns.turnsAfter, new Array(10).fill(20), { chunksize })));`);
  expect(new Set(turns).size).toBeGreaterThan(7);
});

test('a worker that has allocated too much is replaced before it runs them all', async () => {
  const pids = await runJson<number[]>(`${head}
    out(await withPool({ maxMemoryPerChild: 128 << 20 }, (pool) => pool.map(fns.fillOwn, [0, 1, 2, 3, 4, 5], { chunksize })));`);
  expect(pids).toHaveLength(6);
  expect(new Set(pids).size).toBeGreaterThan(1);
});

test('shared memory that it has touched is not its own', async () => {
  const pids = await runJson<number[]>(`${head}
    out(await withPool({ maxMemoryPerChild: 128 << 20 }, (pool) => pool.map(fns.fillShared, [0, 1, 2, 3, 4, 5], { chunksize })));`);
  expect(new Set(pids).size).toBe(1);
});

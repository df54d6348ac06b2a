// Workers of a pool are killed at random under load: every promise settles, only tasks that had begun fail, each runs at most
// once, the pool ends with its full strength, and nothing is left.
//
//   node test/storm/pool.mjs [seconds=60] [workers=4] [seed=1] [threads]
import { readdirSync } from 'node:fs';
import * as mp from 'multiproc';
import * as fns from '../fixtures/pool.mjs';

const options = Object.fromEntries(
  process.argv.slice(2).map((word) => [word.split('=')[0], Number(word.split('=')[1] ?? 1)]),
);
const { seconds = 60, workers = 4, seed = 1 } = options;
let state = seed;
const below = (n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;

const slots = 4096;
const runs = new mp.RawArray('i', slots);
const pool = new mp.Pool({ processes: workers, maxTasksPerChild: below(2) ? 500 : Infinity, grace: 50 });
const descriptors = () => readdirSync('/proc/self/fd').length;
await pool.ready();
const before = descriptors();

let kills = 0;
let handed = 0;
let died = 0;
let late = 0;
const found = [];
const end = performance.now() + seconds * 1000;
const flying = new Set();

function hand() {
  const id = handed++ % slots;
  runs[id] = 0;
  const kind = below(100);
  const task =
    kind < 70
      ? [fns.mark, [runs, id, below(3) === 0 ? 'x'.repeat(below(20_000)) : id]]
      : kind < 90
        ? [fns.markLater, [runs, id, below(4)]]
        : kind < 97
          ? [fns.markLarge, [runs, id, new Float64Array(20_000).fill(id)]]
          : [fns.markStuck, [runs, id], { timeout: 1 + below(20) }];
  const since = performance.now();
  const promise = pool
    .apply(...task)
    .then(
      (result) => {
        if (result !== id) found.push(`task ${id} returned ${result}`);
        if (runs[id] !== 1) found.push(`task ${id} ran ${runs[id]} times`);
      },
      (error) => {
        if (error.code === 'ERR_MP_WORKER_DIED') died++;
        else if (error.code === 'ERR_MP_TIMEOUT' && kind >= 97) late++;
        else found.push(`task ${id}: ${error.stack}`);
        if (runs[id] > 1) found.push(`task ${id}, which failed, ran ${runs[id]} times`);
      },
    )
    .finally(() => {
      flying.delete(promise);
      if (performance.now() - since > 30_000) found.push(`task ${id} took ${performance.now() - since} ms`);
    });
  flying.add(promise);
}

const killer = setInterval(() => {
  const { pids } = pool;
  const pid = pids[below(pids.length)];
  if (pid === undefined) return;
  try {
    process.kill(pid, below(8) === 0 ? 'SIGTERM' : 'SIGKILL');
    kills++;
  } catch {
    // It has ended by itself.
  }
}, 25);

while (performance.now() < end && found.length === 0) {
  while (flying.size < 1000) hand();
  await Promise.race(flying);
}
clearInterval(killer);
const watchdog = setTimeout(() => {
  console.error(`pool storm: ${flying.size} tasks never ended`, pool.stats());
  process.exit(1);
}, 30_000);
await Promise.all(flying);
await pool.ready();
const { workers: strength, started } = pool.stats();
if (strength !== workers) found.push(`${strength} workers instead of ${workers}`);
const mapped = await pool.map(fns.square, [1, 2, 3]);
if (String(mapped) !== '1,4,9') found.push(`a map gave ${mapped}`);
const after = descriptors();
if (after > before + 8) found.push(`${before} descriptors before, ${after} after`);
const { pids } = pool;
await pool.terminate();
clearTimeout(watchdog);
for (const pid of pids) {
  try {
    process.kill(pid, 0);
    found.push(`worker ${pid} lives after terminate()`);
  } catch {
    // As it should be.
  }
}
// A timeout kills a worker as well; of the others a kill fails one task at most.
if (died > kills + late) found.push(`${died} tasks died of ${kills} kills and ${late} timeouts`);
console.log(
  `pool storm: ${handed} tasks, ${kills} kills, ${started} workers; ${died} died with theirs, ${late} timed out; ${found.length} wrong`,
);
for (const line of found.slice(0, 10)) console.error(`  ${line}`);
process.exitCode = found.length === 0 ? 0 : 1;

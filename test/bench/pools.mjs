// What the benches of pools have in common: who the peers are, and how each of them is at its best.
import { fileURLToPath } from 'node:url';
import { asker, freshNode, freshPython, hasPython, pythonPath } from './support.mjs';

const pythons = ['multiprocessing.Pool', 'ProcessPoolExecutor'];

/**
 * How else a pool may be set up than as it comes, for many short tasks at once. `concurrentTasksPerWorker` sends that many
 * tasks ahead; what is not here was never faster (JSON is faster than `advanced`, ROUND_ROBIN than LEAST_USED).
 */
const options = {
  piscina: [{ concurrentTasksPerWorker: 64 }, { concurrentTasksPerWorker: 64, atomics: 'async' }],
  tinypool: [{ concurrentTasksPerWorker: 64 }],
  'jest-worker': [{ forkOptions: { serialization: 'json' } }],
  poolifier: [{ enableEvents: false, workerChoiceStrategy: 'ROUND_ROBIN' }],
};
/** One task at a time. */
const serialOptions = { ...options, piscina: [{}, { atomics: 'async' }], tinypool: [{}] };

export const processPools = [
  'tinypool',
  'workerpool',
  'jest-worker',
  'poolifier',
  ...(hasPython ? pythons : []),
];
export const otherPools = ['piscina', ...processPools];
export const label = (pool) =>
  pool === 'piscina' ? 'piscina (threads)' : pythons.includes(pool) ? `CPython's ${pool}` : pool;

/** Numbers, one for each load: see targets/pool-load.mjs. */
export const load = (setting, loads) =>
  pythons.includes(setting.pool)
    ? freshPython('pool_load', JSON.stringify({ setting, loads }))
    : freshNode('pool-load', JSON.stringify({ setting, loads }));

/** A program that takes a pool through its life, step by step: see targets/pool-steps.mjs. */
export function stepper(setting) {
  const program = (name) => fileURLToPath(new URL(`targets/${name}`, import.meta.url));
  const { ask, pid, end } = pythons.includes(setting.pool)
    ? asker(pythonPath, [program('pool_steps.py'), JSON.stringify(setting)])
    : asker(process.execPath, [program('pool-steps.mjs'), JSON.stringify(setting)]);
  return { pid, end, step: async (...step) => (await ask(JSON.stringify(step)))[0] };
}

/**
 * Of a pool's settings, with so many workers, the one that gives the most (`serial`: takes the least) in a short trial; without
 * a trial the first.
 */
export function best(pool, workers, trial) {
  const isSerial = trial?.[0] === 'serial';
  const settings = ((isSerial ? serialOptions : options)[pool] ?? [{}]).flatMap((o) =>
    workers.map((n) => ({ pool, workers: n, options: o })),
  );
  if (settings.length === 1 || trial === undefined) return settings[0];
  const scores = settings.map((setting) => load(setting, [trial])[0] * (isSerial ? -1 : 1));
  return settings[scores.indexOf(Math.max(...scores))];
}

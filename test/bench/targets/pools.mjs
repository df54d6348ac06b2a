// Pools of different packages behind one face: `open(workers, options)` gives `run(name, argument)` and `end()`.
import { fileURLToPath } from 'node:url';
import * as tasks from './pool-tasks.mjs';

const file = (name) => new URL(name, import.meta.url);
const path = (name) => fileURLToPath(file(name));
/** Made once, as a caller who is in a hurry would. */
const byName = Object.fromEntries(Object.keys(tasks).map((name) => [name, { name }]));

async function ours(Pool, processes, { ready = true, ...options } = {}) {
  const pool = new Pool({ processes, ...options });
  if (ready) await pool.ready();
  return {
    pool,
    run: (name, x) => pool.apply(tasks[name], [x]),
    end: () => pool.terminate(),
  };
}

const openers = {
  /** In this process, one after the other. */
  none: async () => ({ run: async (name, x) => tasks[name](x), end() {} }),
  Pool: async (workers, options) => ours((await import('multiproc')).Pool, workers, options),
  ThreadPool: async (workers, options) => ours((await import('multiproc')).ThreadPool, workers, options),

  async piscina(workers, options) {
    const { FixedQueue, Piscina } = await import('piscina');
    const pool = new Piscina({
      filename: file('pool-tasks.mjs').href,
      minThreads: workers,
      maxThreads: workers,
      taskQueue: new FixedQueue(),
      ...options,
    });
    return { run: (name, x) => pool.run(x, byName[name]), end: () => pool.destroy() };
  },

  async tinypool(workers, options) {
    const { Tinypool } = await import('tinypool');
    const pool = new Tinypool({
      filename: file('pool-tasks.mjs').href,
      runtime: 'child_process',
      minThreads: workers,
      maxThreads: workers,
      ...options,
    });
    return { run: (name, x) => pool.run(x, byName[name]), end: () => pool.destroy() };
  },

  async workerpool(workers, options) {
    const { default: workerpool } = await import('workerpool');
    const pool = workerpool.pool(path('pool-tasks-workerpool.mjs'), {
      workerType: 'process',
      minWorkers: workers,
      maxWorkers: workers,
      ...options,
    });
    return { run: (name, x) => pool.exec(name, [x]), end: () => pool.terminate() };
  },

  async 'jest-worker'(workers, options) {
    const { Worker } = await import('jest-worker');
    const pool = new Worker(path('pool-tasks.mjs'), {
      numWorkers: workers,
      exposedMethods: Object.keys(tasks),
      ...options,
    });
    return { run: (name, x) => pool[name](x), end: () => pool.end() };
  },

  async poolifier(workers, options) {
    const { FixedClusterPool } = await import('poolifier');
    const pool = new FixedClusterPool(workers, path('pool-tasks-poolifier.cjs'), options);
    return { run: (name, x) => pool.execute(x, name), end: () => pool.destroy() };
  },
};

/** What the openers load: before the clock runs. */
const packages = { Pool: 'multiproc', ThreadPool: 'multiproc' };
export const loadPackage = async ({ pool }) => {
  if (pool !== 'none') await import(packages[pool] ?? pool);
};

/** @param {{ pool: keyof openers, workers: number, options?: object }} setting */
export const open = ({ pool, workers, options }) => openers[pool](workers, options);

// A hundred threads or eight processes? The old question, for few tasks and for many: time, memory, and what is given back.
// `node scripts/plot-pools.mjs` draws it.
import { stepper } from './pools.mjs';
import { median, memoryOf, peakMemory, processTree } from './support.mjs';

/** A task sorts so many numbers: some tens of microseconds. */
const size = 500;
const settings = { processes: { pool: 'Pool', workers: 8 }, threads: { pool: 'ThreadPool', workers: 100 } };
const few = { processes: { pool: 'Pool', workers: 2 }, threads: { pool: 'ThreadPool', workers: 3 } };

/** Milliseconds: until the pool was ready, from then until all tasks were done, and both. */
async function time(setting, tasks) {
  const { step, end } = stepper(setting);
  await step('load');
  const open = await step('open');
  const run = await step('burst', 'sort', tasks, size);
  await step('end');
  end();
  return { open, run, all: open + run };
}

/** MiB above what the program had before it had a pool. */
async function memory(setting, tasks, restMs) {
  const { pid, step, end } = stepper(setting);
  await step('load');
  await step('rest', restMs);
  const before = memoryOf([pid]);
  await step('open');
  const pids = processTree(pid);
  const peak = await peakMemory(pids, step('burst', 'sort', tasks, size));
  await step('rest', restMs);
  const idle = memoryOf(pids);
  await step('end');
  await step('rest', restMs);
  const after = memoryOf(processTree(pid));
  end();
  return { peak: peak - before, idle: idle - before, after: after - before };
}

export async function bench({ smoke }) {
  const rounds = smoke ? 1 : 5;
  const rows = [];
  for (const tasks of smoke ? [10] : [10, 100, 1000, 10_000, 100_000]) {
    const values = { processes: [], threads: [] };
    for (let round = 0; round < rounds; round++)
      for (const [name, setting] of Object.entries(smoke ? few : settings))
        values[name].push({
          ...(await time(setting, tasks)),
          ...(await memory(setting, tasks, smoke ? 5 : 500)),
        });
    for (const [measure, unit, what] of [
      ['open', 'ms', 'until ready'],
      ['run', 'ms', 'from then until all are done'],
      ['all', 'ms', 'both'],
      ['peak', 'MiB', 'memory at most'],
      ['idle', 'MiB', 'half a second after the last'],
      ['after', 'MiB', 'half a second after the end of the pool'],
    ]) {
      const middle = (name) => median(values[name].map((value) => value[measure]));
      rows.push({
        what: `${tasks} tasks, ${what}`,
        unit,
        ours: middle('processes'),
        peers: { 'ThreadPool(100)': middle('threads') },
        tasks,
        measure,
      });
    }
  }
  return { title: 'Pool(8) and ThreadPool(100): above the program without', rows };
}

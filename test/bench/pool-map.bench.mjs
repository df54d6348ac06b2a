// How many items does a map do? n + 1 of each of a million ints.
import { cpuCount } from 'multiproc';
import { best, label, load } from './pools.mjs';
import { hasPython, interleave } from './support.mjs';

export async function bench({ smoke }) {
  const [rounds, count] = smoke ? [1, 1000] : [7, 1_000_000];
  const loads = [['map', count, 4096]];
  const workers = [...new Set([1, cpuCount()])];
  const contenders = [
    'Pool',
    'ThreadPool',
    ...(hasPython ? ['multiprocessing.Pool', 'ProcessPoolExecutor'] : []),
    'piscina',
    'tinypool',
  ].map((pool) => best(pool, workers, smoke ? undefined : loads[0]));
  const m = await interleave(
    rounds,
    // The second time: what is compiled by then is so in all of them.
    Object.fromEntries(
      contenders.map((setting) => [setting.pool, () => load(setting, [...loads, ...loads])[1] / 1000]),
    ),
  );
  const [ours, ...peers] = contenders;
  const name = ({ pool, workers }) =>
    `${label(pool)}${['piscina', 'tinypool'].includes(pool) ? ', in tasks of 4096' : ''}: ${workers}`;
  return {
    title: `a map over ${count} ints; with so many workers as was best`,
    rows: [
      {
        what: `Pool.map(): ${ours.workers}`,
        unit: 'M/s',
        goal: "≥ 5 and ≥ 0.7x CPython's",
        ours: m.Pool,
        peers: Object.fromEntries(peers.map((setting) => [name(setting), m[setting.pool]])),
      },
    ],
  };
}

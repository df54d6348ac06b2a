// How many small tasks does a pool do, one call each, and how long does one take? Every pool at its best setting.
import { cpuCount } from 'multiproc';
import { best, label, load, otherPools } from './pools.mjs';
import { median } from './support.mjs';

export async function bench({ smoke }) {
  const [rounds, ms, count] = smoke ? [1, 1, 100] : [3, 500, 100_000];
  const workers = [...new Set([1, cpuCount()])];
  const trial = (kind) => (smoke ? undefined : [kind, 'nothing', 200]);
  const many = [
    ['window', 'nothing', ms],
    ['window', 'echo', ms],
    ['burst', 'nothing', count],
    ['burst', 'echo', count],
  ];
  const one = [['serial', 'nothing', ms]];
  const rows = [
    { what: 'nothing, 256 at a time', unit: 'k/s', goal: '≥ 600 and ≥ 10x' },
    { what: '100 numbers there and back, 256 at a time', unit: 'k/s', goal: '≥ 10x' },
    { what: `nothing, ${count} at once`, unit: 'k/s', goal: '≥ 10x' },
    { what: `100 numbers there and back, ${count} at once`, unit: 'k/s', goal: '≥ 10x' },
    { what: 'nothing, each awaited before the next', unit: 'µs', goal: '≤ 5' },
  ];

  const contenders = ['Pool', 'ThreadPool', ...otherPools].map((pool) => ({
    pool,
    atMany: best(pool, workers, trial('window')),
    atOne: best(pool, workers, trial('serial')),
    values: rows.map(() => []),
  }));
  for (let round = 0; round < rounds; round++)
    for (const { atMany, atOne, values } of contenders) {
      const numbers = smoke ? load(atMany, [...many, ...one]) : [...load(atMany, many), ...load(atOne, one)];
      numbers.forEach((n, i) => values[i].push(n));
    }

  const settingOf = ({ atMany, atOne }, { unit }) => (unit === 'µs' ? atOne : atMany);
  const name = (setting) => {
    const ahead = setting.options.concurrentTasksPerWorker;
    return `${label(setting.pool)}: ${setting.workers}${ahead === undefined ? '' : ` × ${ahead}`}`;
  };
  const [ours, ...peers] = contenders;
  return {
    title: 'small tasks; with so many workers (× tasks ahead) as was best',
    rows: rows.map((row, i) => ({
      ...row,
      what: `${row.what}: ${settingOf(ours, row).workers}`,
      ours: median(ours.values[i]),
      peers: Object.fromEntries(peers.map((peer) => [name(settingOf(peer, row)), median(peer.values[i])])),
    })),
  };
}

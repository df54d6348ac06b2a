// npm run bench [-- --smoke] [NAME …]: every bench file of this folder, one question each, against its peers in the same
// run. Prints a table and writes JSON to build/bench/. With --smoke: one tiny round each, to see that they run.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import Table from 'cli-table3';
import { formatNumber } from './support.mjs';

const smoke = process.argv.includes('--smoke');
const wanted = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const here = new URL('.', import.meta.url);
const benches = readdirSync(here)
  .filter((f) => f.endsWith('.bench.mjs'))
  .map((f) => f.slice(0, -'.bench.mjs'.length))
  .filter((name) => wanted.length === 0 || wanted.includes(name));

const commit = () => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
};
const machine = {
  cpu: os.cpus()[0]?.model,
  cores: os.availableParallelism(),
  kernel: os.release(),
  node: process.version,
};
console.log(
  `${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}; processes are not pinned`,
);

const results = [];
for (const name of benches) {
  const { bench } = await import(new URL(`${name}.bench.mjs`, here).href);
  const { title, rows } = await bench({ smoke });
  const table = new Table({ head: [title, 'ours', 'peer', '', 'ratio'], style: { head: [], border: [] } });
  for (const { what, unit, ours, peers = {}, goal } of rows) {
    const all = Object.entries(peers);
    table.push([what + (goal ? ` (goal ${goal})` : ''), `${formatNumber(ours)} ${unit}`, '', '', '']);
    for (const [peer, value] of all) {
      const faster = unit.endsWith('/s') || unit === '%' ? ours / value : value / ours;
      table.push(['', '', peer, `${formatNumber(value)} ${unit}`, `${faster.toFixed(2)}x better`]);
    }
  }
  console.log(table.toString());
  results.push({ name, title, rows });
}
mkdirSync(new URL('../../build/bench/', here), { recursive: true });
const file = new URL('../../build/bench/results.json', here);
writeFileSync(
  file,
  JSON.stringify({ date: new Date().toISOString(), commit: commit(), smoke, machine, results }, null, 2),
);

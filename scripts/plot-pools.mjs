/**
 * Draws docs/pool-threads-processes.svg from what `npm run bench -- pool-threads-processes` has measured, which that leaves
 * in build/bench/results.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const here = (path) => new URL(`../${path}`, import.meta.url);
const { date, machine, results } = JSON.parse(readFileSync(here('build/bench/results.json'), 'utf8'));
const bench = results.find(({ name }) => name === 'pool-threads-processes');
if (bench === undefined) throw new Error('Run npm run bench -- pool-threads-processes first');

const [processes, threads] = ['#0072b2', '#d55e00']; // told apart by colour-blind eyes, too
const panel = { width: 300, height: 230, gap: 74, left: 62, top: 74 };
const panels = [
  {
    title: 'time until all are done',
    unit: 'ms',
    isLog: true,
    solid: ['all', 'and its start'],
    dashed: ['run', 'of a pool that is there'],
  },
  {
    title: 'memory at most',
    unit: 'MiB',
    solid: ['peak', ''],
  },
  {
    title: 'memory afterwards',
    unit: 'MiB',
    solid: ['idle', 'half a second after the last task'],
    dashed: ['after', 'half a second after terminate()'],
  },
];

/** [tasks, value] of a measure. */
const series = (measure, of) =>
  bench.rows
    .filter((row) => row.measure === measure)
    .map((row) => [row.tasks, of === processes ? row.ours : Object.values(row.peers)[0]]);

const text = (x, y, content, attributes = '') => `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
const line = (x1, y1, x2, y2, attributes) =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${attributes}/>`;
const short = (n) => (n >= 1e6 ? `${n / 1e6}M` : n >= 1000 ? `${n / 1000}k` : String(n));
const round = (n) => Math.round(n * 10) / 10;

/** Round numbers up to at least `max`. */
function linearTicks(max) {
  const rough = max / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((s) => s * power >= rough) * power;
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, i) => i * step);
}
function logTicks(min, max) {
  const [from, to] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
}

function draw({ title, unit, isLog, solid, dashed }, index) {
  const left = panel.left + index * (panel.width + panel.gap);
  const bottom = panel.top + panel.height;
  const kinds = [
    [solid, ''],
    [dashed, 'stroke-dasharray="5 4"'],
  ].filter(([kind]) => kind !== undefined);
  const lines = kinds.flatMap(([[measure], dash]) =>
    [processes, threads].map((colour) => ({ colour, dash, points: series(measure, colour) })),
  );
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const counts = lines[0].points.map(([x]) => x);
  const ticks = isLog ? logTicks(Math.min(...values), Math.max(...values)) : linearTicks(Math.max(...values));
  const scale = isLog ? Math.log10 : (y) => y;
  const [low, high] = [scale(ticks[0]), scale(ticks.at(-1))];
  const [first, last] = [Math.log10(counts[0]), Math.log10(counts.at(-1))];
  const atX = (x) => round(left + ((Math.log10(x) - first) / (last - first)) * panel.width);
  const atY = (y) => round(bottom - ((scale(Math.max(y, ticks[0])) - low) / (high - low)) * panel.height);

  const out = [text(left, panel.top - 18, `${title} (${unit})`, 'class="title"')];
  for (const y of ticks)
    out.push(
      line(left, atY(y), left + panel.width, atY(y), 'class="grid"'),
      text(left - 8, atY(y) + 4, short(y), 'text-anchor="end"'),
    );
  for (const x of counts) out.push(text(atX(x), bottom + 20, short(x), 'text-anchor="middle"'));
  out.push(text(left + panel.width / 2, bottom + 40, 'tasks', 'text-anchor="middle"'));
  for (const { colour, dash, points } of lines) {
    const path = points.map(([x, y]) => `${atX(x)},${atY(y)}`).join(' ');
    out.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2" ${dash}/>`);
    for (const [x, y] of points) out.push(`<circle cx="${atX(x)}" cy="${atY(y)}" r="3" fill="${colour}"/>`);
  }
  kinds.forEach(([[, what], dash], i) => {
    if (what === '') return;
    const y = bottom + 62 + i * 18;
    out.push(
      line(left, y - 4, left + 28, y - 4, `stroke="#444" stroke-width="2" ${dash}`),
      text(left + 36, y, what),
    );
  });
  return out.join('\n');
}

const width = panel.left + panels.length * (panel.width + panel.gap) - panel.gap + 30;
const height = panel.top + panel.height + 148;
const key = (x, colour, what) =>
  `<rect x="${x}" y="18" width="14" height="14" fill="${colour}"/>${text(x + 20, 30, what, 'class="title"')}`;
const caption = [
  'Each task sorts 500 numbers. Memory (PSS) of the program, its workers and their server, above the program without a pool.',
  `npm run bench -- pool-threads-processes &amp;&amp; node scripts/plot-pools.mjs: medians; ${machine.cores} shared cores ` +
    `(${machine.cpu}), Linux ${machine.kernel.split('-')[0]}, Node ${machine.node}, ${date.slice(0, 10)}`,
];
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13" fill="#222">
<style>.title { font-weight: bold } .grid { stroke: #ddd }</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${key(panel.left, processes, 'Pool(8): eight processes')}
${key(panel.left + 240, threads, 'ThreadPool(100): a hundred threads')}
${panels.map(draw).join('\n')}
${caption.map((words, i) => text(panel.left, height - 30 + i * 18, words, 'font-size="12" fill="#555"')).join('\n')}
</svg>
`;
writeFileSync(here('docs/pool-threads-processes.svg'), svg.replaceAll(/ +(?=\/?>)/g, ''));

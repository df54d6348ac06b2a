// What Array costs: loops over it, copies into it, its making and closing, and attaching to one that is there.
import { MpArray, RawArray, run, share } from 'multiproc';
import { Worker } from 'node:worker_threads';
import { attach } from './targets/attach.mjs';
import { hasPython, interleave, python } from './support.mjs';

let made = 0;
/** A loop compiled for itself alone, so that it sees one kind of array only; the same text would share what V8 learns. */
const loop = (body) => new Function('cells', `/* ${made++} */ ${body}`);
const bodies = {
  sum: 'let sum = 0; for (let i = 0; i < cells.length; i++) sum += cells[i]; return sum;',
  fill: 'for (let i = 0; i < cells.length; i++) cells[i] = i & 127;',
};

/** Nanoseconds per element of the best of several runs: the machine's other work only adds. */
function perElement(body, cells) {
  let best = Infinity;
  for (let turn = 0; turn < 10; turn++) {
    const start = performance.now();
    body(cells);
    best = Math.min(best, performance.now() - start);
  }
  return (best * 1e6) / cells.length;
}

/** Gigabytes per second. */
function copying(target, source, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) target.set(source);
  return (target.byteLength * repeats) / (performance.now() - start) / 1e6;
}

function perCall(count, call) {
  const start = performance.now();
  for (let i = 0; i < count; i++) call(i);
  return ((performance.now() - start) * 1e3) / count;
}

/** Arrays that are closed when all is measured: see shared-array.bench.mjs. */
const open = [];
const keep = (array) => (open.push(array), array);

async function loops(rounds, length) {
  const rows = [];
  for (const [code, cells] of Object.entries({ d: Float64Array, i: Int32Array, B: Uint8Array })) {
    const shared = keep(new MpArray(code, length));
    const own = new cells(length);
    for (const [what, body] of Object.entries(bodies)) {
      const [onShared, onPrivate] = [loop(body), loop(body)];
      const got = await interleave(rounds, {
        ours: () => perElement(onShared, shared),
        peer: () => perElement(onPrivate, own),
      });
      const peers = { 'private typed array': got.peer };
      rows.push({ what: `${what}, '${code}'`, unit: 'ns', ours: got.ours, peers, goal: 'within 3%' });
    }
  }
  return rows;
}

async function copies(rounds, smoke) {
  const rows = [];
  for (const kib of [64, 1024, 65536]) {
    const bytes = kib * 1024;
    const repeats = smoke ? 2 : Math.max(4, Math.floor((256 << 20) / bytes));
    const source = new Uint8Array(bytes).fill(1);
    // Where its pages are, and where in a page it begins, decides much about copies: the best of several.
    const several = { length: smoke ? 1 : 5 };
    const shared = Array.from(several, () => keep(new RawArray('B', bytes)));
    const targets = Array.from(several, () => new Uint8Array(bytes));
    for (const cells of [...shared, ...targets]) cells.set(source); // the first touch of a page costs more than its copy
    const got = await interleave(rounds, {
      ours: () => Math.max(...shared.map((target) => copying(target, source, repeats))),
      peer: () => Math.max(...targets.map((target) => copying(target, source, repeats))),
    });
    const peers = { 'private memory': got.peer };
    rows.push({ what: `copy of ${kib} KiB`, unit: 'GB/s', ours: got.ours, peers, goal: '>= 90%' });
  }
  return rows;
}

/** What attach() measures in a worker thread. */
function inThread(handles, rounds) {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(${JSON.stringify(new URL('targets/attach.mjs', import.meta.url).href)}).then(({ attach }) => {
      parentPort.postMessage(attach(workerData, ${rounds}));
    });`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(source, { eval: true, workerData: handles });
    worker.once('message', resolve).once('error', reject);
  });
}

async function attaching(rounds, count) {
  const arrays = Array.from({ length: count }, () => keep(new MpArray('d', 1000)));
  const handles = arrays.map((array) => share(array));
  const rows = [];
  for (const [where, measure] of Object.entries({
    'another thread': () => inThread(handles, rounds),
    'another process': () => run(attach, handles, rounds),
  })) {
    const got = await measure();
    rows.push({ what: `attach in ${where}`, unit: 'µs', ours: got.open, goal: '<= 5' });
    rows.push({ what: `close in ${where}`, unit: 'µs', ours: got.close });
  }
  return rows;
}

async function creating(rounds, count) {
  const rows = [];
  for (const [what, type, length] of [
    ["Array('d', 1000)", MpArray, 1000],
    ["RawArray('d', 1000)", RawArray, 1000],
    ["RawArray('d', 100,000)", RawArray, 100_000],
  ]) {
    const { ours } = await interleave(rounds, {
      ours: () => perCall(count, () => new type('d', length).close()),
    });
    const name = type === MpArray ? 'Array' : 'RawArray';
    const peers = {};
    if (hasPython) {
      peers[`CPython's ${name}`] = python(`
import time, multiprocessing
for _ in range(10): multiprocessing.${name}('d', ${length})
b = time.perf_counter()
for _ in range(${count}): multiprocessing.${name}('d', ${length})
print((time.perf_counter() - b) * 1e6 / ${count})`);
    }
    rows.push({ what: `${what}: create, close`, unit: 'µs', ours, peers });
  }
  return rows;
}

export async function bench({ smoke }) {
  const rounds = smoke ? 1 : 9;
  const rows = [
    ...(await loops(rounds, smoke ? 1000 : 1_000_000)),
    ...(await copies(smoke ? 1 : 5, smoke)),
    ...(await attaching(smoke ? 1 : 15, smoke ? 20 : 2000)),
    ...(await creating(smoke ? 1 : 5, smoke ? 20 : 5000)),
  ];
  for (const array of open) array.close();
  return { title: 'Array', rows };
}

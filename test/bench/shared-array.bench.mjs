// What named shared memory costs: loops over it, copies into it, and its making, opening and closing.
import { createRequire } from 'node:module';
import { SharedArray, SharedMemory } from 'multiproc';
import { hasPython, interleave, python } from './support.mjs';

const name = `bench-${process.pid}`;

let made = 0;
/** A loop compiled for itself alone, so that it sees one kind of array only; the same text would share what V8 learns. */
const loop = (body) => new Function('cells', `/* ${made++} */ ${body}`);
const sumOf = () => loop('let sum = 0; for (let i = 0; i < cells.length; i++) sum += cells[i]; return sum;');
const fillOf = () => loop('for (let i = 0; i < cells.length; i++) cells[i] = i & 127;');

/** Nanoseconds per element of the best of three runs. */
function perElement(body, cells) {
  let best = Infinity;
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    body(cells);
    best = Math.min(best, performance.now() - start);
  }
  return (best * 1e6) / cells.length;
}

function perCall(count, call) {
  const start = performance.now();
  for (let i = 0; i < count; i++) call(i);
  return ((performance.now() - start) * 1e3) / count;
}

/** Gigabytes per second. */
function copying(target, source, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) target.set(source);
  return (target.byteLength * repeats) / (performance.now() - start) / 1e6;
}

/** A Python number, or undefined where there is no Python. */
const pythonOrNothing = (source) => (hasPython ? python(source) : undefined);

const hasNumpy =
  hasPython &&
  python('import importlib.util; print(int(importlib.util.find_spec("numpy") is not None))') === 1;

async function loops(rounds, length) {
  // Closed when all is measured: close() detaches, and V8 (Node 20) compiles every typed-array loop of a program for the
  // worse once any buffer of it was detached, private ones as well.
  const open = [];
  const rows = [];
  for (const [dtype, cells] of Object.entries({
    float64: Float64Array,
    int32: Int32Array,
    uint8: Uint8Array,
  })) {
    const shared = SharedArray.create(`${name}-${dtype}`, length, dtype);
    SharedArray.delete(`${name}-${dtype}`);
    open.push(shared);
    const own = new cells(length);
    for (const [what, make] of [
      ['sum', sumOf],
      ['fill', fillOf],
    ]) {
      const [onShared, onPrivate] = [make(), make()];
      const got = await interleave(rounds, {
        ours: () => perElement(onShared, shared.data),
        peer: () => perElement(onPrivate, own),
      });
      rows.push({
        what: `${what}, ${dtype}`,
        unit: 'ns',
        ours: got.ours,
        peers: { 'private typed array': got.peer },
        goal: 'within 3%',
      });
    }
  }
  for (const shared of open) shared.close();
  return rows;
}

async function copies(rounds, smoke) {
  const rows = [];
  for (const kib of [64, 1024, 65536]) {
    const bytes = kib * 1024;
    const repeats = smoke ? 2 : Math.max(4, Math.floor((256 << 20) / bytes));
    const shared = SharedArray.create(`${name}-copy`, bytes, 'uint8');
    SharedArray.delete(`${name}-copy`);
    const source = new Uint8Array(bytes).fill(1);
    // Where an allocation begins in its page decides much about copies: the best of several.
    const targets = Array.from({ length: smoke ? 1 : 5 }, () => new Uint8Array(bytes));
    for (const cells of [shared.data, ...targets]) cells.set(source); // the first touch of a page costs more than its copy
    const got = await interleave(rounds, {
      ours: () => copying(shared.data, source, repeats),
      peer: () => Math.max(...targets.map((target) => copying(target, source, repeats))),
      numpy: () =>
        hasNumpy &&
        python(`
import numpy, time
from multiprocessing import shared_memory
m = shared_memory.SharedMemory(create=True, size=${bytes})
t = numpy.ndarray((${bytes},), 'u1', m.buf); s = numpy.ones(${bytes}, 'u1'); t[:] = s
b = time.perf_counter()
for _ in range(${repeats}): t[:] = s
print(${bytes} * ${repeats} / (time.perf_counter() - b) / 1e9)
del t; m.close(); m.unlink()`),
    });
    const peers = { 'private memory': got.peer };
    if (hasNumpy) peers['numpy on SharedMemory'] = got.numpy;
    rows.push({ what: `copy of ${kib} KiB`, unit: 'GB/s', ours: got.ours, peers, goal: '>= 90%' });
    shared.close();
  }
  return rows;
}

async function calls(rounds, count) {
  const rows = [];
  SharedArray.create(name, [1 << 17], 'float64').close();
  const attach = await interleave(rounds, {
    ours: () => perCall(count, () => SharedArray.attach(name).close()),
  });
  const blocks = (body) => `
import time
from multiprocessing import shared_memory, resource_tracker
${body}`;
  const pythonAttach = pythonOrNothing(
    blocks(`
m = shared_memory.SharedMemory(create=True, size=1 << 20)
b = time.perf_counter()
for _ in range(${count}): shared_memory.SharedMemory(name=m.name).close()
print((time.perf_counter() - b) * 1e6 / ${count})
m.close(); m.unlink()`),
  );
  const peersOf = (value) => (value === undefined ? {} : { 'Python SharedMemory': value });
  rows.push({
    what: 'attach and close, 1 MiB',
    unit: 'µs',
    ours: attach.ours,
    peers: peersOf(pythonAttach),
    goal: '<= 150',
  });
  SharedArray.delete(name);

  const cycle = await interleave(rounds, {
    array: () =>
      perCall(count, () => {
        SharedArray.create(name, [1000], 'float64').close();
        SharedArray.delete(name);
      }),
    block: () =>
      perCall(count, () => {
        const block = new SharedMemory({ create: true, size: 8000 });
        block.close();
        block.unlink();
      }),
  });
  const pythonCycle = pythonOrNothing(
    blocks(`
def cycle():
    m = shared_memory.SharedMemory(create=True, size=8000)
    m.close(); m.unlink()
cycle()
b = time.perf_counter()
for _ in range(${count}): cycle()
print((time.perf_counter() - b) * 1e6 / ${count})`),
  );
  const peers = { ...peersOf(pythonCycle), ...shmTypedArray(count) };
  rows.push({ what: 'SharedMemory: create, close, unlink, 8 kB', unit: 'µs', ours: cycle.block, peers });
  rows.push({ what: 'SharedArray: create, close, delete, 8 kB', unit: 'µs', ours: cycle.array, peers });
  return rows;
}

/** The npm package, where somebody has installed it. */
function shmTypedArray(count) {
  try {
    const shm = createRequire(import.meta.url)('shm-typed-array');
    return { 'shm-typed-array': perCall(count, () => shm.destroy(shm.create(8000, 'Buffer').key)) };
  } catch {
    return {};
  }
}

async function elements(rounds, count) {
  const array = SharedArray.create(name, [100, 100], 'float64');
  SharedArray.delete(name);
  const got = await interleave(rounds, {
    at: () => perCall(count, (i) => array.at(i % 100, 7)) * 1e3,
    set: () => perCall(count, (i) => array.set(i, i % 100, 7)) * 1e3,
  });
  array.close();
  const peer = (body) =>
    pythonOrNothing(`
import timeit, multiprocessing
a = multiprocessing.Array('d', 10000)
print(min(timeit.repeat('${body}', globals={'a': a}, number=100000, repeat=3)) / 100000 * 1e9)`);
  const peersOf = (value) => (value === undefined ? {} : { "CPython's Array": value });
  return [
    { what: 'at(i, j)', unit: 'ns', ours: got.at, peers: peersOf(peer('a[7]')) },
    { what: 'set(x, i, j)', unit: 'ns', ours: got.set, peers: peersOf(peer('a[7] = 1.5')) },
  ];
}

export async function bench({ smoke }) {
  const rounds = smoke ? 1 : 9;
  return {
    title: 'named shared memory',
    rows: [
      ...(await loops(rounds, smoke ? 1000 : 1_000_000)),
      ...(await copies(smoke ? 1 : 5, smoke)),
      ...(await calls(smoke ? 1 : 5, smoke ? 20 : 2000)),
      ...(await elements(rounds, smoke ? 1000 : 1_000_000)),
    ],
  };
}

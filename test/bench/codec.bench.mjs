// What it costs to make bytes of a value and a value of the bytes, beside what Node has for it.
import v8 from 'node:v8';
import { interleave } from './support.mjs';

const { Decoder, Encoder, Memory } = await import('../../lib/codec/index.js');

const memory = new Memory(new ArrayBuffer(1 << 22));
const encoder = new Encoder();
const decoder = new Decoder();
const nothing = { shared: [], large: [] };

const ours = (value) =>
  decoder.decode(memory, 0, encoder.encode(value, memory, 0, 1 << 22, 'value'), nothing);
const peers = {
  structuredClone: (value) => structuredClone(value),
  'v8.serialize': (value) => v8.deserialize(v8.serialize(value)),
  JSON: (value) => JSON.parse(JSON.stringify(value)),
};

const cjk = '日本'.repeat(256);
const digits = (length) => Array.from({ length }, (_, i) => i);
/** What is measured: how to make the i-th value, how many to send in a round, and whether JSON can. */
const values = {
  int: { make: (i) => i + 1, count: 100_000, json: true, goal: '~20 ns' },
  '{ id, op, args }': {
    make: (i) => ({ id: i, op: 'add', args: [1, i] }),
    count: 20_000,
    json: true,
    goal: '<= 300 ns',
  },
  'short string': { make: (i) => `hello ${i}`, count: 50_000, json: true },
  '1 KiB of ASCII': {
    make: (i) => String.fromCharCode(97 + (i % 26)).repeat(1024),
    count: 10_000,
    json: true,
    goal: '<= 250 ns',
  },
  '512 CJK characters': { make: (i) => cjk.slice(i % 8), count: 10_000, json: true, goal: '< 1 µs' },
  '20 keys': {
    make: (i) => Object.fromEntries(digits(20).map((k) => [`key${k}`, k % 3 === 0 ? `text${k}` : k * i])),
    count: 5000,
    json: true,
  },
  '100 records': { make: () => digits(100).map((k) => ({ id: k, name: `n${k}` })), count: 200, json: true },
  'instance of a class': { make: (i) => new Point(i), count: 10_000, json: false },
  'Map of 2': { make: (i) => new Map([['a', i], ['b', 2]]), count: 5000, json: false }, // prettier-ignore
  Date: { make: (i) => new Date(i), count: 10_000, json: false },
  Error: { make: (i) => new RangeError(`no ${i}`), count: 500, json: false },
  'Buffer of 1 KiB': { make: () => Buffer.alloc(1024, 1), count: 5000, json: false },
  'Uint8Array of 1 MiB': { make: () => new Uint8Array(1 << 20), count: 4, json: false },
  '1e5 ints': { make: () => digits(1e5).map((i) => i * 7), count: 2, json: true, goal: '<= 0.7 ms' },
  '1e5 doubles': { make: () => digits(1e5).map((i) => i / 3), count: 2, json: true, goal: '<= 0.6 ms' },
};

class Point {
  y = 2;
  constructor(x) {
    this.x = x;
  }
}

/** Nanoseconds for one value, there and back: the best of ten, as most of them meet somebody else on the core. */
function timeOf(send, made, count) {
  const mask = made.length - 1;
  let best = Infinity;
  for (let round = 0; round < 10; round++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) send(made[i & mask]);
    best = Math.min(best, ((performance.now() - start) * 1e6) / count);
  }
  return best;
}

export async function bench({ smoke }) {
  const rows = [];
  for (const [what, { make, count, json, goal }] of Object.entries(values)) {
    const made = Array.from({ length: count < 100 ? 2 : 64 }, (_, i) => make(i));
    const all = { ours, ...peers };
    if (!json) delete all.JSON;
    const per = Math.ceil(count / (smoke ? 1000 : 5));
    const measures = Object.fromEntries(
      Object.entries(all).map(([name, send]) => [name, () => timeOf(send, made, per)]),
    );
    if (!smoke) for (const measure of Object.values(measures)) for (let i = 0; i < 10; i++) measure();
    const got = await interleave(smoke ? 1 : 15, measures);
    const { ours: own, ...others } = got;
    rows.push({ what, unit: 'ns', ours: own, peers: others, ...(goal && { goal }) });
  }
  return { title: 'encode and decode', rows };
}

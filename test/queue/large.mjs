// Random values with large arrays in them, through queues: what arrives is what structuredClone() gives. argv: how many, the seed.
import { randomFillSync } from 'node:crypto';
import fc from 'fast-check';
import * as mp from 'multiproc';
import { sameAs } from '../codec/same.mjs';

const [count, seed] = process.argv.slice(2).map(Number);

const large = 64 << 10;
/** Around the length from which an array has a block of its own. */
const length = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 64 }) },
  { weight: 4, arbitrary: fc.integer({ min: large - 64, max: large + 64 }) },
  { weight: 2, arbitrary: fc.integer({ min: large, max: 4 * large }) },
);
const noise = randomFillSync(new Uint8Array(4 * large + 64));
const filled = (bytes, from) => {
  bytes.set(noise.subarray(from, from + bytes.length));
  return bytes;
};
const buffer = fc.tuple(length, fc.nat(64), fc.nat(3)).map(([bytes, from, kind]) => {
  const made = kind === 0 ? new ArrayBuffer(bytes, { maxByteLength: bytes + 4096 }) : new ArrayBuffer(bytes);
  filled(new Uint8Array(made), from);
  return made;
});
const types = [Uint8Array, Uint8ClampedArray, Int16Array, Uint32Array, BigInt64Array, DataView];
/** Of all of it, of its end, or of a piece. */
const viewOf = (bytes, type, at, end) => {
  const size = type.BYTES_PER_ELEMENT ?? 1;
  const elements = Math.floor(bytes.byteLength / size);
  const first = Math.min(at, elements);
  if (end === 0 && bytes.byteLength % size === 0) return new type(bytes, first * size);
  return new type(bytes, first * size, Math.max(0, elements - first - end));
};
const view = fc
  .tuple(buffer, fc.constantFrom(...types), fc.nat(20), fc.nat(3))
  .map(([bytes, type, at, end]) => viewOf(bytes, type, at, end));
const leaf = fc.oneof(
  { weight: 3, arbitrary: view },
  buffer,
  // Two of the same bytes, in any order, and the bytes themselves.
  fc
    .tuple(buffer, fc.constantFrom(...types), fc.constantFrom(...types))
    .map(([bytes, one, other]) => [viewOf(bytes, one, 1, 0), viewOf(bytes, other, 0, 1), bytes]),
  fc.oneof(fc.integer(), fc.string(), fc.date({ noInvalidDate: false })),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, depthIdentifier: 'value' },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 2 }).map((entries) => new Map(entries)),
    tie('value').map((twice) => [twice, { twice }]),
  ),
}));

const queues = [new mp.Queue(), new mp.Queue(0, { ringBytes: 4096 })];

/** What was received where it lies holds shared memory until it is collected. */
function releaseAll(root, seen = new Set()) {
  if (typeof root !== 'object' || root === null || seen.has(root)) return;
  seen.add(root);
  if (ArrayBuffer.isView(root) || root instanceof ArrayBuffer) mp.release(root);
  else for (const part of root instanceof Map ? root.values() : Object.values(root)) releaseAll(part, seen);
}

// Not assert(): it would print the value.
const { failed, counterexamplePath, errorInstance } = fc.check(
  fc.property(value, fc.nat(1), (sent, which) => {
    const q = queues[which];
    const check = sameAs(structuredClone(sent));
    q.putManySync([sent, sent]);
    check(q.getSync(), 'copied');
    const lying = q.getSync({ shared: true });
    q.putSync(lying);
    check(q.getSync(), 'sent on');
    check(lying, 'where it lies');
    releaseAll(lying);
    if (q.qsize() !== 0) throw new Error('there is more');
  }),
  { numRuns: count, seed },
);
if (failed) throw new Error(`seed ${seed}, path ${counterexamplePath}`, { cause: errorInstance });
console.log(JSON.stringify({ runs: count }));

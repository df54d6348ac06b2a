// Random values of all kinds: what arrives is what structuredClone() gives. argv: how many, the seed.
import fc from 'fast-check';
import { sameAs } from './same.mjs';

const { decodeBytes, encodeToBytes, Encoder, Decoder, Memory } = await import('../../lib/codec/index.js');
const [count, seed] = process.argv.slice(2).map(Number);

const text = fc.string({ unit: 'binary', maxLength: 40 });
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('id', 'op', 'args', 'a', 'b', 'c', '0', '1') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      'length',
      'é',
      '日本',
      '',
      '4294967295',
    ),
  },
  { weight: 1, arbitrary: text },
);
const number = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(-0, NaN, Infinity, 127, 128, -128, -129, 2 ** 31, -(2 ** 31)),
);
const leaf = fc.oneof(
  number,
  text,
  fc.string({ minLength: 20, maxLength: 30 }),
  fc.string({ minLength: 300, maxLength: 2000 }),
  fc.bigInt(),
  fc.constantFrom(true, false, null, undefined, 0n, 2n ** 63n, -(2n ** 63n), 2n ** 63n - 1n),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(/a+/giu, /[/\]]/y, Object(1), Object('text'), Object(false), Object(-5n), new RegExp('')),
  fc.array(number, { maxLength: 40 }),
  fc.sparseArray(number, { maxLength: 60 }),
  fc.uint8Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.uint8ClampedArray().map((bytes) => new DataView(bytes.buffer)),
  fc.uint16Array({ minLength: 2 }).map((units) => units.subarray(1)),
  fc
    .constantFrom('Error', 'RangeError', 'TypeError')
    .chain((name) => text.map((message) => new globalThis[name](message))),
);

class Instance {
  #hidden = 1;
  constructor(fields) {
    // Not by assignment: a key may be __proto__.
    for (const [key, value] of Object.entries(fields))
      Object.defineProperty(this, key, { value, enumerable: true, writable: true, configurable: true });
  }
  get hidden() {
    return this.#hidden;
  }
}

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'value' },
    leaf,
    fc.dictionary(key, tie('value'), { maxKeys: 6, depthIdentifier: 'value', noNullPrototype: true }),
    fc.array(tie('value'), { maxLength: 12, depthIdentifier: 'value' }),
    fc.sparseArray(tie('value'), { maxLength: 20, depthIdentifier: 'value' }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
    fc.dictionary(key, tie('value'), { maxKeys: 3 }).map((fields) => new Instance(fields)),
    fc
      .tuple(
        fc.array(tie('value'), { maxLength: 30 }),
        fc.dictionary(fc.constantFrom('x', 'index', '-1', '01'), tie('value'), { maxKeys: 3 }),
      )
      .map(([items, names]) => Object.assign(items, names)),
    // The same object twice, and a cycle.
    tie('value').map((twice) => [twice, { twice }, twice]),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }).map((object) => {
      Object.defineProperty(object, 'self', { value: [object], enumerable: true });
      return object;
    }),
    fc.tuple(text, tie('value')).map(([message, cause]) => new Error(message, { cause })),
  ),
}));

const memory = new Memory(new ArrayBuffer(1 << 20));
const encoder = new Encoder();
const decoder = new Decoder();

fc.assert(
  fc.property(value, fc.nat(64), (sent, place) => {
    const check = sameAs(structuredClone(sent));
    check(decodeBytes(encodeToBytes(sent, 'value').bytes), 'as bytes');
    const start = 8 * place;
    encoder.encode(sent, memory, start, memory.bytes.length, 'value');
    const end = encoder.encode(sent, memory, start, memory.bytes.length, 'value'); // now it knows all lists of keys
    check(decoder.decode(memory, start, end, { shared: [], large: [] }), 'in place');
    // Just enough is enough, one byte less is not.
    if (encoder.encode(sent, memory, start, end, 'value') !== end)
      throw new Error('it does not fit where it fits');
    if (encoder.encode(sent, memory, start, end - 1, 'value') !== -1)
      throw new Error('it fits where it does not');
  }),
  { numRuns: count, seed },
);
console.log(JSON.stringify({ proto: Object.keys(Object.prototype), runs: count }));

// The decoder against bytes of no encoder: random ones, and messages that were changed. argv: how many, the seed.
import { readFileSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { MultiprocessingError } from 'multiproc';

const { Encoder, Decoder, Memory } = await import('../../lib/codec/index.js');
const [count, seed] = process.argv.slice(2).map(Number);

let state = seed;
/** A whole number below n (mulberry32). */
function random(n) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
}

const shared = [{ shared: 0 }, { shared: 1 }];
const large = [new ArrayBuffer(4096), new ArrayBuffer(8192)];
const functionOf = () => Math.max;
const around = { shared, large, functionOf };

const bytes = new ArrayBuffer(64);
const cycle = { list: [1, { a: 1 }] };
cycle.list.push(cycle, cycle.list);
let deep = {};
for (let i = 0; i < 700; i++) deep = i % 3 === 0 ? [deep] : i % 3 === 1 ? { deep, i } : new Map([[i, deep]]);
const samples = [
  1, -0.5, 'short', 'x'.repeat(60), '日本'.repeat(20), 10n, 2n ** 90n, true, null, undefined,
  { id: 1, op: 'add', args: [1, 2] },
  Array.from({ length: 20 }, (_, i) => ({ id: i, name: `n${i}`, nested: { x: i / 3 } })),
  [1, , 3, , 'x'], new Array(5000), Array.from({ length: 30 }, (_, i) => i * 1000), Array.from({ length: 30 }, (_, i) => i / 7),
  'abc'.match(/(?<x>b)/), Object.assign([1, 2, 3, 4, 5, 6, 7, 8, 9], { name: 'x' }),
  new Map([[{ a: 1 }, new Set([1, 'two'])]]), new Date(5), /a+(b)/gi, Object(5), Object('s'),
  new Error('e', { cause: new TypeError('t') }), new AggregateError([1, new Error('x')], 'm'), new DOMException('m', 'AbortError'),
  Buffer.from('bytes'), new Uint8Array(8), new Uint8Array(4096), new Float64Array([1.5, 2]), new ArrayBuffer(5),
  { a: new Uint8Array(bytes, 8, 8), b: new DataView(bytes), c: new Uint32Array(bytes, 16) },
  new Uint8Array(new ArrayBuffer(8, { maxByteLength: 64 })),
  JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "toString": 1}'),
  Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key ${i}`, i])),
  cycle, deep, [deep, deep], [readFileSync, { fn: writeFileSync }],
]; // prettier-ignore

/** Twice the same bytes, with other ones around them: what is read outside makes a difference. */
const size = 1 << 16;
const places = [new Memory(new ArrayBuffer(size)), new Memory(new ArrayBuffer(size))];
places[0].bytes.fill(0);
places[1].bytes.fill(0xff);
const encoder = new Encoder();
encoder.largeFrom = 4096;
const scratch = new Memory(new ArrayBuffer(size));
const messages = [];
for (const sample of [...samples, ...samples]) {
  const end = encoder.encode(sample, scratch, 0, size, 'sample');
  messages.push(Buffer.from(scratch.bytes.subarray(0, end)));
}

const known = new Set([null, ...[Object, Array, Map, Set, Date, RegExp, Buffer, ArrayBuffer, DataView, Number, String, Boolean, BigInt, DOMException, Function].map((c) => c.prototype)]); // prettier-ignore
for (const name of ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AggregateError'])
  known.add(globalThis[name].prototype);
for (const name of Object.getOwnPropertyNames(globalThis)) {
  if (/^(Big)?(Int|Uint|Float)\w*Array$/.test(name)) known.add(globalThis[name].prototype);
}

/** Only ordinary objects come out. */
function checkObjects(root) {
  const seen = new Set();
  const stack = [root];
  while (stack.length > 0) {
    const object = stack.pop();
    if (typeof object !== 'object' || object === null || seen.has(object)) continue;
    seen.add(object);
    if (!known.has(Object.getPrototypeOf(object))) throw new Error('an object with a foreign prototype');
    if (object instanceof Map) for (const [k, v] of object) stack.push(k, v);
    else if (object instanceof Set) stack.push(...object);
    else if (!ArrayBuffer.isView(object) && typeof object !== 'string')
      for (const key of Object.keys(object)) stack.push(object[key]);
  }
}

const decoders = [new Decoder(), new Decoder()];
function decode(place, message, start) {
  const memory = places[place];
  const outside = place === 0 ? 0 : 0xff;
  memory.bytes.set(message, start);
  try {
    return { value: decoders[place].decode(memory, start, start + message.length, around) };
  } catch (error) {
    if (!(error instanceof MultiprocessingError) || error.code !== 'ERR_MP_DAMAGED') throw error;
    return { code: error.code };
  } finally {
    memory.bytes.fill(outside, start, start + message.length);
  }
}

const untouched = Reflect.ownKeys(Object.prototype).length;
const outcomes = { value: 0, ERR_MP_DAMAGED: 0 };
let slowest = 0;
for (let i = 0; i < count; i++) {
  const message = changed();
  const start = 8 * random(100);
  const begun = performance.now();
  const first = decode(0, message, start);
  slowest = Math.max(slowest, performance.now() - begun);
  const second = decode(1, message, start);
  if (first.code !== second.code) throw new Error(`${message.toString('hex')}: read outside`);
  if (first.code === undefined) {
    checkObjects(first.value);
    if (text(first.value) !== text(second.value)) throw new Error(`${message.toString('hex')}: read outside`);
  }
  outcomes[first.code ?? 'value']++;
  if (Reflect.ownKeys(Object.prototype).length !== untouched || {}.polluted !== undefined)
    throw new Error(`${message.toString('hex')}: Object.prototype was touched`);
}
console.log(JSON.stringify({ outcomes, slowest }));

function text(value) {
  return inspect(value, { depth: 20, customInspect: false });
}

function changed() {
  if (random(10) === 0) {
    const message = Buffer.alloc(random(200));
    for (let i = 0; i < message.length; i++) message[i] = random(4) === 0 ? random(256) : random(40);
    if (message.length > 0) message[0] = 0xb0 + random(2);
    return message;
  }
  let message = Buffer.from(messages[random(messages.length)]);
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(message.length);
    switch (random(6)) {
      case 0:
        message[at] = random(256);
        break;
      case 1:
        message[at] ^= 1 << random(8);
        break;
      case 2: // a number becomes huge, or another
        if (at + 4 <= message.length) message.writeUInt32LE([0, 0xffffffff, 0x7fffffff, 0x80000000, random(1000)][random(5)], at);
        break;
      case 3:
        message = message.subarray(0, at);
        break;
      case 4: {
        // a piece of another message
        const other = messages[random(messages.length)];
        const from = random(other.length);
        message = Buffer.concat([message.subarray(0, at), other.subarray(from, from + random(64)), message.subarray(at)]);
        break;
      }
      default: // a tag for another
        message[at] = random(40) | (random(8) === 0 ? 0x80 : 0);
    }
    if (message.length === 0) break;
  }
  return message;
}

import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';

const lib = new URL('../../lib/', import.meta.url).href;
const head = `
import { isDeepStrictEqual as same } from 'node:util';
import { Decoder, Encoder, Memory, decodeBytes, encodeToBytes } from '${lib}codec/index.js';
import { toHandle } from '${lib}transfer/handle.js';
const out = (value) => console.log(JSON.stringify(value));
const round = (value) => decodeBytes(encodeToBytes(value, 'value').bytes);
const refusal = (value, name = 'args') => {
  try { encodeToBytes(value, name); return 'none'; } catch (e) { return e.code === 'ERR_MP_CLONE' ? e.message.split(':')[0] : e.stack; }
};
const nothing = { shared: [], large: [] };
`;

test('objects are copied as their own enumerable properties', async () => {
  const got = await runJson(`${head}
    class Point { #secret = 1; x = 1; get y() { return this.#secret; } static z = 2; }
    function Old() { this.a = 1; }
    Old.prototype.method = () => {};
    function Older() {}
    Older.prototype = { method() {}, data: 5 };
    const hidden = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'b', { value: 3 });
    const calls = [];
    const getters = { get first() { calls.push(1); delete this.second; this.third = 3; return 1; }, second: 2, last: 4 };
    const all = [new Point(), new Old(), Object.assign(new Older(), { own: 1 }), hidden, getters, Object.create(null, { a: { value: 1, enumerable: true } }),
      Object.create({ inherited: 1 }), new (class extends Point { w = 1 })(), Math, new (class { get [Symbol.toStringTag]() { return 'Odd'; } v = 1 })()];
    const expected = all.map((v) => (v === getters ? { first: 1, last: 4 } : structuredClone(v)));
    const wrong = all.filter((v, i) => { const r = round(v); return !same(r, expected[i]) || Object.getPrototypeOf(r) !== Object.prototype; });
    Object.prototype.polluted = 1;
    const clean = [round({ a: 1 }), round({ a: 1, polluted: 2 })];
    delete Object.prototype.polluted;
    out([wrong.length, calls.length, clean, round({ a: 1, polluted: 3 })]);`);
  expect(got).toEqual([0, 1, [{ a: 1 }, { a: 1, polluted: 2 }], { a: 1, polluted: 3 }]);
});

test('names that prototypes know become properties like others', async () => {
  const got = await runJson(`${head}
    const value = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"toString":3,"hasOwnProperty":4,"valueOf":null}');
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => ['k' + i, i]));
    Object.defineProperty(many, '__proto__', { value: { polluted: 3 }, enumerable: true });
    const cyclic = JSON.parse('{"__proto__":{"a":1}}'); cyclic.self = cyclic;
    const twenty = Array.from({ length: 20 }, () => round(value));
    const r = round(cyclic);
    out([twenty.every((v) => same(v, value) && Object.getPrototypeOf(v) === Object.prototype), same(round(many), many), Object.keys(r), r.self === r,
      Object.getPrototypeOf(r) === Object.prototype, {}.polluted === undefined]);`);
  expect(got).toEqual([true, true, ['__proto__', 'self'], true, true, true]);
});

test('arrays keep their holes and their other properties', async () => {
  const got = await runJson(`${head}
    const names = (a, more) => Object.assign(a, more);
    const all = [[], [,], [, 1], [1, , 3, ,], new Array(7), new Array(4e9), names(new Array(1e6), { 500000: 'x', 999999: 1 }), [undefined, , undefined], 'a-b'.match(/(?<x>-)(y)?/d),
      names([1, 2], { total: 3, '-1': 0, '01': 1, 4294967295: 2 }), names(Array.from({ length: 100 }, (_, i) => i), { x: [1] }), names(Array.from({ length: 100 }, (_, i) => i / 3), { x: 1 }),
      names(['a', , 'c'], { x: 1 }), Array.from({ length: 10 }, (_, i) => (i ? i : -0)), [1, 2, 3, 4, 5, 6, 7, 'x'], [1.5, 2, 3, 4, 5, 6, 7, , 9], new (class extends Array {})(1, 2, 3),
      Array.from({ length: 50 }, () => undefined), names(new Array(1e7), { last: 1 })];
    const wrong = all.filter((v) => { const r = round(v), e = structuredClone(v); return !same(Object.keys(r), Object.keys(e)) || r.length !== e.length || !(e.length > 1e6 || same(r, e)); });
    out([wrong.map((v) => v.length), Object.is(round([-0, 1, 2, 3, 4, 5, 6, 7, 8])[0], -0)]);`);
  expect(got).toEqual([[], true]);
});

test('elements that are not enumerable are not copied', async () => {
  const got = await runJson(`${head}
    const hide = (array, i) => Object.defineProperty(array, i, { enumerable: false });
    const shared = { a: 1 }, ints = Array.from({ length: 100 }, (_, i) => i);
    const all = [hide([1, 2, 3], 1), hide([1, 2, 3], 2), hide([1], 0), Object.assign(hide([1, 2, 3], 0), { x: 1 }), hide([...ints], 5), Object.assign(hide([...ints], 99), { x: 'y' }), hide(['a', 'b', , 'd'], 0),
      [shared, hide([shared, shared, { shared }], 0), shared, [[], [1, 2], ints.map(String)]], { list: hide([{ b: 2 }, 2], 1) }];
    const wrong = all.filter((v) => { const r = round(v), e = structuredClone(v); return !same(r, e) || !same(Object.keys(r), Object.keys(e)); });
    const r = round(all[7]);
    out([wrong.length, r[0] === r[1][1] && r[0] === r[2] && r[1][2].shared === r[0], round(all[0])]);`);
  expect(got).toEqual([0, true, [1, null, 3]]);
});

test('classes of the language arrive as themselves, their subclasses as those', async () => {
  const got = await runJson(`${head}
    class M extends Map {} class S extends Set { *[Symbol.iterator]() {} } class D extends Date {} class U extends Uint8Array {} class N extends Number {}
    const all = [new M([[1, { a: 1 }]]), new S(['x']), new D(5), new U([1, 2]), new N(3), Object(false), Object('s'), Object(2n), /x/giu, Object.assign(/y/g, { lastIndex: 3 }),
      new DataView(new ArrayBuffer(9), 3, 2), new Float32Array(new ArrayBuffer(16), 4, 2), new Uint8ClampedArray(3), new BigUint64Array([2n ** 64n - 1n]), new ArrayBuffer(0), new Uint16Array(0)];
    if (globalThis.Float16Array) all.push(new Float16Array([1.5, NaN]));
    const wrong = all.filter((v) => { const r = round(v), e = structuredClone(v); return !same(r, e) || r.lastIndex !== e.lastIndex || r.byteOffset !== e.byteOffset; });
    out([wrong.length, Number.isNaN(round(new Date(NaN)).getTime()), round(Object.create(Map.prototype)) instanceof Map]);`);
  expect(got).toEqual([0, true, false]);
});

test('errors keep class, message, stack and cause, and an AggregateError its errors', async () => {
  const got = await runJson(`${head}
    class Mine extends RangeError { name = 'Mine'; extra = 1; }
    const cause = new TypeError('inner');
    const e = new RangeError('outer', { cause });
    e.code = 'E';
    const r = round(e);
    const all = new AggregateError([e, 'text'], 'many');
    const a = round(all);
    const loop = new Error('loop'); loop.cause = [loop];
    const l = round(loop);
    const d = round(new DOMException('gone', 'AbortError'));
    const bare = round(new Error());
    const odd = new Error('x'); odd.message = { toString: () => 'text' }; odd.stack = 5;
    const o = round(odd);
    out([r instanceof RangeError, r.message, r.stack === e.stack, r.cause instanceof TypeError, r.cause.message, Object.keys(r), Object.hasOwn(round(cause), 'cause'),
      a instanceof AggregateError, a.errors[0] instanceof RangeError, a.errors[1], l.cause[0] === l, [d instanceof DOMException, d.name, d.message, d.code],
      round(new Mine('m')).constructor.name, Object.hasOwn(bare, 'message'), [o.message, o.stack ?? null], Error.stackTraceLimit]);`);
  expect(got).toEqual([
    ...[true, 'outer', true, true, 'inner', [], false, true, true, 'text', true],
    ...[[true, 'AbortError', 'gone', 20], 'Error', false, ['text', null], 10],
  ]);
});

test('what an error only says through getters is left out, and symbols in it are refused', async () => {
  const got = await runJson(`${head}
    const define = (e, key, property) => (e.stack, Object.defineProperty(e, key, property));
    const all = [define(new Error('x'), 'message', { get: () => 'from a getter' }), define(new Error('x'), 'cause', { get: () => 1 }), define(new RangeError('x'), 'name', { get: () => 'TypeError' })];
    const wrong = all.filter((v) => { const r = round(v), e = structuredClone(v); return !same(r, e) || !same(Object.getOwnPropertyNames(r).sort(), Object.getOwnPropertyNames(e).sort()); });
    out([wrong.length, ...['message', 'name'].map((key) => refusal({ e: define(new Error('x'), key, { value: Symbol('s') }) }, 'v'))]);`);
  expect(got).toEqual([
    0,
    'v.e is an error whose message is a symbol',
    'v.e is an error whose name is a symbol',
  ]);
});

test('one object is one object, however many there are', async () => {
  const got = await runJson(`${head}
    const few = { a: 1 }, date = new Date(1), bytes = new ArrayBuffer(8), buffer = Buffer.from('b');
    const r = round({ x: few, y: [few, date, date], m: new Map([[few, date]]), u: new Uint8Array(bytes), v: new Uint16Array(bytes, 2), b: [buffer, buffer, bytes] });
    const many = Array.from({ length: 1000 }, (_, i) => ({ i }));
    const twice = round([...many, ...many]);
    const ring = new Map(); ring.set(ring, new Set([ring]));
    const g = round(ring);
    const p = round([, new Proxy([], {}), 1].slice(2));
    out([r.x === r.y[0], r.y[1] === r.y[2], [...r.m][0][0] === r.x, [...r.m][0][1] === r.y[1], r.u.buffer === r.v.buffer, r.b[0] === r.b[1], r.b[2] === r.u.buffer,
      twice.every((o, i) => o === twice[(i + 1000) % 2000] && o.i === i % 1000), [...g][0][0] === g, [...[...g][0][1]][0] === g, p]);`);
  expect(got).toEqual([...Array<boolean>(10).fill(true), [1]]);
});

test('resizable ArrayBuffers stay resizable, and views follow their length as before', async () => {
  const got = await runJson(`${head}
    const buffer = (n, maxByteLength) => new ArrayBuffer(n, { maxByteLength });
    const lengths = (make) => { const r = round(make()); const before = r.length ?? r.byteLength; r.buffer.resize(r.buffer.maxByteLength); const after = r.length ?? r.byteLength; return [before, after]; };
    const whole = round(buffer(4, 10));
    const two = buffer(8, 16);
    const both = round([new Uint8Array(two), new Uint8Array(two, 0, 8), two]);
    both[2].resize(16);
    const shrunk = buffer(16, 16), out_ = new Uint8Array(shrunk, 8, 8), view = new DataView(shrunk, 8, 8);
    shrunk.resize(4);
    const full = round(new Uint16Array(buffer(8, 8), 2));
    full.buffer.resize(6);
    out([[whole.resizable, whole.maxByteLength, whole.byteLength], lengths(() => new Uint8Array(buffer(8, 16))), lengths(() => new Uint8Array(buffer(8, 16), 2, 6)), lengths(() => new DataView(buffer(8, 16), 4)),
      [both[0].length, both[1].length], full.length, refusal([out_]), refusal([view]), round(new Uint8Array(buffer(4, 4))).length, refusal(Array.from({ length: 2000 }, () => buffer(1, 2)), 'v')]);`);
  expect(got).toEqual([
    [true, 10, 4],
    [8, 16],
    [6, 6],
    [4, 12],
    [16, 8],
    2,
    'args[0] is a view of bytes that its ArrayBuffer no longer has',
    'args[0] is a view of bytes that its ArrayBuffer no longer has',
    4,
    'v[1024] is one resizable ArrayBuffer too many',
  ]);
});

test('large bytes go beside the message, once each', async () => {
  const got = await runJson(`${head}
    const encoder = new Encoder(), decoder = new Decoder(), memory = new Memory(new ArrayBuffer(4096));
    encoder.largeFrom = 1000;
    const bytes = new Uint8Array(2000).fill(7), buffer = Buffer.alloc(5000, 1), small = new Uint8Array(10);
    const end = encoder.encode({ a: bytes, b: new DataView(bytes.buffer, 8), c: buffer, d: [buffer], small }, memory, 0, 4096, 'v');
    const large = encoder.large.map((b) => new Uint8Array(b).slice().buffer);
    const v = decoder.decode(memory, 0, end, { shared: [], large });
    const wrong = (around) => { try { decoder.decode(memory, 0, end, around); return 'none'; } catch (e) { return e.code; } };
    const none = encoder.encode(5, memory, 0, 4096, 'v');
    out([encoder.large.length, large.map((b) => b.byteLength), v.a.buffer === large[0] && v.b.buffer === large[0], Buffer.isBuffer(v.c), v.c.length, v.c === v.d[0], v.a[9], end < 300,
      wrong(nothing), wrong({ shared: [], large: [large[0], new ArrayBuffer(3)] })]);`);
  expect(got).toEqual([0, [2000, 5000], true, true, 5000, true, 7, true, 'ERR_MP_DAMAGED', 'ERR_MP_DAMAGED']);
});

test('bytes that a getter changes after they were looked at are an error of their sender', async () => {
  const got = await runJson(`${head}
    const encoder = new Encoder(), memory = new Memory(new ArrayBuffer(8192));
    encoder.largeFrom = 1000;
    const attempt = (value) => { try { return encoder.encode(value, memory, 0, 8192, 'v'), 'none'; } catch (e) { return e.code + ' ' + e.message.split(':')[0]; } };
    const detach = (u) => structuredClone(u, { transfer: [u.buffer] });
    const large = new Uint8Array(2000), whole = new ArrayBuffer(2000), plain = Buffer.from(new ArrayBuffer(2000)), filled = new Uint8Array(2000);
    const resizable = (n) => new Uint8Array(new ArrayBuffer(n, { maxByteLength: 8000 }));
    const [grows, shrinks, small] = [resizable(2000), resizable(2000), resizable(100)];
    out([
      attempt({ large, get x() { return detach(large), 1; } }), attempt([{ get x() { return 1; } }, whole, { get x() { return whole.byteLength && detach({ buffer: whole }), 1; } }]),
      attempt(new Map([['k', plain], ['l', { get x() { return detach(plain), 1; } }]])), attempt({ grows, get x() { return grows.buffer.resize(4000), 1; } }), attempt({ shrinks, get x() { return shrinks.buffer.resize(10), 1; } }),
      attempt({ small, get x() { return small.buffer.resize(200), 1; }, get again() { return new Uint8Array(small.buffer, 150); } }),
      attempt({ filled, get x() { return filled.fill(1), 1; } }), attempt({ a: 1 }),
    ]);`);
  const changed = 'is of another length than it was when it was first looked at';
  expect(got).toEqual([
    ...['v.large', 'v[1]', 'v.get("k")', 'v.grows', 'v.shrinks'].map((at) => `ERR_MP_CLONE ${at} ${changed}`),
    expect.stringMatching(`^ERR_MP_CLONE v.* ${changed}`),
    ...['none', 'none'],
  ]);
});

test('shared objects are listed, in and out', async () => {
  const got = await runJson(`${head}
    class Shared { [toHandle]() {} }
    class Cells extends Uint8Array { [toHandle]() {} }
    const encoder = new Encoder(), decoder = new Decoder(), memory = new Memory(new ArrayBuffer(4096));
    const a = new Shared(), b = new Cells(8);
    const end = encoder.encode([a, { b }, new Map([[a, b]])], memory, 0, 4096, 'v');
    const listed = encoder.shared.length === 2 && encoder.shared[0] === a && encoder.shared[1] === b;
    const [x, y] = [{ x: 1 }, { y: 1 }];
    const v = decoder.decode(memory, 0, end, { shared: [x, y], large: [] });
    encoder.encode('none', memory, 0, 4096, 'v');
    let code; try { decoder.decode(memory, 0, end, nothing); } catch (e) { code = e.code; }
    out([listed, v[0] === x, v[1].b === y, v[2].get(x) === y, code, encoder.shared.length]);`);
  expect(got).toEqual([true, true, true, true, 'ERR_MP_DAMAGED', 0]);
});

test('what cannot be cloned is named by its path', async () => {
  const got = await runJson(`${head}
    const detached = new ArrayBuffer(8), view = new Uint8Array(detached);
    structuredClone(detached, { transfer: [detached] });
    const sparse = []; sparse[4e9] = () => {};
    let deep = Symbol('s'); for (let i = 0; i < 1000; i++) deep = [deep];
    class Foo extends Promise {}
    const names = Object.assign([1], { x: { f() {} } });
    out([
      refusal([(function () { return arguments; })(1)]), refusal([new Intl.NumberFormat()]), refusal({ a: [].values() }, 'v'), refusal([view]), refusal([detached]), refusal(sparse, 'v'),
      refusal([Foo.resolve(1)]), refusal([Object(Symbol())]), refusal([new Error('e', { cause: [() => {}] })]), refusal([names]), refusal(new Map([[5n, () => {}]]), 'm'),
      refusal({ get f() { return () => {}; } }, 'v'), refusal([new URL('http://x')]), refusal([new Proxy([], {})]), refusal([new Proxy(() => {}, {})]),
      refusal(deep, 'v'), refusal(new Map([['f', Symbol()]]), ''), refusal([new Set([Symbol()])], ''), refusal({ get: Symbol() }, ''), refusal({ ['k'.repeat(1e6)]: Symbol() }, 'v').length, refusal([new FinalizationRegistry(() => {})]), refusal([{ a: Buffer.from(new SharedArrayBuffer(8)) }]),
    ]);`);
  expect(got).toEqual([
    'args[0] is an arguments object',
    'args[0] is an Intl.NumberFormat',
    'v.a is an Array Iterator',
    'args[0] is a detached ArrayBuffer',
    'args[0] is a detached ArrayBuffer',
    'v[4000000000] is a function',
    'args[0] is a Promise',
    'args[0] is a Symbol',
    'args[0].cause[0] is a function',
    'args[0].x.f is a function',
    'm.get(5n) is a function',
    'v.f is a function',
    'args[0] is a URL',
    'args[0] is a Proxy',
    'args[0] is a Proxy',
    `v${'[0]'.repeat(33)}[…]${'[0]'.repeat(33)} is a symbol`,
    'value.get("f") is a symbol',
    '[0].values(0) is a symbol',
    'get is a symbol',
    214,
    'args[0] is a FinalizationRegistry',
    'args[0].a is a SharedArrayBuffer',
  ]);
});

const module = '[0, 97, 115, 109, 1, 0, 0, 0]';

test('objects whose content is no property are refused, never empty', async () => {
  const got = await runJson(`${head}
    import { createSecretKey, subtle } from 'node:crypto';
    import { BlockList } from 'node:net';
    import { createHistogram } from 'node:perf_hooks';
    import { createContext, Script } from 'node:vm';
    import { MessageChannel } from 'node:worker_threads';
    const module = new WebAssembly.Module(new Uint8Array(${module}));
    const { port1, port2 } = new MessageChannel();
    const all = [
      module, Object.assign(new (class extends WebAssembly.Module {})(new Uint8Array(${module})), { x: 1 }), new WebAssembly.Instance(module), new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Table({ initial: 1, element: 'anyfunc' }),
      new WebAssembly.Global({ value: 'i32' }), Promise.resolve(), new WeakMap(), new WeakSet(), new WeakRef({}), new FinalizationRegistry(() => {}), (function* () {})(), (async function* () {})(),
      new Map().entries(), new Set().values(), ''[Symbol.iterator](), 'a'.matchAll(/a/g), new URLSearchParams('a').entries(), new URL('http://x'), new URLSearchParams('a=1'), new Intl.NumberFormat(), new Intl.Locale('en'), new Intl.Segmenter().segment('a'),
      new AbortController(), AbortSignal.abort(), new EventTarget(), new Event('x'), new Headers({ a: '1' }), new Response('x'), new Request('http://a'), new FormData(), new ReadableStream(), new WritableStream(), new TransformStream(),
      port1, new BroadcastChannel('x').unref(), new Blob(['x']), new File(['x'], 'f'), createSecretKey(Buffer.alloc(16)), await subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt']), new Script('1'),
      new BlockList(), createHistogram(), new TextDecoder(), performance.mark('x'), new (class extends EventTarget {})(),
    ];
    port1.close(); port2.close();
    const context = createContext({ a: 1 });
    const cloned = [process.env, context, new (class extends EventTarget { x = 1; })(), Math, Object.create(Map.prototype), new (class extends Error {})('m')];
    out([all.map((v) => refusal({ v }, 'args')).filter((text) => !/^args.v is an? ./.test(text)), refusal([module]), refusal([new Headers()]), cloned.filter((v) => !same(round(v), structuredClone(v))).length]);`);
  expect(got).toEqual([[], 'args[0] is a WebAssembly.Module', 'args[0] is a Headers', 0]);
});

test('errors of getters come out, and the next message is as good', async () => {
  const got = await runJson(`${head}
    const encoder = new Encoder(), memory = new Memory(new ArrayBuffer(4096));
    const attempt = (value) => { try { return encoder.encode(value, memory, 0, 4096, 'v'); } catch (e) { return e.code ?? e.message; } };
    const thrown = attempt({ a: [{ get b() { throw new Error('mine'); } }] });
    const nested = attempt({ get b() { return encoder.encode(1, memory, 0, 8, 'inner'); } });
    const inner = round({ get b() { return round({ c: 1 }); } });
    const end = attempt({ a: 1 });
    out([thrown, nested, inner, new Decoder().decode(memory, 0, end, nothing)]);`);
  expect(got).toEqual(['mine', 'ERR_MP_CLONE', { b: { c: 1 } }, { a: 1 }]);
});

test('values may be as deep as memory allows, also with little stack left', async () => {
  const got = await runJson(`${head}
    const depth = 200000;
    let value = { end: true };
    for (let i = 0; i < depth; i++) value = [{ value }, [value], new Map([[i, value]]), new Set([value]), new Error('e', { cause: value })][i % 5];
    let at = round(value), levels = 0;
    while (at.end !== true) { at = at instanceof Map ? [...at][0][1] : at instanceof Set ? [...at][0] : at instanceof Error ? at.cause : Array.isArray(at) ? at[0] : at.value; levels++; }
    // At the end of the stack: an error that says so, or the value.
    const outcomes = new Set();
    const { bytes } = encodeToBytes({ a: [{ b: [1] }] }, 'v');
    const dive = () => { try { dive(); } catch {} for (const f of [() => round({ a: [{ b: [1] }] }), () => decodeBytes(bytes)]) try { outcomes.add(f().a[0].b[0]); } catch (e) { outcomes.add(e.name); } };
    dive();
    outcomes.delete('RangeError');
    out([levels, [...outcomes], round({ x: [1] })]);`);
  expect(got).toEqual([200000, [1], { x: [1] }]);
});

test('a message that is not all there, or more than that, is damaged', async () => {
  const got = await runJson(`${head}
    const { bytes } = encodeToBytes({ a: [new Uint8Array(3), 'x'.repeat(50), new Map([[1, 2.5]])], b: { c: 1 } }, 'v');
    const codes = new Set();
    for (let i = 0; i < bytes.length; i++) try { decodeBytes(bytes.subarray(0, i)); codes.add('value'); } catch (e) { codes.add(e.code); }
    const more = (n) => { try { return Object.keys(decodeBytes(Buffer.concat([bytes, Buffer.alloc(n)]))).length; } catch (e) { return e.code; } };
    out([[...codes], more(7), more(8)]);`);
  expect(got).toEqual([['ERR_MP_DAMAGED'], 2, 'ERR_MP_DAMAGED']);
});

const property = new URL('property.mjs', import.meta.url);
const fuzz = new URL('fuzz.mjs', import.meta.url);

test('random values arrive as structuredClone() gives them', async () => {
  for (const seed of [1, Date.now() % 1e6]) {
    const got = await runJson(property, { args: ['5000', String(seed)], timeout: 60_000 });
    expect(got).toEqual({ proto: [], runs: 5000 });
  }
});

test('so they do where code cannot be generated, and __proto__ is no more', async () => {
  const execArgv = ['--disallow-code-generation-from-strings', '--disable-proto=delete'];
  const got = await runJson(property, { args: ['3000', '2'], execArgv, timeout: 60_000 });
  expect(got).toEqual({ proto: [], runs: 3000 });
});

test('bytes of no encoder are errors, never more', { timeout: 120_000 }, async () => {
  for (const seed of [1, Date.now() % 1e6]) {
    const { outcomes } = await runJson(fuzz, {
      args: ['60000', String(seed)],
      execArgv: ['--max-old-space-size=150'],
      timeout: 110_000,
    });
    expect(outcomes.value).toBeGreaterThan(1000);
    expect(outcomes.ERR_MP_DAMAGED).toBeGreaterThan(1000);
  }
});

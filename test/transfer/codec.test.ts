import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';

const lib = new URL('../../lib/transfer/', import.meta.url).href;
const head = `
import { isDeepStrictEqual as same } from 'node:util';
import { decode, encode } from '${lib}codec.js';
import { toHandle, pin, grant, registerKind } from '${lib}handle.js';
const out = (value) => console.log(JSON.stringify(value));
const round = (value) => decode(encode(value, 'value').bytes);
const refusal = (value, name = 'args') => { try { encode(value, name); return 'none'; } catch (e) { return e.code === 'ERR_MP_CLONE' ? e.message.split(':')[0] : e.stack; } };
class Shared {
  constructor(id) { this.id = id; }
  [toHandle]() { return { multiproc: 'Test', id: this.id }; }
  [pin]() { return () => {}; }
  [grant]() {}
}
const opened = [];
registerKind('Test', (handle) => { const s = new Shared(handle.id); opened.push(handle.id); return s; });
`;

test('what structured clone copies arrives equal', async () => {
  const wrong = await runJson(`${head}
    const values = [1, 'x', null, undefined, true, 10n, -0, NaN, new Date(5), /a+/gi, [1, , 3], { a: { b: [new Map([[1, new Set(['y'])]])] } },
      new Uint8Array([1, 2]), new Float64Array([1.5]), new BigInt64Array([7n]), new DataView(new ArrayBuffer(3)), new ArrayBuffer(4),
      Object(1n), new Error('e'), Object.create(null), { ['__proto__']: 1 }, 'é😀', new Array(3)];
    const wrong = values.filter((v) => !same(round(v), v) && !(v !== null && typeof v === 'object' && Object.getPrototypeOf(v) === null));
    const ring = { list: [] }; ring.list.push(ring);
    const r = round(ring);
    const bytes = new ArrayBuffer(8), two = round({ a: new Uint8Array(bytes, 2, 2), b: new Uint16Array(bytes, 4) });
    class Point { constructor() { this.x = 1; } get y() { return 2; } }
    const p = round(new Point());
    out([wrong.length, r.list[0] === r, two.a.buffer === two.b.buffer, two.a.byteOffset, two.b.length, p.x, p.constructor === Object, 'y' in p]);`);
  expect(wrong).toEqual([0, true, true, 2, 2, 1, true, false]);
});

test('a Buffer arrives as a Buffer of just its bytes, views beside it keep sharing', async () => {
  const got = await runJson(`${head}
    const bytes = new ArrayBuffer(8);
    const v = round({ text: Buffer.from('héllo'), a: new Uint8Array(bytes, 2, 2), b: new Float32Array(bytes), d: new DataView(bytes, 1, 3), odd: Buffer.from('x') });
    out([Buffer.isBuffer(v.text), v.text.toString(), v.a.buffer === v.b.buffer, v.a.byteOffset, v.d.byteLength, v.d.buffer === v.a.buffer, encode(Buffer.from('x'), 'v').bytes.length < 100]);`);
  expect(got).toEqual([true, 'héllo', true, 2, 3, true, true]);
});

test('shared objects anywhere arrive as one object each', async () => {
  const got = await runJson(`${head}
    const s = new Shared(1), t = new Shared(2);
    const value = { s, list: [[s], { deep: new Map([[t, s]]) }], set: new Set([t]), bytes: new Uint8Array([9]), ['__proto__']: s };
    value.self = value;
    const { shared, bytes } = encode(value, 'v');
    const v = decode(bytes);
    out([shared.length, shared[0] === s || shared[1] === s, [...opened].sort(), v.s instanceof Shared, v.s.id, v.list[0][0] === v.s, v.list[1].deep.get([...v.set][0]) === v.s,
      v.self === v, v.bytes[0], Object.hasOwn(v, '__proto__'), value.s === s, round(s) instanceof Shared]);`);
  expect(got).toEqual([2, true, [1, 2], true, 1, true, true, true, 9, true, true, true]);
});

test('what cannot be cloned is named by its path', async () => {
  const got = await runJson(`${head}
    const fs = await import('node:fs');
    const cyclic = { a: {} }; cyclic.a.up = cyclic; cyclic.a.f = () => {};
    out([
      refusal([{ onDone() {} }]), refusal([1, [Symbol('x')]]), refusal([{ a: { 'odd key': new WeakMap() } }]), refusal([new Map([['k', Promise.resolve()]])]),
      refusal([new Map([[() => {}, 1]])]), refusal([new Set([1, class A {}])]), refusal([new Proxy({}, {})]), refusal([fs]), refusal([new SharedArrayBuffer(8)]),
      refusal([new Uint8Array(new SharedArrayBuffer(8))]), refusal(() => {}, 'result'), refusal({ x() {} }, 'result'), refusal(cyclic, 'v'), refusal({ args: [1, { f() {} }] }, ''),
      refusal([new Blob(['x'])]), refusal([(function* () {})()]), refusal([new WeakRef({})]), refusal([new WebAssembly.Memory({ initial: 1 })]),
    ]);`);
  expect(got).toEqual([
    'args[0].onDone is a function',
    'args[1][0] is a symbol',
    'args[0].a["odd key"] is a WeakMap',
    'args[0].get("k") is a Promise',
    'args[0].keys(…) is a function',
    'args[0].values(1) is a class',
    'args[0] is a Proxy',
    'args[0] is a module',
    'args[0] is a SharedArrayBuffer',
    'args[0] is a SharedArrayBuffer',
    'result is a function',
    'result.x is a function',
    'v.a.f is a function',
    'args[1].f is a function',
    'args[0] is a Blob',
    'args[0] is a Generator',
    'args[0] is a WeakRef',
    'args[0] is a WebAssembly.Memory',
  ]);
});

test('lists may be long and deep', async () => {
  const got = await runJson(`${head}
    let deep = null; for (let i = 0; i < 1e5; i++) deep = { deep };
    const wide = Array.from({ length: 1e5 }, (_, i) => ({ i }));
    const s = new Shared(3);
    let mixed = s; for (let i = 0; i < 1e5; i++) mixed = [mixed];
    let depth = 0; for (let at = round(deep); at !== null; at = at.deep) depth++;
    let inner = round(mixed); while (Array.isArray(inner)) inner = inner[0];
    out([depth, round(wide).length, inner instanceof Shared]);`);
  expect(got).toEqual([100000, 100000, true]);
});

test('bytes of another origin are errors, never more', async () => {
  const got = await runJson(`${head}
    const good = encode({ a: [new Shared(1), Buffer.from('abc'), new Uint16Array(3)], b: 'text' }, 'v').bytes;
    const outcomes = new Set();
    let seed = 12345; const random = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
    const attempt = (bytes) => { try { decode(bytes); outcomes.add('value'); } catch (e) { outcomes.add(e.code); } };
    for (let i = 0; i <= good.length; i++) attempt(good.subarray(0, i));
    for (let i = 0; i < 20000; i++) { const b = Buffer.from(good); for (let k = random(4) + 1; k > 0; k--) b[random(b.length)] = random(256); attempt(b); }
    attempt(Buffer.alloc(0)); attempt(Buffer.alloc(100));
    out([...outcomes].sort());`);
  expect(got.filter((code: string) => !['value', 'ERR_MP_DAMAGED', 'ERR_MP_HANDLE'].includes(code))).toEqual(
    [],
  );
});

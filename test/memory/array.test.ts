// Array and RawArray as typed arrays: elements, types, bad input. What outlives what is in array-lifetime.test.ts.
import { inspect } from 'node:util';
import { afterAll, expect, expectTypeOf, test } from 'vitest';
import { MpArray, open, RawArray, run, RLock, share } from 'multiproc';
import * as mp from 'multiproc';
import { codeOf, thrown } from '../support/names.js';

const [range, type] = ['RangeError ERR_MP_RANGE', 'TypeError ERR_MP_TYPE'];
const made: { close(): void }[] = [];
const keep = <A extends { close(): void }>(array: A): A => (made.push(array), array);
afterAll(() => {
  for (const array of made) array.close();
});

test('a real typed array for each type, zero at first', () => {
  const kinds = {
    b: Int8Array, B: Uint8Array, h: Int16Array, H: Uint16Array, i: Int32Array, I: Uint32Array, q: BigInt64Array,
    Q: BigUint64Array, l: BigInt64Array, L: BigUint64Array, f: Float32Array, d: Float64Array, '?': Uint8Array,
    c: Uint8Array, u: Uint16Array, float32: Float32Array, utf16: Uint16Array,
  }; // prettier-ignore
  for (const [code, cells] of Object.entries(kinds)) {
    const array = keep(new MpArray(code as 'd', 7));
    expect(array).toBeInstanceOf(cells);
    expect([array.length, array.byteOffset, array.buffer.byteLength]).toEqual([
      7,
      0,
      7 * cells.BYTES_PER_ELEMENT,
    ]);
    expect(new Set<unknown>(array).size).toBe(1);
    expect(array.typecode).toBe(code.length === 1 ? code : code === 'float32' ? 'f' : 'u');
    expect(array instanceof MpArray && !(array instanceof RawArray)).toBe(true);
    expect(Object.hasOwn(array, 'constructor')).toBe(false);
  }
  expect(mp.Array).toBe(MpArray);
  expect(mp.Array.name).toBe('Array');
});

test('the types of elements follow from the code', () => {
  expectTypeOf<MpArray<'d'>>().toExtend<Float64Array>();
  expectTypeOf<MpArray<'i'>[number]>().toEqualTypeOf<number>();
  expectTypeOf<RawArray<'q'>[number]>().toEqualTypeOf<bigint>();
  expectTypeOf<MpArray<'u'>['value']>().toEqualTypeOf<string>();
  expectTypeOf<RawArray<'c'>['value']>().toEqualTypeOf<Buffer>();
  expectTypeOf<MpArray<'d'>['lock']>().toEqualTypeOf<RLock>();
  // @ts-expect-error a RawArray has no lock
  expect(keep(new RawArray('d', 1)).lock).toBeUndefined();
  // @ts-expect-error numbers have no text
  expect(keep(new RawArray('d', 1)).value).toBeUndefined();
});

test('from values of any iterable', () => {
  const map = new Map([[1, 'a'], [2.5, 'b']]); // prettier-ignore
  expect([...keep(new MpArray('d', map.keys()))]).toEqual([1, 2.5]);
  expect([...keep(new MpArray('d', [NaN, -0]))]).toEqual([NaN, -0]);
  expect([...keep(new MpArray('q', [1n, 5, -(2n ** 63n)]))]).toEqual([1n, 5n, -(2n ** 63n)]);
  expect([...keep(new MpArray('?', [true, false]))]).toEqual([1, 0]);
  expect([...keep(new MpArray('?', keep(new RawArray('?', [true, false]))))]).toEqual([1, 0]);
  expect([...keep(new MpArray('i', new Int32Array([1, -2])))]).toEqual([1, -2]);
  expect([...keep(new MpArray('f', new Float64Array([0.5])))]).toEqual([0.5]);
  expect([...keep(new MpArray('B', (function* () { yield 3; yield 255; })()))]).toEqual([3, 255]); // prettier-ignore
  expect(keep(new MpArray('d', [])).length).toBe(0);
});

test('values are checked before anything is made; nothing is cut', () => {
  const bad: [code: string, init: unknown, error: string, text: RegExp][] = [
    ['b', [1, 300], range, /item 1: 300 is not an integer from -128 to 127/],
    ['B', [-1], range, /item 0/],
    ['i', [1.5], range, /1.5/],
    ['i', new Float64Array([1e10]), range, /item 0/],
    ['f', [1e300], range, /does not fit in a float32/],
    ['q', [2n ** 63n], range, /item 0/],
    ['i', [1, , 2], type, /item 1: int32 takes a number, not undefined/], // eslint-disable-line no-sparse-arrays
    ['?', [2], type, /true or false/],
    ['?', new Uint8Array([2]), type, /true or false/],
    ['i', '12', type, /a length or an iterable/],
    ['i', {}, type, /a length or an iterable/],
    ['i', null, type, /a length or an iterable/],
    ['i', undefined, type, /a length or an iterable/],
    ['i', 5n, type, /a length or an iterable/],
    ['i', -1, range, /an integer from 0/],
    ['i', 1.5, range, /an integer from 0/],
    ['i', NaN, range, /an integer from 0/],
    ['i', 2 ** 53, range, /an integer from 0/],
    ['i', Infinity, range, /an integer from 0/],
    ['x', 5, type, /no such type: "x"; there are 'b' int8/],
    ['constructor', 5, type, /no such type/],
  ];
  for (const [code, init, error, text] of bad) {
    const make = () => new RawArray(code as 'i', init as number);
    expect(codeOf(make)).toBe(error);
    expect(thrown(make).message).toMatch(text);
    expect(thrown(make).message).toMatch(/^new RawArray\(\)/);
  }
  // @ts-expect-error calling is not making
  expect(() => MpArray('i', 5)).toThrow(TypeError);
});

test("an assignment is a typed array's own", () => {
  const bytes = keep(new RawArray('b', 2));
  bytes[0] = 300;
  bytes[5] = 1;
  expect([bytes[0], bytes[5], bytes.length]).toEqual([44, undefined, 2]);
});

test('map, filter and slice give private arrays, subarray and raw the same memory', () => {
  const array = keep(new MpArray('d', [1, 2, 3]));
  for (const copy of [array.map((x) => x), array.filter(() => true), array.slice()]) {
    expect(Object.getPrototypeOf(copy)).toBe(Float64Array.prototype);
    copy[0] = 99;
  }
  expect(array[0]).toBe(1);
  const { raw } = array;
  expect(Object.getPrototypeOf(raw)).toBe(Float64Array.prototype);
  expect(array.raw).toBe(raw);
  raw[0] = 5;
  array.subarray(1)[0] = 6;
  expect([...array]).toEqual([5, 6, 3]);
  expect(() => new (array.constructor as new (n: number) => unknown)(3)).toThrow(/use new Array\('d'/);
});

test("'c' has bytes up to NUL, 'u' has text", () => {
  const bytes = keep(new MpArray('c', 'hello'));
  expect([bytes.value.toString(), bytes.length]).toEqual(['hello', 5]);
  bytes.value = 'hé';
  expect([...bytes]).toEqual([104, 0xc3, 0xa9, 0, 111]);
  expect(bytes.value).toEqual(Buffer.from('hé'));
  bytes.value = new Uint8Array([1, 0, 2]);
  expect([[...bytes.value], [...bytes.raw]]).toEqual([[1], [1, 0, 2, 0, 111]]);
  bytes.value = '';
  expect(bytes.value.length).toBe(0);
  expect(codeOf(() => (bytes.value = '123456'))).toBe(range);
  expect(codeOf(() => (bytes.value = 5 as never))).toBe(type);
  bytes.value.fill(9); // a copy
  expect(bytes[0]).toBe(0);
  const text = keep(new RawArray('u', 'añ😀'));
  expect([text.value, text.length]).toEqual(['añ😀', 4]);
  text.value = 'ab';
  expect([text.value, text[3]]).toEqual(['ab', '😀'.charCodeAt(1)]);
  expect(codeOf(() => (text.value = 'abcde'))).toBe(range);
});

test('how it looks', () => {
  expect(inspect(keep(new MpArray('d', [1, 2])))).toBe("<Array 'd' Float64Array(2) [ 1, 2 ]>");
  const raw = new RawArray('c', 0);
  raw.close();
  expect(inspect(raw)).toBe("<RawArray 'c' closed>");
  expect(JSON.stringify({ a: keep(new MpArray('i', [1])) })).toBe('{"a":{"0":1}}');
});

test('handles of one array share one buffer; the last close detaches it', () => {
  const array = new MpArray('i', [1, 2]);
  const handle = share(array);
  const again = open<MpArray<'i'>>(JSON.parse(JSON.stringify(handle)) as typeof handle);
  expect(again.buffer).toBe(array.buffer);
  const { raw, lock } = array;
  array.close();
  array.close();
  expect(again[0]).toBe(1);
  for (const use of [() => array.raw, () => array.lock, () => share(array), () => lock.tryAcquire()]) {
    expect(codeOf(use)).toBe('ClosedError ERR_MP_CLOSED');
  }
  again[Symbol.dispose]();
  expect([array.length, again.length, raw.length, array[0]]).toEqual([0, 0, 0, undefined]);
  expect(codeOf(() => open(handle))).toBe('ClosedError ERR_MP_CLOSED');
});

test('the lock is an RLock, and goes wherever the array goes', () => {
  const array = keep(new MpArray('i', 1));
  const again = keep(open<MpArray<'i'>>(share(array)));
  expect(array.lock).toBeInstanceOf(RLock);
  const guard = array.lock.acquireSync();
  array.lock.acquireSync().release();
  expect(again.lock.locked).toBe(true);
  const travelled = keep(open<RLock>(share(again.lock)));
  guard.release();
  expect([again.lock.locked, travelled.locked]).toEqual([false, false]);
});

test('travels in arguments and results, empty ones as well', async () => {
  const look = { module: new URL('../fixtures/memory-tasks.mjs', import.meta.url), export: 'look' };
  for (const array of [
    keep(new MpArray('d', [1.5, 2])),
    keep(new RawArray('?', [true])),
    keep(new MpArray('q', 0)),
  ]) {
    const got = (await run(look, array)) as {
      type: string;
      cells: string;
      items: unknown[];
      array: typeof array;
    };
    expect([got.type, got.cells, got.items]).toEqual([
      array instanceof MpArray ? 'Array' : 'RawArray',
      array[Symbol.toStringTag],
      [...array],
    ]);
    expect(got.array.buffer === array.buffer || array.length === 0).toBe(true);
    got.array.close();
  }
});

import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { open, run, share, ShareableList, type ShareableItem } from 'multiproc';
import { codeOf, removeNames, sharedFiles, uniqueName } from '../support/names.js';

afterEach(removeNames);

const [range, type] = ['RangeError ERR_MP_RANGE', 'TypeError ERR_MP_TYPE'];

const everything: ShareableItem[] = [
  0, -0, 1.5, NaN, -Infinity, 2 ** 53, 5n, -(2n ** 63n), 2n ** 63n - 1n, true, false, null, '', 'text', 'ééééééé',
  'trailing\0\0', '\0', '\ufeffbom', '中文😀', 'half \ud800', new Uint8Array(0), new Uint8Array([0, 1, 255, 0]), 'x'.repeat(10_000),
]; // prettier-ignore

test('what goes in comes out, here and for whoever opens it', () => {
  const name = uniqueName();
  using list = new ShareableList(everything, { name });
  using same = new ShareableList(null, { name });
  expect([...list]).toEqual(everything);
  expect([...same]).toEqual(everything);
  expect(Object.is(same.get(1), -0)).toBe(true);
  expect([list.length, list.name]).toEqual([everything.length, name]);
  expect(ShareableList.list()).toContain(name);
  list.set(13, 'next');
  expect(same.get(13)).toBe('next');
  list.unlink();
  expect(ShareableList.list()).not.toContain(name);
  expect(codeOf(() => same.unlink())).toBe('ERR_MP_NOT_FOUND');
});

test("what Python's cuts: letters of several bytes, zeros at the end", () => {
  using list = new ShareableList(['ééééééé', 'é'.repeat(1000), 'a\0\0\0', new Uint8Array([1, 0, 0])]);
  expect([...list]).toEqual(['ééééééé', 'é'.repeat(1000), 'a\0\0\0', new Uint8Array([1, 0, 0])]);
  list.set(0, 'é'.repeat(8)); // 16 bytes fit where 14 were
  expect(list.get(0)).toBe('é'.repeat(8));
  list.unlink();
});

test('capacities are bytes; beyond them is an error that changes nothing', () => {
  using list = new ShareableList(['abc', 1, null], { capacity: 20 });
  expect([list.capacity(0), list.capacity(1)]).toEqual([24, 24]);
  for (const value of ['x'.repeat(24), 'é'.repeat(12), new Uint8Array(24), 7n, 1.5, false, null]) {
    list.set(0, value);
    expect(list.get(0)).toEqual(value);
  }
  list.set(0, 'keep');
  for (const value of ['x'.repeat(25), 'é'.repeat(13), new Uint8Array(25)])
    expect(codeOf(() => list.set(0, value))).toBe(range);
  expect([list.get(0), list.get(1)]).toEqual(['keep', 1]);
  list.unlink();
});

test('indices, searching, copying', () => {
  using list = new ShareableList([1, 'a', 1, 1n, new Uint8Array([1]), null, true]);
  expect([list.at(-1), list.at(0), list.at(7), list.at(-8)]).toEqual([true, 1, undefined, undefined]);
  expect([list.indexOf(1), list.indexOf(1n), list.indexOf('b'), list.indexOf(new Uint8Array([1]))]).toEqual([
    0, 3, -1, 4,
  ]);
  expect([list.count(1), list.count(null), list.count('z')]).toEqual([2, 1, 0]);
  for (const index of [7, -1, 0.5, NaN]) expect(codeOf(() => list.get(index))).toBe(range);
  expect(codeOf(() => list.set(7, 1))).toBe(range);
  expect(codeOf(() => list.get('0' as never))).toBe(type);
  using copy = new ShareableList(list);
  list.set(0, 2);
  expect([copy.get(0), copy.length]).toEqual([1, 7]);
  using empty = new ShareableList([]);
  expect([empty.length, [...empty]]).toEqual([0, []]);
  for (const x of [list, copy, empty]) x.unlink();
});

test('bad input makes nothing', () => {
  const name = uniqueName();
  for (const bad of [{}, [], undefined, Symbol('x'), () => 1, new Float64Array(1)]) {
    expect(codeOf(() => new ShareableList([1, bad as never], { name }))).toBe(type);
  }
  expect(codeOf(() => new ShareableList([2n ** 63n], { name }))).toBe(range);
  expect(codeOf(() => new ShareableList(5 as never, { name }))).toBe(type);
  expect(codeOf(() => new ShareableList(null))).toBe(type);
  expect(codeOf(() => new ShareableList(null, { name }))).toBe('ERR_MP_NOT_FOUND');
  expect(codeOf(() => new ShareableList([1], { name: 'a/b' }))).toBe(range);
  expect(codeOf(() => new ShareableList([1], { name, capacity: -1 }))).toBe(range);
  expect(sharedFiles(name)).toEqual([]);
  using list = new ShareableList([1], { name });
  expect(codeOf(() => new ShareableList([1], { name }))).toBe('ERR_MP_EXISTS');
  expect(codeOf(() => list.set(0, {} as never))).toBe(type);
  ShareableList.delete(name);
});

test('use after close, and travelling', async () => {
  const list = new ShareableList(['a', 2, null]);
  const itemsOf = { module: new URL('../fixtures/memory-tasks.mjs', import.meta.url), export: 'itemsOf' };
  expect(await run(itemsOf, list)).toEqual(['a', 2, null]);
  const handle = share(list);
  using again = open<ShareableList>(handle);
  again.set(1, 3);
  expect(list.get(1)).toBe(3);
  list.close();
  list.close();
  for (const use of [
    () => list.get(0),
    () => list.at(0),
    () => list.set(0, 1),
    () => [...list],
    () => list.indexOf(1),
    () => share(list),
  ]) {
    expect(codeOf(use)).toBe('ClosedError ERR_MP_CLOSED');
  }
  expect(again.get(0)).toBe('a');
  list.unlink(); // there is no name to take away
  const short = new ShareableList(['a']);
  const toShort = share(short);
  short.close();
  expect(codeOf(() => open(toShort))).toBe('ClosedError ERR_MP_CLOSED');
});

test('with a name it travels by that; without one it leaves no file', async () => {
  const name = uniqueName();
  using nameless = new ShareableList(['a']);
  expect([nameless.name, inspect(nameless)]).toEqual([null, '<ShareableList (no name) length=1>']);
  expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain('/dev/shm/multiproc.list.');
  using list = new ShareableList(['a', 2, null], { name });
  const itemsOf = { module: new URL('../fixtures/memory-tasks.mjs', import.meta.url), export: 'itemsOf' };
  expect(await run(itemsOf, list)).toEqual(['a', 2, null]);
  const handle = share(list);
  list.close();
  list.unlink();
  expect(codeOf(() => open(handle))).toBe('ERR_MP_NOT_FOUND');
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { open, run, share, SharedArray } from 'multiproc';
import { runJson } from '../support/child.js';
import { codeOf, removeNames, sharedFiles, thrown, uniqueName } from '../support/names.js';

afterEach(removeNames);

// By module and name: the runner has another instance of it than a child.
const fillArray = { module: new URL('../fixtures/memory-tasks.mjs', import.meta.url), export: 'fillArray' };

const directory = (): string => mkdtempSync(join(tmpdir(), 'mp-test-'));

test('create, attach, list, delete: who attaches learns type and shape', () => {
  const name = uniqueName();
  const a = SharedArray.create(name, [3, 4, 5], 'uint16');
  expect([a.shape, a.strides, a.dtype, a.size, a.name]).toEqual([[3, 4, 5], [20, 5, 1], 'uint16', 120, name]);
  expect(a.data).toBeInstanceOf(Uint16Array);
  expect([a.data.length, a.data.byteOffset, a.data.buffer.byteLength]).toEqual([60, 0, 120]);
  expect(a.data.every((x) => x === 0)).toBe(true);
  expect(SharedArray.list()).toContainEqual({ name, shape: [3, 4, 5], dtype: 'uint16', size: 120 });
  const b = SharedArray.attach(`shm://${name}`);
  expect([b.shape, b.dtype, b.name]).toEqual([[3, 4, 5], 'uint16', name]);
  a.data[7] = 500;
  expect(b.data[7]).toBe(500);
  SharedArray.delete(name);
  expect(SharedArray.list().map((x) => x.name)).not.toContain(name);
  expect(codeOf(() => SharedArray.attach(name))).toBe('ERR_MP_NOT_FOUND');
  expect(codeOf(() => SharedArray.delete(name))).toBe('ERR_MP_NOT_FOUND');
  b.data[8] = 600; // handles outlive delete
  expect(a.data[8]).toBe(600);
  a.close();
  b.close();
});

test('every element type, and float64 by default', () => {
  const cases = [
    ['int8', -128], ['uint8', 255], ['int16', -32768], ['uint16', 65535], ['int32', -(2 ** 31)], ['uint32', 2 ** 32 - 1],
    ['bigint64', -(2n ** 63n)], ['biguint64', 2n ** 64n - 1n], ['float32', 0.5], ['float64', 0.1], ['bool', true],
    ['bytes', 200], ['utf16', 'é'], ['d', -0], ['q', 5n], ['?', false],
  ] as const; // prettier-ignore
  for (const [dtype, value] of cases) {
    const name = uniqueName();
    const a = SharedArray.create(name, 2, dtype);
    a.set(value as never, 1);
    const b = SharedArray.attach(name);
    expect(b.dtype).toBe(a.dtype);
    expect(b.at(1)).toBe(value);
    expect(b.at(-1)).toBe(value);
    SharedArray.delete(name);
    a.close();
    b.close();
  }
  const name = uniqueName();
  using a = SharedArray.create(name, [2]);
  expect(a.dtype).toBe('float64');
  using b = SharedArray.create(name, [2], { ifExists: 'attach' }); // options in the place of the type
  b.data[0] = 1.5;
  expect(a.data[0]).toBe(1.5);
  SharedArray.delete(name);
});

test('at and subarray: scalars and parts over the same memory', () => {
  const name = uniqueName();
  const a = SharedArray.create(name, [4, 3, 2], 'int32');
  a.data.set(a.data.map((_, i) => i));
  expect(a.at(1, 2, 1)).toBe(11);
  expect(a.at(-1, -1, -1)).toBe(23);
  const row = a.subarray(1);
  expect([row.shape, row.strides, row.size, [...row.data]]).toEqual([
    [3, 2],
    [2, 1],
    24,
    [6, 7, 8, 9, 10, 11],
  ]);
  const cell = a.at<SharedArray<'int32'>>(1, 2);
  expect([cell.shape, [...cell.data]]).toEqual([[2], [10, 11]]);
  expect(row.subarray(2).data).toEqual(cell.data);
  row.data[0] = -1;
  row.set(-2, 0, 1);
  expect([a.at(1, 0, 0), a.at(1, 0, 1)]).toEqual([-1, -2]);
  const travelled = open<SharedArray<'int32'>>(share(row));
  expect([travelled.shape, travelled.at(0, 1)]).toEqual([[3, 2], -2]);
  expect(codeOf(() => Reflect.construct(SharedArray, [[4], 'uint8']))).toBe('TypeError ERR_MP_TYPE');
  expect(codeOf(() => Reflect.construct(SharedArray, []))).toBe('TypeError ERR_MP_TYPE');
  expect(codeOf(() => a.at(4, 0, 0))).toBe('RangeError ERR_MP_RANGE');
  expect(codeOf(() => a.at(0, 0, 0, 0))).toBe('RangeError ERR_MP_RANGE');
  expect(codeOf(() => a.at(0.5, 0, 0))).toBe('RangeError ERR_MP_RANGE');
  expect(codeOf(() => a.at('x' as never, 0, 0))).toBe('TypeError ERR_MP_TYPE');
  expect(codeOf(() => a.set(2 ** 31, 0, 0, 0))).toBe('RangeError ERR_MP_RANGE');
  expect(codeOf(() => a.set(1, 0))).toBe('TypeError ERR_MP_TYPE');
  row.close(); // only the part
  expect(a.at(0, 0, 1)).toBe(1);
  SharedArray.delete(name);
  a.close();
  expect(travelled.at(0, 1)).toBe(-2);
  travelled.close();
});

test('ifExists: error, attach, replace', () => {
  const name = uniqueName();
  const a = SharedArray.create(name, [2, 3], 'uint8');
  a.data[0] = 7;
  expect(thrown(() => SharedArray.create(name, [2, 3], 'uint8'))).toMatchObject({ code: 'ERR_MP_EXISTS' });
  const b = SharedArray.create(name, [2, 3], 'uint8', { ifExists: 'attach' });
  expect(b.data[0]).toBe(7);
  expect(codeOf(() => SharedArray.create(name, [3, 2], 'uint8', { ifExists: 'attach' }))).toBe(
    'ERR_MP_SHAPE',
  );
  expect(codeOf(() => SharedArray.create(name, [2, 3], 'int8', { ifExists: 'attach' }))).toBe('ERR_MP_TYPE');
  const c = SharedArray.create(name, [5], 'float32', { ifExists: 'replace' });
  expect([c.shape, c.data[0], a.data[0]]).toEqual([[5], 0, 7]);
  expect(SharedArray.attach(name).shape).toEqual([5]);
  expect(codeOf(() => open(share(a)))).toBe('ERR_MP_NOT_FOUND'); // another one has its name
  const again = SharedArray.create(uniqueName(), 1, 'uint8', { ifExists: 'replace' });
  SharedArray.delete(again.name);
  SharedArray.delete(name);
  for (const x of [a, b, c, again]) x.close();
});

test('a file as an array', () => {
  const dir = directory();
  const path = join(dir, 'data.mp');
  const a = SharedArray.create(`file://${path}`, [100], 'float64', { mode: 0o640 });
  expect([statSync(path).size, statSync(path).mode & 0o777, a.name]).toEqual([
    4096 + 800,
    0o640,
    `file://${path}`,
  ]);
  a.data[3] = 2.5;
  a.msync();
  a.close();
  const b = SharedArray.attach(new URL(`file://${path}`));
  expect(b.at(3)).toBe(2.5);
  expect(SharedArray.list().map((x) => x.name)).not.toContain(path);
  const c = SharedArray.create(`file://${path}`, [1], 'uint8', { ifExists: 'replace' });
  SharedArray.delete(`file://${path}`);
  expect([b.at(3), c.at(0)]).toEqual([2.5, 0]);
  b.close();
  c.close();
  const other = join(dir, 'precious.txt');
  writeFileSync(other, 'x'.repeat(5000));
  const name = `file://${other}`;
  expect(codeOf(() => SharedArray.create(name, 1, 'uint8', { ifExists: 'replace' }))).toBe('ERR_MP_EXISTS');
  expect(codeOf(() => SharedArray.create(name, 1, 'uint8', { ifExists: 'attach' }))).toBe('ERR_MP_DAMAGED');
  expect(codeOf(() => SharedArray.delete(name))).toBe('ERR_MP_DAMAGED');
  expect(codeOf(() => SharedArray.attach(name))).toBe('ERR_MP_DAMAGED');
  symlinkSync(other, join(dir, 'link'));
  expect(codeOf(() => SharedArray.attach(`file://${join(dir, 'link')}`))).toBe('ERR_MP_DAMAGED');
  execFileSync('mkfifo', [join(dir, 'fifo')]);
  expect(codeOf(() => SharedArray.attach(`file://${join(dir, 'fifo')}`))).toBe('ERR_MP_DAMAGED');
  expect(codeOf(() => SharedArray.attach(`file://${dir}`))).toBe('ERR_MP_DAMAGED');
  expect(codeOf(() => SharedArray.create(`file://${dir}/none/x`, 1))).toBe('ERR_MP_NOT_FOUND');
  rmSync(dir, { recursive: true });
});

test('bad names, shapes, types and options: an error at the call, and nothing made', () => {
  const own = `test-${process.pid}-`; // other test files have arrays of their own
  expect(sharedFiles(own)).toEqual([]);
  const range = 'RangeError ERR_MP_RANGE';
  const type = 'TypeError ERR_MP_TYPE';
  for (const name of [
    '',
    'a/b',
    '/a',
    'a\0b',
    'x'.repeat(240),
    'é'.repeat(120),
    '\ud800',
    'shm://',
    'file://',
    'file:///x/',
  ]) {
    expect([name, codeOf(() => SharedArray.create(name, 1))]).toEqual([name, range]);
    expect([name, codeOf(() => SharedArray.attach(name))]).toEqual([name, range]);
    expect([name, codeOf(() => SharedArray.delete(name))]).toEqual([name, range]);
  }
  expect(codeOf(() => SharedArray.create(`file:///tmp/${'x'.repeat(256)}`, 1))).toBe(range);
  expect(codeOf(() => SharedArray.create(`file:///${'x/'.repeat(3000)}x`, 1))).toBe(range);
  for (const name of [undefined, null, 5, {}, Symbol('x')]) {
    expect(codeOf(() => SharedArray.create(name as never, 1))).toBe(type);
  }
  const name = uniqueName();
  const big = 2 ** 53 - 1;
  for (const shape of [
    [],
    [0],
    [-1],
    [1.5],
    [NaN],
    [Infinity],
    [2, 0, 2],
    [big, big],

    0,
    -1,
    Array(17).fill(1),
  ]) {
    expect([shape, codeOf(() => SharedArray.create(name, shape as never, 'uint8'))]).toEqual([shape, range]);
  }
  for (const shape of [undefined, null, '3', ['3'], [3n], {}]) {
    expect(codeOf(() => SharedArray.create(name, shape as never, 'uint8'))).toBe(type);
  }
  for (const dtype of ['float', 'x', 7, null, 'Uint8Array']) {
    expect(codeOf(() => SharedArray.create(name, 1, dtype as never))).toBe(type);
  }
  for (const options of [{ ifExists: 'yes' }, { mode: '600' }, { reserve: 1 }, 5]) {
    expect(codeOf(() => SharedArray.create(name, 1, 'uint8', options as never))).toBe(type);
  }
  expect(codeOf(() => SharedArray.create(name, 1, 'uint8', { mode: 0o1000 }))).toBe(range);
  expect(codeOf(() => SharedArray.attach(name, { readOnly: 'no' as never }))).toBe(type);
  expect(sharedFiles(own)).toEqual([]);
});

test('names with dots, spaces and other letters are names', () => {
  for (const suffix of ['.', '..', ' x ', 'é中😀', 'a:b\nc', '%2f', 'x'.repeat(200)]) {
    const name = uniqueName() + suffix;
    using a = SharedArray.create(name, 1, 'uint8');
    a.data[0] = 1;
    expect(SharedArray.attach(name).at(0)).toBe(1);
    expect(SharedArray.list().map((x) => x.name)).toContain(name);
    SharedArray.delete(name);
  }
});

test('read-only: no write gets out, none is a crash, each is an error', async () => {
  const name = uniqueName();
  const a = SharedArray.create(name, [10_000], 'int32');
  const got = await runJson(`
    import { SharedArray } from 'multiproc';
    const warnings = [];
    process.on('warning', (w) => warnings.push(w.code));
    const ro = SharedArray.attach(${JSON.stringify(name)}, { readOnly: true });
    const out = [ro.readOnly, ro.at(0)];
    const codeOf = (f) => { try { return f() } catch (e) { return e.code } };
    out.push(codeOf(() => ro.set(1, 0)));
    ro.data[5000] = 1;
    out.push(codeOf(() => ro.at(5000)), codeOf(() => ro.at(5000)));
    ro.data.fill(7);
    out.push(codeOf(() => ro.data), ro.data[0], ro.at(9999));
    const rw = SharedArray.attach(${JSON.stringify(name)});
    rw.data[5000] = 3;                                   // what others write is seen, also after a write was undone
    out.push(ro.data[5000]);
    ro.data[1] = 2;
    await new Promise(setImmediate); await new Promise(setImmediate);
    out.push([...warnings], rw.at(1), codeOf(() => ro.data));
    ro.data.sort(); rw.close(); ro.close();
    console.log(JSON.stringify(out));`);
  expect(got).toEqual([
    true,
    0,
    'ERR_MP_READ_ONLY',
    'ERR_MP_READ_ONLY',
    0,
    'ERR_MP_READ_ONLY',
    0,
    0,
    3,
    ['ERR_MP_READ_ONLY'],
    0,
    'ERR_MP_READ_ONLY',
  ]);
  expect([a.at(5000), a.data[1], a.data[9999]]).toEqual([3, 0, 0]);
  SharedArray.delete(name);
  a.close();
});

test('use after close', () => {
  const name = uniqueName();
  const a = SharedArray.create(name, [2, 2], 'uint8');
  const data = a.data;
  const row = a.subarray(1);
  a.close();
  a.close();
  a[Symbol.dispose]();
  expect([data.length, data.buffer.byteLength, a.data.length, row.data.length]).toEqual([0, 0, 0, 0]);
  for (const use of [
    () => a.at(0, 0),
    () => a.set(1, 0, 0),
    () => a.subarray(0),
    () => a.msync(),
    () => share(a),
    () => row.at(0),
  ]) {
    expect(codeOf(use)).toBe('ClosedError ERR_MP_CLOSED');
  }
  const b = SharedArray.attach(name); // the same memory again
  const c = SharedArray.attach(name);
  const view = c.data;
  b.close();
  expect([view.length, c.data.length, codeOf(() => b.at(0, 0))]).toEqual([4, 4, 'ClosedError ERR_MP_CLOSED']);
  c.close();
  expect(view.length).toBe(0);
  SharedArray.delete(name);
});

test('createAsync: the event loop goes on, creations come one after the other, errors reject', async () => {
  const name = uniqueName();
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const making = SharedArray.createAsync(name, [256 << 20], 'uint8');
  const refused = expect(SharedArray.createAsync(name, [1 << 20], 'uint8')).rejects.toMatchObject({
    code: 'ERR_MP_EXISTS',
  });
  const attached = SharedArray.createAsync(name, [256 << 20], 'uint8', { ifExists: 'attach' });
  const replaced = SharedArray.createAsync(name, [3], 'uint8', { ifExists: 'replace' });
  const a = await making;
  clearInterval(ticking);
  expect(ticks).toBeGreaterThan(1);
  expect(a.size).toBe(256 << 20);
  await refused;
  const b = await attached;
  b.data[1 << 27] = 1;
  expect(a.data[1 << 27]).toBe(1);
  const c = await replaced;
  expect(c.size).toBe(3);
  await expect(SharedArray.createAsync('a/b', 1)).rejects.toThrow(RangeError);
  SharedArray.delete(name);
  for (const x of [a, b, c]) x.close();
});

test('an array travels to another process by its name', async () => {
  const name = uniqueName();
  const a = SharedArray.create(name, [3, 2], 'float32');
  expect(await run(fillArray, a, 1.5)).toEqual({ name, shape: [3, 2], dtype: 'float32', readOnly: false });
  expect([...a.data]).toEqual(Array(6).fill(1.5));
  await run(fillArray, a.subarray(1), -1);
  expect([...a.data]).toEqual([1.5, 1.5, -1, -1, 1.5, 1.5]);
  SharedArray.delete(name);
  await expect(run(fillArray, a, 1)).rejects.toMatchObject({ code: 'ERR_MP_NOT_FOUND' });
  a.close();
});

test.skipIf(process.getuid?.() !== 0)(
  "another user's segment: ERR_MP_ACCESS, unless its mode lets them",
  () => {
    const [mine, theirs] = [uniqueName(), uniqueName()];
    const a = SharedArray.create(mine, 4, 'uint8');
    const b = SharedArray.create(theirs, 4, 'uint8', { mode: 0o644 });
    const script = `
    process.setgid(65534); process.setuid(65534);
    const codeOf = (f) => { try { const x = f(); return x?.at(0) ?? 'done' } catch (e) { return e.code } };
    const [mine, theirs] = ${JSON.stringify([mine, theirs])};
    const out = [() => SharedArray.attach(mine), () => SharedArray.attach(mine, { readOnly: true }), () => SharedArray.delete(mine),
      () => SharedArray.create(mine, 4, 'uint8'), () => SharedArray.create(mine, 4, 'uint8', { ifExists: 'replace' }),
      () => SharedArray.create(mine, 4, 'uint8', { ifExists: 'attach' }),
      () => SharedArray.attach(theirs), () => SharedArray.attach(theirs, { readOnly: true })].map(codeOf);
    console.log(JSON.stringify([...out, SharedArray.list().map((x) => x.name).filter((x) => [mine, theirs].includes(x))]));`;
    return runJson(`import { SharedArray } from 'multiproc';${script}`).then((got) => {
      const no = 'ERR_MP_ACCESS';
      expect(got).toEqual([no, no, no, 'ERR_MP_EXISTS', no, no, no, 0, [theirs]]);
      SharedArray.delete(mine);
      SharedArray.delete(theirs);
      a.close();
      b.close();
    });
  },
);

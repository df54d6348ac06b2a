import { execFileSync, spawn } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { open, run, share, SharedArray, SharedMemory } from 'multiproc';
import { codeOf, removeNames, uniqueName } from '../support/names.js';

afterEach(removeNames);

// The system's own Python; before 3.13 its tracker would delete what it has only opened, so it is told to forget it.
const python = '/usr/bin/python3';
const hasPython = existsSync(python);
const pythonHead = `
import sys
from multiprocessing import shared_memory, resource_tracker
def attach(name):
    try:
        return shared_memory.SharedMemory(name=name, track=False)
    except TypeError:
        block = shared_memory.SharedMemory(name=name)
        resource_tracker.unregister(block._name, 'shared_memory')
        return block
name = sys.argv[1]
`;
const runPython = (source: string, ...args: string[]): string =>
  execFileSync(python, ['-c', pythonHead + source, ...args], { encoding: 'utf8' }).trim();

test('create, open, close, unlink', () => {
  const name = uniqueName();
  const a = new SharedMemory({ name, create: true, size: 5000 });
  expect([a.name, a.size, a.buf.length, a.buf.byteOffset, a.buf.buffer.byteLength]).toEqual([
    name,
    5000,
    5000,
    0,
    5000,
  ]);
  expect(statSync(`/dev/shm/${name}`)).toMatchObject({ size: 5000 });
  expect(statSync(`/dev/shm/${name}`).mode & 0o777).toBe(0o600);
  const b = new SharedMemory({ name: `/${name}`, size: 1 }); // takes the size that is there
  expect([b.name, b.size]).toEqual([name, 5000]);
  a.buf[4999] = 7;
  expect(b.buf[4999]).toBe(7);
  expect(SharedMemory.list()).toContainEqual({ name, size: 5000 });
  a.close();
  a.close();
  expect([a.buf.length, a.size, b.buf.length]).toEqual([0, 5000, 5000]);
  a.unlink(); // after close
  expect(codeOf(() => b.unlink())).toBe('ERR_MP_NOT_FOUND');
  expect(b.buf[4999]).toBe(7);
  expect(codeOf(() => new SharedMemory({ name }))).toBe('ERR_MP_NOT_FOUND');
  const view = b.buf;
  b[Symbol.dispose]();
  expect(view.length).toBe(0);
});

test('names that are made up are as Python makes them', () => {
  using a = new SharedMemory({ create: true, size: 1 });
  using b = new SharedMemory({ create: true, size: 1 });
  expect(a.name).toMatch(/^psm_[0-9a-f]{8}$/);
  expect(a.name).not.toBe(b.name);
  a.unlink();
  b.unlink();
});

test('bad input', () => {
  const name = uniqueName();
  const [range, type] = ['RangeError ERR_MP_RANGE', 'TypeError ERR_MP_TYPE'];
  for (const size of [0, -1, 1.5, NaN, Infinity, 2 ** 60, undefined]) {
    expect([size, codeOf(() => new SharedMemory({ name, create: true, size: size! }))]).toEqual([
      size,
      range,
    ]);
  }
  expect(codeOf(() => new SharedMemory({ name, create: true, size: '5' as never }))).toBe(type);
  expect(codeOf(() => new SharedMemory({}))).toBe(type);
  expect(codeOf(() => new SharedMemory(undefined as never))).toBe(type);
  expect(codeOf(() => new SharedMemory('x' as never))).toBe(type);
  expect(codeOf(() => new SharedMemory({ name: 5 as never }))).toBe(type);
  for (const bad of ['', '/', '.', '..', '/..', 'a/b', '//a', 'a\0', 'x'.repeat(256)]) {
    expect([bad, codeOf(() => new SharedMemory({ name: bad }))]).toEqual([bad, range]);
    expect([bad, codeOf(() => new SharedMemory({ name: bad, create: true, size: 1 }))]).toEqual([bad, range]);
  }
  writeFileSync(`/dev/shm/${name}`, ''); // as Python makes one: empty for a moment
  expect(codeOf(() => new SharedMemory({ name }))).toBe('ERR_MP_DAMAGED');
  expect(codeOf(() => new SharedMemory({ name, create: true, size: 1 }))).toBe('ERR_MP_EXISTS');
  SharedMemory.delete(name);
  expect(codeOf(() => SharedMemory.delete(name))).toBe('ERR_MP_NOT_FOUND');
});

test('unlink never deletes another block that has the name by now', () => {
  const name = uniqueName();
  using a = new SharedMemory({ name, create: true, size: 1 });
  SharedMemory.delete(name);
  using b = new SharedMemory({ name, create: true, size: 2 });
  expect(codeOf(() => a.unlink())).toBe('ERR_MP_NOT_FOUND');
  expect(codeOf(() => open(share(a)))).toBe('ERR_MP_NOT_FOUND');
  expect(open<SharedMemory>(share(b)).size).toBe(2);
  b.unlink();
});

test('a block travels to another process', async () => {
  using a = new SharedMemory({ create: true, size: 10 });
  a.buf.set([1, 2, 3]);
  const firstBytes = {
    module: new URL('../fixtures/memory-tasks.mjs', import.meta.url),
    export: 'firstBytes',
  };
  expect(await run(firstBytes, a, 3)).toEqual([1, 2, 3]);
  expect(a.buf[0]).toBe(99);
  a.unlink();
  a.close();
  expect(codeOf(() => share(a))).toBe('ClosedError ERR_MP_CLOSED');
});

test.skipIf(!hasPython)('Python opens what Node made: same name, same size, same bytes', () => {
  using a = new SharedMemory({ name: uniqueName(), create: true, size: 12_345 });
  a.buf.write('from node');
  const got = runPython(
    `block = attach(name)
print(block.name, block.size, bytes(block.buf[:9]).decode())
block.buf[12344] = 200
block.close()`,
    a.name,
  );
  expect(got).toBe(`${a.name} 12345 from node`);
  expect(a.buf[12_344]).toBe(200);
  const second = runPython(
    `block = attach(name)
block.unlink() if hasattr(block, '_track') else shared_memory._posixshmem.shm_unlink('/' + name)
block.close()
print('unlinked')`,
    a.name,
  );
  expect(second).toBe('unlinked');
  expect(codeOf(() => a.unlink())).toBe('ERR_MP_NOT_FOUND');
});

test.skipIf(!hasPython)('Node opens what Python made', async () => {
  const child = spawn(python, [
    '-c',
    `${pythonHead}
block = shared_memory.SharedMemory(create=True, size=5001)
block.buf[:4] = b'snek'
print(block.name, flush=True)
sys.stdin.readline()
print(bytes(block.buf[5000:5001]), flush=True)
block.close()
block.unlink()`,
    'x',
  ]);
  let printed = '';
  let wake = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    wake();
  });
  const line = async (n: number): Promise<string> => {
    while (printed.split('\n').length <= n + 1) await new Promise<void>((resolve) => (wake = resolve));
    return printed.split('\n')[n]!;
  };
  const a = new SharedMemory({ name: await line(0) });
  expect([a.size, a.buf.toString('latin1', 0, 4)]).toEqual([5001, 'snek']);
  expect(SharedMemory.list()).toContainEqual({ name: a.name, size: 5001 });
  a.buf[5000] = 0x21;
  child.stdin.end('go\n');
  expect(await line(1)).toBe("b'!'");
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code).toBe(0);
  expect(codeOf(() => a.unlink())).toBe('ERR_MP_NOT_FOUND'); // Python has
  expect(a.buf[5000]).toBe(0x21); // ours all the same
  a.close();
});

test.skipIf(!hasPython)('a Node and a Python process edit one array in turns', async () => {
  const count = 1000;
  using block = new SharedMemory({ name: uniqueName(), create: true, size: 8 * (count + 1) });
  const cells = new BigInt64Array(block.buf.buffer);
  const child = spawn(python, [
    '-c',
    `${pythonHead}
block = attach(name)
cells = block.buf.cast('q')
for i in range(${count}):
    while cells[0] != 2 * i + 1: pass
    cells[1 + i] = cells[1 + i] * 2 + 1
    cells[0] = 2 * i + 2
cells.release()
block.close()`,
    block.name,
  ]);
  const ended = new Promise((resolve) => child.on('close', resolve));
  for (let i = 0; i < count; i++) {
    cells[1 + i] = BigInt(i);
    Atomics.store(cells, 0, BigInt(2 * i + 1));
    while (Atomics.load(cells, 0) !== BigInt(2 * i + 2)) await new Promise(setImmediate);
  }
  expect(await ended).toBe(0);
  expect([...cells.subarray(1)]).toEqual(Array.from({ length: count }, (_, i) => BigInt(2 * i + 1)));
  block.unlink();
});

test.skipIf(!hasPython)('Python reads a SharedArray behind its page of header', () => {
  const name = uniqueName();
  using a = SharedArray.create(name, [2, 3], 'float64');
  a.data.set([0, 1, 2, 3, 4, 5.5]);
  const got = runPython(
    `block = attach('multiproc.array.' + name)
cells = block.buf[4096:].cast('d', [2, 3])
print(cells[1, 2])
cells[0, 1] = -7.25
cells.release()
block.close()`,
    name,
  );
  expect([got, a.at(0, 1)]).toEqual(['5.5', -7.25]);
  SharedArray.delete(name);
});

// Shared memory between processes: values, arrays, and what is touched before anybody reserved it.
import * as work from './fixtures/work.mjs';
import { assert, mp, test } from './support.mjs';

test('a Value is one number in several processes', async () => {
  const value = new mp.Value('i', 20);
  await mp.run(work.count, value, 22);
  assert.equal(value.value, 42);
});

test('every type of Value keeps its value', () => {
  for (const [type, number] of [
    ['b', -5],
    ['H', 65535],
    ['I', 4294967295],
    ['q', -(2n ** 62n)],
    ['d', 0.1],
    ['f', 0.5],
  ]) {
    const value = new mp.Value(type, number);
    assert.equal(value.value, number, type);
    value.close();
  }
});

test('an Array is written by children and read here, also beyond one window of pages', async () => {
  const array = new mp.Array('d', 300_000);
  await Promise.all([mp.run(work.square, array, 0, 150_000), mp.run(work.square, array, 150_000, 300_000)]);
  for (let i = 0; i < 300_000; i += 997) assert.equal(array[i], i * i);
});

for (const [bytes, rounds] of [
  [100_000, 50],
  [40 << 20, 4],
]) {
  test(`arrays of ${bytes} bytes come and go, and a new one is zero`, () => {
    for (let round = 0; round < rounds; round++) {
      const array = new mp.RawArray('B', bytes);
      assert.ok(
        array.every((byte) => byte === 0),
        `round ${round}`,
      );
      array.fill(255);
      array.close();
    }
  });
}

test('an Array of 100 MiB', () => {
  const array = new mp.RawArray('d', (100 << 20) / 8);
  array[array.length - 1] = 1;
  assert.equal(array[0] + array[array.length - 1], 1);
});

test('more memory than there is: an error, not a crash', () => {
  const arrays = [];
  const fill = () => {
    for (let i = 0; i < 10_000; i++) arrays.push(new mp.RawArray('d', 2 ** 28));
  };
  assert.throws(fill, { code: 'ERR_MP_MEMORY' });
  for (const array of arrays) array.close();
  assert.equal(new mp.RawArray('d', 1000)[999], 0);
});

test('a handle opens in a process that multiproc has not started', async () => {
  const { spawn } = await import('node:child_process');
  const value = new mp.Value('i', 1);
  const script = `
    import * as mp from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    const value = mp.open(JSON.parse(process.argv[1]));
    value.value = value.value + 41;
    process.exit(0);`;
  const handle = JSON.stringify(mp.share(value));
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, handle], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  assert.equal(code, 0);
  assert.equal(value.value, 42);
});

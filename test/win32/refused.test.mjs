// What there is not, and how it says so.
import { assert, mp, test } from './support.mjs';
import * as work from './fixtures/work.mjs';

const unsupported = { code: 'ERR_MP_UNSUPPORTED' };

test('start methods fork and forkserver', () => {
  assert.throws(() => mp.getContext('fork'), unsupported);
  assert.throws(() => mp.setStartMethod('forkserver'), unsupported);
});

test('Process.sentinel', async () => {
  const p = new mp.Process(work.pid).start();
  assert.throws(() => p.sentinel, { ...unsupported, message: /Windows/ });
  await p.join();
});

test('sockets', async () => {
  await assert.rejects(async () => mp.Client('127.0.0.1:1'), unsupported);
  await assert.rejects(async () => new mp.Listener('127.0.0.1:0'), unsupported);
});

test('named objects', async () => {
  const named = [
    () => mp.SharedArray.create('mp-none', 4),
    () => mp.SharedArray.attach('mp-none'),
    () => new mp.SharedMemory({ name: 'mp-none', create: true, size: 10 }),
    () => new mp.Lock({ name: 'mp-none' }),
    () => mp.SharedArray.list(),
    () => new mp.ShareableList([1], { name: 'mp-none' }),
  ];
  await assert.rejects(async () => mp.locks.request('mp-none', () => {}), {
    ...unsupported,
    message: /Windows/,
  });
  for (const make of named) assert.throws(make, { ...unsupported, message: /Windows/ }, String(make));
});

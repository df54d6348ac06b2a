// What rides on memory, parking and processes.
import * as work from './fixtures/work.mjs';
import { assert, mp, test } from './support.mjs';

test('Queue: two producers', async () => {
  const queue = new mp.Queue();
  const producers = [mp.run(work.produce, queue, 0, 500), mp.run(work.produce, queue, 500, 1000)];
  const got = [];
  for (let i = 0; i < 1000; i++) got.push(await queue.get({ timeout: 20_000 }));
  await Promise.all(producers);
  assert.deepEqual(
    got.map(({ i }) => i).sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
});

test('Queue: bounded, and empty at last', async () => {
  const queue = new mp.Queue(2);
  const producer = mp.run(work.produce, queue, 0, 50);
  for (let i = 0; i < 50; i++) assert.equal(queue.getSync({ timeout: 10_000 }).i, i);
  await producer;
  assert.equal(queue.tryGet(), null);
});

test('Pipe: there and back, blocking', async () => {
  const [mine, theirs] = mp.Pipe();
  const p = mp.run(work.answer, theirs, 200);
  for (let i = 0; i < 200; i++) {
    mine.sendSync(i);
    assert.equal(mine.recvSync({ timeout: 10_000 }), 2 * i);
  }
  await p;
});

test('Pipe: awaiting', async () => {
  const [mine, theirs] = mp.Pipe();
  const p = mp.run(work.answer, theirs, 50);
  for (let i = 0; i < 50; i++) {
    await mine.send(i);
    assert.equal(await mine.recv(), 2 * i);
  }
  await p;
});

test('Pool', async () => {
  const pool = new mp.Pool(2);
  try {
    assert.deepEqual(
      await pool.map(work.slowSquare, [1, 2, 3, 4, 5, 6, 7, 8]),
      [1, 4, 9, 16, 25, 36, 49, 64],
    );
    assert.equal(await pool.apply(work.slowSquare, [12]), 144);
  } finally {
    await pool.terminate();
  }
});

test('Pool: a worker that dies costs its own task only', async () => {
  const pool = new mp.Pool(2);
  try {
    await assert.rejects(pool.apply(work.exitWith, [9]), { name: 'WorkerDiedError' });
    assert.equal(await pool.apply(work.slowSquare, [3]), 9);
  } finally {
    await pool.terminate();
  }
});

test('ThreadPool', async () => {
  const pool = new mp.ThreadPool(2);
  try {
    assert.deepEqual(await pool.map(work.slowSquare, [1, 2, 3]), [1, 4, 9]);
  } finally {
    await pool.terminate();
  }
});

test('shared objects travel through a queue', async () => {
  const [to, from] = [new mp.Queue(), new mp.Queue()];
  const p = mp.run(work.countForQueue, to, from);
  const value = new mp.Value('i', 41);
  await to.put({ value });
  assert.equal(await from.get({ timeout: 10_000 }), 'done');
  assert.equal(value.value, 42);
  await p;
});

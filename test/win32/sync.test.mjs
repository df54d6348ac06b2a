// Locks and their family between processes, and the death of those who hold them.
import { Worker } from 'node:worker_threads';
import * as work from './fixtures/work.mjs';
import { assert, mp, test, until } from './support.mjs';

const four = (body) => Promise.all([0, 1, 2, 3].map(body));

test('4 processes, 10,000 increments each under a Lock', async () => {
  const counter = new mp.RawValue('i', 0);
  const lock = new mp.Lock();
  await four(() => mp.run(work.addUnguarded, counter, lock, 10_000));
  assert.equal(counter.value, 40_000);
});

test('4 processes that await the lock, 300 increments each', async () => {
  const counter = new mp.RawValue('i', 0);
  const lock = new mp.Lock();
  await four(() => mp.run(work.addAwaiting, counter, lock, 300));
  assert.equal(counter.value, 1200);
});

test('threads of one process', async () => {
  const counter = new mp.RawValue('i', 0);
  const lock = new mp.Lock();
  const source = `
    const { workerData } = require('node:worker_threads');
    import(workerData.url).then((mp) => {
      const [counter, lock] = workerData.handles.map((h) => mp.open(h));
      for (let i = 0; i < 2000; i++) { const g = lock.acquireSync(); counter.value = counter.value + 1; g.release(); }
    });`;
  const workerData = {
    url: new URL('../../lib/index.js', import.meta.url).href,
    handles: [mp.share(counter), mp.share(lock)],
  };
  await four(
    () =>
      new Promise((resolve, reject) => {
        new Worker(source, { eval: true, workerData }).on('exit', resolve).on('error', reject);
      }),
  );
  assert.equal(counter.value, 8000);
});

for (const holder of ['holdForEver', 'busyHolder']) {
  test(`the lock of a killed owner comes back abandoned (${holder})`, async () => {
    const lock = new mp.Lock();
    const held = new mp.Event();
    const owner = new mp.Process(work[holder], lock, held).start();
    assert.equal(await held.wait({ timeout: 10_000 }), true);
    const waiting = lock.acquire({ timeout: 10_000 });
    assert.equal(lock.owner.pid, owner.pid);
    const killed = performance.now();
    owner.kill();
    const guard = await waiting;
    const took = performance.now() - killed;
    assert.equal(guard.abandoned, true);
    assert.ok(took < 1000, `took ${took} ms`);
    guard.release();
    assert.equal(await owner.join(), -9);
  });
}

test('blocked in another process when the owner is killed', async () => {
  const lock = new mp.Lock();
  const held = new mp.Event();
  const owner = new mp.Process(work.holdForEver, lock, held).start();
  await held.wait({ timeout: 10_000 });
  const next = new mp.Process(work.takeAndTell, lock).start();
  await until(() => lock.waiters > 0);
  owner.kill();
  assert.equal(await next.result(), true);
  await next.join();
});

test('a killed waiter is nobody: the others get what they wait for', async () => {
  const lock = new mp.Lock();
  const guard = lock.acquireSync();
  const waiters = [1, 2, 3].map(() => new mp.Process(work.takeAndTell, lock).start());
  assert.ok(await until(() => lock.waiters === 3));
  waiters[0].kill();
  await waiters[0].join();
  guard.release();
  assert.deepEqual([await waiters[1].result(), await waiters[2].result()], [false, false]);
  await Promise.all([waiters[1].join(), waiters[2].join()]);
});

test('timeouts, both forms', async () => {
  const lock = new mp.Lock();
  const guard = lock.acquireSync();
  const other = new mp.Process(work.takeAndTell, lock).start();
  await until(() => lock.waiters > 0);
  let started = performance.now();
  const event = new mp.Event();
  assert.equal(event.waitSync({ timeout: 100 }), false);
  assert.ok(performance.now() - started >= 95);
  started = performance.now();
  assert.equal(await event.wait({ timeout: 100 }), false);
  assert.ok(performance.now() - started >= 95);
  guard.release();
  assert.equal(await other.result(), false);
  await other.join();
});

test('RLock', async () => {
  const rlock = new mp.RLock();
  assert.deepEqual(await four(() => mp.run(work.relock, rlock)), [true, true, true, true]);
});

test('Event wakes all, blocking and awaiting', async () => {
  const event = new mp.Event();
  const all = [work.waitForEvent, work.awaitEvent, work.waitForEvent].map((f) => mp.run(f, event));
  await new Promise((resolve) => setTimeout(resolve, 500));
  event.set();
  assert.deepEqual(await Promise.all(all), [true, true, true]);
});

test('Semaphore lets in two at a time', async () => {
  const semaphore = new mp.Semaphore(2);
  const inside = new mp.Value('i', 0);
  const most = new mp.Value('i', 0);
  await four(() => mp.run(work.atMost, semaphore, inside, most));
  assert.equal(inside.value, 0);
  assert.ok(most.value >= 1 && most.value <= 2, `${most.value}`);
});

test('Barrier, ten rounds of four', async () => {
  const barrier = new mp.Barrier(4);
  const arrived = new mp.Value('i', 0);
  assert.deepEqual(
    await four(() => mp.run(work.barrierRounds, barrier, arrived, 4)),
    Array(4).fill('together'),
  );
});

test('Condition', async () => {
  const condition = new mp.Condition();
  const [box, taken] = [new mp.RawValue('i', 0), new mp.Value('i', 0)];
  const all = [1, 2, 3].map(() => mp.run(work.consume, condition, box, taken));
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const guard = condition.lock.acquireSync();
    box.value = box.value + 1;
    condition.notify();
    guard.release();
  }
  assert.deepEqual(await Promise.all(all), [true, true, true]);
  assert.equal(taken.value, 3);
});

for (const answer of ['answerLate', 'answerLateAwaiting']) {
  test(`who sleeps is woken, not left to the ceiling of waits (${answer})`, async () => {
    const [asked, answered] = [new mp.Semaphore(0), new mp.Semaphore(0)];
    const rounds = 40;
    const p = mp.run(work[answer], asked, answered, rounds);
    asked.release();
    answered.acquireSync({ timeout: 10_000 });
    const started = performance.now();
    for (let i = 1; i < rounds; i++) {
      asked.release();
      if (i % 2 === 0) answered.acquireSync({ timeout: 10_000 });
      else await answered.acquire({ timeout: 10_000 });
    }
    const each = (performance.now() - started) / (rounds - 1);
    await p;
    assert.ok(each < 60, `${each} ms each`);
  });
}

test('a killed owner wakes a sleeper of another process at once, by the system', async () => {
  let slowest = 0;
  for (let i = 0; i < 6; i++) {
    const lock = new mp.Lock();
    const held = new mp.Event();
    const taken = new mp.RawValue('d', 0);
    const owner = new mp.Process(work.holdForEver, lock, held).start();
    await held.wait({ timeout: 10_000 });
    const next = new mp.Process(work.takeAndNoteTime, lock, taken).start();
    assert.ok(await until(() => lock.waiters > 0));
    await new Promise((resolve) => setTimeout(resolve, 20 + 35 * i));
    const killed = Date.now();
    owner.kill();
    work.sleep(400); // nothing of this process helps
    assert.notEqual(taken.value, 0);
    slowest = Math.max(slowest, taken.value - killed);
    assert.equal(await next.join(), 0);
    await owner.join();
  }
  assert.ok(slowest < 100, `${slowest} ms`);
});

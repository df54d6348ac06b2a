// What one environment sees of a semaphore: units, guards, options, errors.
import { RWLock, Semaphore } from 'multiproc';
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { bodyHead, closedError, rangeError, timeoutError, typeError } from '../support/sync.js';

const overRelease = 'ERR_MP_OVER_RELEASE';

test('units are taken in every form until none is left, and come back once each', async () => {
  const got = await runJson(`${bodyHead}
    const got = [];
    for (const sem of [new mp.Semaphore(3), new mp.BoundedSemaphore(3)]) {
      const guards = [await sem.acquire(), sem.acquireSync(), sem.tryAcquire()];
      got.push(sem.value, sem.tryAcquire(), await rejected(sem.acquire(0)), thrown(() => sem.acquireSync(0)));
      guards[1].release(); guards[1].release(); guards[1][Symbol.dispose]();
      got.push(sem.value);
      for (const g of guards) { g[Symbol.dispose](); g.release() }
      got.push(sem.value, guards.map((g) => g.abandoned));
      got.push(await sem.runExclusive(() => sem.value), sem.runExclusiveSync((g) => sem.value), await rejected(sem.runExclusive(() => { throw new RangeError() })), thrown(() => sem.runExclusiveSync(() => { throw new RangeError() })), sem.value);
      sem.close();
    }
    out([...got, native.census().objects]);`);
  const each = [0, null, timeoutError, timeoutError, 1, 3, [false, false, false]];
  const exclusive = [2, 2, 'RangeError undefined', 'RangeError undefined', 3];
  expect(got).toEqual([...each, ...exclusive, ...each, ...exclusive, 0]);
});

test('`using` gives a unit, a read or a write back at the end of the block', () => {
  const sem = new Semaphore(1);
  const rw = new RWLock();
  {
    using unit = sem.acquireSync(0);
    using read = rw.tryRead();
    expect([sem.value, unit.abandoned, rw.readers, read?.mode]).toEqual([0, false, 1, 'read']);
  }
  {
    using write = rw.writeSync(0);
    expect([sem.value, rw.readers, rw.writer?.pid, write.mode]).toEqual([1, 0, process.pid, 'write']);
  }
  expect(rw.writer).toBe(null);
  sem.close();
  rw.close();
});

test('one unit by default; none, and 2³¹ - 1, are values; anything else is refused', async () => {
  const got = await runJson(`${bodyHead}
    const most = 2 ** 31 - 1, got = [];
    for (const C of [mp.Semaphore, mp.BoundedSemaphore]) {
      got.push([new C().value, new C(0).value, new C(most).value, new C(undefined).value]);
      got.push(...[-1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53].map((n) => thrown(() => new C(n))));
      got.push(...['1', null, {}, [], true, 1n, () => 1, { value: 3 }].map((n) => thrown(() => new C(n))));
    }
    out([got, native.census().objects]);`);
  const each = [[1, 0, 2 ** 31 - 1, 1], ...Array(7).fill(rangeError), ...Array(8).fill(typeError)];
  expect(got).toEqual([[...each, ...each], 8]);
});

test('a plain one grows without limit but 2³¹ - 1; counts that make no sense leave it untouched', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(0), got = [];
    sem.release(); sem.release(2);
    got.push(sem.value);
    for (const n of [0, -1, 0.5, NaN, Infinity, 2 ** 31, '1', null, 1n, {}]) got.push(thrown(() => sem.release(n)));
    got.push(sem.value);
    sem.release(2 ** 31 - 4);
    got.push(sem.value, thrown(() => sem.release()), thrown(() => sem.release(2 ** 31 - 1)), sem.value);
    const g = sem.acquireSync();
    got.push(thrown(() => sem.release(2)), sem.value);   // one unit is out: room for none, one comes back
    sem.release();
    g.release();
    out([...got, sem.value]);`);
  const most = 2 ** 31 - 1;
  expect(got).toEqual([
    ...[3, ...Array(6).fill(rangeError), ...Array(4).fill(typeError), 3],
    ...[most, rangeError, rangeError, most, rangeError, most - 1, most],
  ]);
});

test('a bounded one: giving back more than was taken is an error, whoever does it, and nothing has happened', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.BoundedSemaphore(2), none = new mp.BoundedSemaphore(0), got = [];
    got.push(thrown(() => sem.release()), thrown(() => sem.release(2)), thrown(() => none.release()), sem.value, none.value);
    const a = sem.acquireSync(), b = sem.acquireSync();
    got.push(thrown(() => sem.release(3)), sem.value);
    sem.release(2);
    got.push(sem.value, thrown(() => sem.release()));
    a.release(); b.release();
    got.push(sem.value);
    sem.acquireSync({ owned: false });
    got.push(sem.value);
    sem.release();
    got.push(sem.value, thrown(() => sem.release()));
    out(got);`);
  expect(got).toEqual([
    ...[overRelease, overRelease, overRelease, 2, 0, overRelease, 0, 2, overRelease, 2],
    ...[1, 2, overRelease],
  ]);
});

test('release() of a holder voids its latest guard; other guards stay good', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(2), got = [];
    const a = sem.acquireSync(), b = sem.acquireSync();
    sem.release();
    got.push(sem.value); b.release(); got.push(sem.value); a.release(); got.push(sem.value);
    sem.release(); got.push(sem.value);
    out(got);`);
  expect(got).toEqual([1, 1, 2, 3]);
});

test('a unit that is consumed comes back from nobody', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(3), got = [];
    const guards = [await sem.acquire({ owned: false }), sem.acquireSync({ owned: false }), sem.tryAcquire({ owned: false })];
    for (const g of guards) { g.release(); g[Symbol.dispose](); got.push(g.abandoned) }
    got.push(sem.value, sem.tryAcquire({ owned: false }));
    const later = sem.acquire({ owned: false });
    sem.release();
    await later;
    got.push(sem.value);
    for (const owned of [1, 'no', {}]) got.push(thrown(() => sem.tryAcquire({ owned })), await rejected(sem.acquire({ timeout: 0, owned })));
    out(got);`);
  expect(got).toEqual([false, false, false, 0, null, 0, ...Array(6).fill(typeError)]);
});

test('timeouts: 0 tries once, others wait at least that long, nonsense is refused before anything happens', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(1), got = {};
    const nonsense = [NaN, -1, -0.001, -Infinity, { timeout: NaN }, { timeout: -5 }];
    const wrong = ['5', { timeout: '5' }, { timeout: 5n }, true, 5n, { signal: 'stop' }, { signal: {} }];
    got.range = [...await Promise.all(nonsense.map((t) => rejected(sem.acquire(t)))), ...nonsense.map((t) => thrown(() => sem.acquireSync(t)))];
    got.type = [...await Promise.all(wrong.map((t) => rejected(sem.acquire(t)))), ...[...wrong, { signal: new AbortController().signal }].map((t) => thrown(() => sem.acquireSync(t)))];
    got.untouched = sem.value;
    for (const t of [0, 0.5, 1e12, Number.MAX_VALUE, Infinity, {}, undefined, null, -0]) {
      (await sem.acquire(t)).release();
      sem.acquireSync(t).release();
    }
    const guard = sem.acquireSync();
    got.waited = [];
    for (const ms of [0, 1, 20]) {
      let from = performance.now();
      const late = await rejected(sem.acquire(ms)), a = performance.now() - from >= ms;
      from = performance.now();
      got.waited.push([late, thrown(() => sem.acquireSync({ timeout: ms })), a, performance.now() - from >= ms]);
    }
    got.left = [sem.value, sem.waiters];
    out(got);`);
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.untouched).toBe(1);
  expect(got.waited).toEqual(Array(3).fill([timeoutError, timeoutError, true, true]));
  expect(got.left).toEqual([0, 0]);
});

test('an abort ends the wait with its reason, and a unit that comes too late is given back', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(1), got = [], reason = { why: 'tired' };
    const why = (p) => p.then((g) => (g.release(), 'fine'), (e) => (e === reason ? 'reason' : e.name));
    got.push(await why(sem.acquire({ signal: AbortSignal.abort(reason) })), sem.value);
    const guard = sem.acquireSync();
    const c = new AbortController();
    const three = [1, 2, 3].map(() => why(sem.acquire({ signal: c.signal }))), stays = why(sem.acquire());
    await turns();
    c.abort(reason);
    got.push(await Promise.all(three));
    guard.release();
    got.push(await stays);
    // Granted by another thread while this one is busy, aborted before the loop could tell.
    for (let i = 0; i < 10; i++) {
      const empty = new mp.Semaphore(0), said = count(), late = new AbortController();
      const peer = i % 2 ? start('thread', (_, sem, said) => (sem.release(), said.add(1)), empty, said) : null;
      const p = why(empty.acquire({ signal: late.signal }));
      await turns();
      if (peer) spin(() => said.value === 1); else empty.release();
      late.abort(reason);
      got.push(['reason', 'fine'].includes(await p) && empty.value);
      empty.close();
    }
    out(got);`);
  expect(got).toEqual(['reason', 1, Array(3).fill('reason'), 'fine', ...Array(10).fill(1)]);
});

test('a synchronous call that overtakes a task with what was granted to it does not leave it behind', async () => {
  const got = await runJson(`${bodyHead}
    const got = [];
    for (const [make, sync, later] of [
      [() => new mp.Semaphore(0), (s) => s.acquireSync(), (s) => s.acquire()],
      [() => new mp.Semaphore(0), (s) => s.acquireSync({ timeout: 9e3 }), (s) => s.acquire({ timeout: 9e3 })],
      [() => new mp.Semaphore(0), (s) => (s.release(), s.acquireSync()), (s) => s.acquire()],
    ]) {
      const sem = make(), said = count(), go = count();
      const peer = start('thread', async ({ untilCount }, sem, said, go) => { await untilCount(go, 1); sem.release(); said.add(1) }, sem, said, go);
      const pending = later(sem);
      await turns();
      go.value = 1;
      spin(() => said.value === 1);             // the unit is the task's, and nobody has told it
      sync(sem).release();
      (await pending).release();
      got.push(sem.value);
    }
    out(got);`);
  expect(got).toEqual([1, 1, 2]);
});

test('a unit on its way to a task is nobody’s to give back: those given back meanwhile are others', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(0), said = count(), go = count();
    start('thread', async ({ untilCount }, sem, said, go) => { await untilCount(go, 1); sem.release(); said.add(1) }, sem, said, go);
    const pending = sem.acquire();
    await turns();
    go.value = 1;
    spin(() => said.value === 1);               // the unit is the task's, and nobody has told it
    sem.release(2);
    const got = [sem.value];
    (await pending).release();
    got.push(sem.value);
    // With a bound: three units are ours, the fourth is on its way; somebody without any gives one of the three back.
    const four = new mp.BoundedSemaphore(4), told = count(), three = [1, 2, 3].map(() => four.acquireSync());
    const peer = start('thread', async ({ untilCount, attempt }, four, told) => {
      const guard = four.acquireSync();
      told.add(1);
      await untilCount(told, 2);
      guard.release();
      const how = attempt(() => four.release());
      told.add(1);
      return how ?? 'fine';
    }, four, told);
    await until(() => told.value === 1);
    const fourth = four.acquire();
    await turns();
    told.add(1);
    spin(() => told.value === 3);
    got.push(await peer.done, four.value);
    for (const g of [await fourth, ...three]) g.release();
    out([...got, four.value, thrown(() => four.release())]);`);
  expect(got).toEqual([2, 3, 'fine', 1, 4, overRelease]);
});

test('close: pending waits fail, guards stay good, everything else is a ClosedError', async () => {
  const got = await runJson(`${bodyHead}
    const sem = new mp.Semaphore(1), got = [];
    const guard = sem.acquireSync(), other = mp.open(mp.share(sem));
    const pending = [sem.acquire(), sem.acquire(1e6), sem.runExclusive(() => 1)].map(rejected), stays = other.acquire();
    await turns();
    sem.close(); sem.close(); sem[Symbol.dispose]();
    got.push(...await Promise.all(pending));
    got.push(...[() => sem.acquireSync(), () => sem.tryAcquire(), () => sem.release(), () => sem.value, () => sem.waiters, () => sem.name, () => mp.share(sem), () => sem.runExclusiveSync(() => 1)].map(thrown), await rejected(sem.acquire()));
    guard.release();
    const last = await stays;
    other.close();
    got.push(native.census().objects > 0);
    last.release();
    out([...got, native.census().objects]);`);
  expect(got).toEqual([...Array(12).fill(closedError), true, 0]);
});

test('a wait that has ended leaves neither a timer nor a listener', async () => {
  const got = await runJson(`${bodyHead}
    import { getEventListeners } from 'node:events';
    const sem = new mp.Semaphore(1), c = new AbortController(), options = { timeout: 1e8, signal: c.signal };
    const guard = await sem.acquire(options);
    const p = sem.acquire(options), late = rejected(sem.acquire({ timeout: 1, signal: c.signal }));
    await late;
    guard.release();
    (await p).release();
    out([getEventListeners(c.signal, 'abort').length, process.getActiveResourcesInfo().filter((x) => x === 'Timeout').length]);`);
  expect(got).toEqual([0, 0]);
});

test('it shows its state when it is printed', async () => {
  const got = await runJson(`${bodyHead}
    import { inspect } from 'node:util';
    const sem = new mp.Semaphore(2), bounded = new mp.BoundedSemaphore(1), got = [inspect(sem), inspect(bounded)];
    bounded.acquireSync(); const p = rejected(bounded.acquire());
    got.push(inspect(bounded));
    bounded.close(); sem.close();
    out([...got, inspect(sem), inspect(bounded)]);`);
  expect(got).toEqual([
    ...[
      '<Semaphore value=2 of 2>',
      '<BoundedSemaphore value=1 of 1>',
      '<BoundedSemaphore value=0 of 1 waiters=1>',
    ],
    ...['<Semaphore closed>', '<BoundedSemaphore closed>'],
  ]);
});

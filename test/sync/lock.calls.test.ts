// What one environment sees of a lock: the calls, their options, their errors, guards.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { closedError, deadlockError, head, rangeError, timeoutError, typeError } from '../support/sync.js';

test('acquire, acquireSync and tryAcquire give guards that exclude each other', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), got = [];
    for (const take of [() => lock.acquire(), () => lock.acquireSync(), () => lock.tryAcquire()]) {
      const guard = await take();
      got.push([lock.locked, guard.abandoned, lock.tryAcquire(), thrown(() => lock.acquireSync()), await rejected(lock.acquire(0))]);
      guard.release();
      got.push(lock.locked);
    }
    out(got);`);
  const held = [true, false, null, deadlockError, timeoutError];
  expect(got).toEqual([held, false, held, false, held, false]);
});

test('timeouts: 0 tries once, others wait at least that long, nonsense is refused before anything happens', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), other = new mp.Lock(), got = {};
    const nonsense = [NaN, -1, -0.001, -Infinity, { timeout: NaN }, { timeout: -5 }];
    const wrong = ['5', { timeout: '5' }, { timeout: 5n }, true, 5n, { timeout: {} }, { signal: 'stop' }, { signal: {} }, { signal: new EventTarget() }];
    got.range = (await Promise.all(nonsense.map((t) => rejected(lock.acquire(t))))).concat(nonsense.map((t) => thrown(() => lock.acquireSync(t))));
    got.type = (await Promise.all(wrong.map((t) => rejected(lock.acquire(t))))).concat([...wrong, { signal: new AbortController().signal }].map((t) => thrown(() => lock.acquireSync(t))));
    got.untouched = [lock.locked, native.census().objects];
    got.fine = [];
    for (const t of [0, 0.5, 5, 1e12, Number.MAX_VALUE, Infinity, { timeout: 0 }, { timeout: undefined }, {}, undefined, null, -0]) {
      (await lock.acquire(t)).release();
      lock.acquireSync(t).release();
      got.fine.push(lock.locked);
    }
    // Held by a worker thread, so that no wait here is one for ourselves.
    const said = new mp.Value('i', 0), told = new mp.Value('i', 0);
    const peer = startPeer('thread', peers.holdUntil, lock, said, told);
    await until(() => said.value === 1);
    got.waited = [];
    for (const t of [0, 1, 30, { timeout: 30 }]) {
      const ms = typeof t === 'object' ? t.timeout : t;
      let from = performance.now();
      const late = await rejected(lock.acquire(t));
      const a = performance.now() - from; from = performance.now();
      got.waited.push([late, thrown(() => lock.acquireSync(t)), a >= ms, performance.now() - from >= ms]);
    }
    told.value = 1;
    got.then = await rejected(lock.acquire(Number.MAX_VALUE));
    out(got);`);
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.untouched).toEqual([false, 2]);
  expect(got.fine).toEqual(Array(12).fill(false));
  expect(got.waited).toEqual(Array(4).fill([timeoutError, timeoutError, true, true]));
  expect(got.then).toBe('fine');
});

test('the messages of timeouts and nonsense name the call and what was given', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock();
    const message = (p) => p.then(() => '', (e) => e.message);
    out([await message(lock.acquire({ timeout: '5' })), await message(lock.acquire(-1)), await message(lock.acquire({ signal: 5 }))]);`);
  expect(got[0]).toBe('Lock.acquire(): timeout must be a number of milliseconds, not "5"');
  expect(got[1]).toBe('Lock.acquire(): timeout must be 0 or more milliseconds, not -1');
  expect(got[2]).toBe('Lock.acquire(): signal must be an AbortSignal, not 5');
});

test('constructors take nothing, and say so', async () => {
  const got = await runJson(`${head}
    const given = [5, 0, 'name', null, {}, [], () => 1, new mp.Lock()];
    out([...given.map((x) => thrown(() => new mp.Lock(x))), ...given.map((x) => thrown(() => new mp.RLock(x))), thrown(() => new mp.Lock(undefined)), thrown(() => mp.Lock()), native.census().objects]);`);
  expect(got).toEqual([...Array(16).fill(typeError), 'fine', 'TypeError undefined', 2]);
});

test('a guard gives up its own acquisition only, and once', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), got = [];
    const old = lock.acquireSync();
    old.release(); old.release(); old[Symbol.dispose]();
    const now = await lock.acquire();
    old.release(); old[Symbol.dispose]();
    got.push(lock.locked);
    lock.release();                                   // by the handle: the guard is void
    got.push(lock.locked, thrown(() => lock.release()));
    const next = lock.tryAcquire();
    now.release();
    got.push(lock.locked);
    next.release();
    got.push(lock.locked);
    const again = mp.open(mp.share(lock));            // a second handle of the same lock
    const one = lock.acquireSync();
    got.push(again.locked, again.tryAcquire(), thrown(() => again.acquireSync()));
    again.release(); one.release();
    got.push(lock.locked);
    out(got);`);
  expect(got).toEqual([true, false, 'ERR_MP_NOT_HELD', true, false, true, null, deadlockError, false]);
});

test('runExclusive returns the value, passes the guard, and releases on every way out', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), rlock = new mp.RLock(), got = [];
    for (const l of [lock, rlock]) {
      got.push(await l.runExclusive((guard) => [l.locked, guard.abandoned]));
      got.push(await l.runExclusive(async () => { await turns(); return l.locked }));
      got.push(l.runExclusiveSync((guard) => [l.locked, guard.abandoned]));
      got.push(await rejected(l.runExclusive(() => { throw new RangeError('a') })), l.locked);
      got.push(await rejected(l.runExclusive(async () => { await turns(); throw new RangeError('b') })), l.locked);
      got.push(thrown(() => l.runExclusiveSync(() => { throw new RangeError('c') })), l.locked);
      got.push(await l.runExclusive((guard) => { guard.release(); return l.locked }), l.locked);
      got.push(await rejected(l.runExclusive(5)), l.locked, thrown(() => l.runExclusiveSync()), l.locked);
    }
    const guard = lock.acquireSync();
    got.push(await rejected(lock.runExclusive(() => got.push('never'), 1)), thrown(() => lock.runExclusiveSync(() => got.push('never'), 1)));
    guard.release();
    out(got);`);
  const each = [
    [true, false],
    true,
    [true, false],
    ...Array(3).fill(['RangeError undefined', false]).flat(),
    ...[false, false],
    ...[typeError, false, typeError, false],
  ];
  expect(got).toEqual([...each, ...each, timeoutError, deadlockError]);
});

test('the tasks of one environment get the lock in the order they asked for it', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), order = [];
    const first = await lock.acquire();
    const tasks = Array.from({ length: 300 }, async (_, i) => {
      const guard = i % 3 === 2 ? await lock.acquire({ timeout: 1e6 }) : await lock.acquire();
      order.push(i);
      if (i % 5 === 0) await turns(1);
      if (i % 7 === 0) lock.release(); else guard.release();
      guard.release();
    });
    first.release();
    await Promise.all(tasks);
    // And again, while somebody else takes it in between.
    const ready = new mp.Value('i', 0), stop = new mp.Value('i', 0);
    const hog = startPeer('thread', peers.hog, lock, ready, stop);
    await until(() => ready.value === 1);
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const guard = await lock.acquire();
      order.push(300 + i);
      guard.release();
    }));
    stop.value = 1;
    await hog.done;
    out([order.length, order.every((x, i) => x === i), lock.locked]);`);
  expect(got).toEqual([350, true, false]);
});

test('waiting synchronously for a lock of our own is a DeadlockError at once, for whatever task holds it', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), got = [];
    let go;
    const task = lock.runExclusive(() => new Promise((resolve) => (go = resolve)));
    await turns();
    got.push(thrown(() => lock.acquireSync()), thrown(() => lock.acquireSync(1e9)), thrown(() => lock.runExclusiveSync(() => 1)));
    go(); await task;
    lock.acquireSync().release();
    // A task that waits is no owner: the synchronous call overtakes it.
    const said = new mp.Value('i', 0), told = new mp.Value('i', 0);
    startPeer('thread', peers.holdUntil, lock, said, told);
    await until(() => said.value === 1);
    let later = 0;
    const pending = lock.acquire().then((guard) => { later++; guard.release() });
    told.value = 1;
    const guard = lock.acquireSync();
    got.push(later, lock.owner.pid === process.pid);
    guard.release();
    await pending;
    out([...got, later, lock.locked]);`);
  expect(got).toEqual([deadlockError, deadlockError, deadlockError, 0, true, 1, false]);
});

test('an abort ends the wait with its reason, and a win that comes too late is given back', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), got = [];
    const reason = { why: 'tired' };
    const why = (p) => p.then(() => 'fine', (e) => (e === reason ? 'reason' : e.name));
    got.push(await why(lock.acquire({ signal: AbortSignal.abort(reason) })), lock.locked);      // although it is free
    const guard = lock.acquireSync();
    got.push(await why(lock.acquire({ signal: AbortSignal.timeout(1) })), await why(lock.acquire({ timeout: 0, signal: AbortSignal.abort(reason) })));
    const c = new AbortController();
    const three = [1, 2, 3].map(() => why(lock.acquire({ signal: c.signal })));
    const stays = lock.acquire();
    await turns();
    c.abort(reason);
    got.push(await Promise.all(three));
    guard.release();
    (await stays).release();
    // Aborted in the very turn of the release, before and after it; held by us, and by another thread.
    for (const order of ['release first', 'abort first']) {
      const held = lock.acquireSync(), late = new AbortController();
      const p = why(lock.acquire({ signal: late.signal }));
      await turns();
      if (order === 'release first') held.release();
      late.abort(reason);
      held.release();
      const how = await p;
      if (how === 'fine') lock.release();
      got.push(how, lock.locked);
    }
    // The grant and the abort of many rounds fall together in every way: the lock is never lost.
    const ready = new mp.Value('i', 0), stop = new mp.Value('i', 0);
    const hog = startPeer('thread', peers.hog, lock, ready, stop);
    await until(() => ready.value === 1);
    let won = 0, aborted = 0;
    for (let i = 0; i < 400; i++) {
      const late = new AbortController();
      const p = lock.acquire({ signal: late.signal }).then((g) => { won++; g.release() }, () => aborted++);
      if (i % 2) await turns(i % 7);
      else for (const end = performance.now() + (i % 13) / 10; performance.now() < end; );
      late.abort(reason);
      await p;
    }
    stop.value = 1;
    await hog.done;
    got.push(won + aborted, lock.locked, lock.tryAcquire() !== null);
    out(got);`);
  expect(got).toEqual([
    ...['reason', false, 'TimeoutError', 'reason'],
    ['reason', 'reason', 'reason'],
    ...['fine', false, 'reason', false],
    ...[400, false, true],
  ]);
});

test('a wait that ends at once leaves neither a timer nor a listener behind', async () => {
  const got = await runJson(
    `${head}
    import { getEventListeners } from 'node:events';
    const lock = new mp.Lock(), said = new mp.Value('i', 0), c = new AbortController();
    for (let i = 0; i < 2; i++) {
      // The next one takes the lock over from a dead owner: not by the bare word, and yet without waiting.
      const peer = startPeer('thread', peers.hold, lock, said);
      await until(() => said.value === i + 1);
      await peer.end();
      const guard = await lock.acquire({ timeout: 1e8, signal: c.signal });
      guard.release();
    }
    const guard = lock.acquireSync();
    const p = lock.acquire({ timeout: 1e8, signal: c.signal });
    guard.release();
    (await p).release();
    out([getEventListeners(c.signal, 'abort').length, process.getActiveResourcesInfo().filter((x) => x === 'Timeout').length]);`,
  );
  expect(got).toEqual([0, 0]);
});

test('close: pending waits fail, guards stay good, everything else is a ClosedError', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), got = [];
    const guard = lock.acquireSync();
    const other = mp.open(mp.share(lock));
    const pending = [lock.acquire(), lock.acquire(1e6), lock.runExclusive(() => 1)].map(rejected);
    const stays = other.acquire();
    await turns();
    lock.close(); lock.close(); lock[Symbol.dispose]();
    got.push(await Promise.all(pending));
    got.push([() => lock.acquireSync(), () => lock.tryAcquire(), () => lock.release(), () => lock.locked, () => lock.owner, () => lock.runExclusiveSync(() => 1), () => mp.share(lock)].map(thrown));
    got.push(await rejected(lock.acquire()), await rejected(lock.runExclusive(() => 1)), String(Object.keys(lock)));
    got.push(other.locked);
    guard.release();
    (await stays).release();
    got.push(other.locked);
    const last = other.acquireSync();
    other.close();                          // the last handle; the guard keeps the lock
    got.push(native.census().objects);
    last.release();
    got.push(native.census().objects);
    last.release();
    got.push(native.census().objects);
    out(got);`);
  expect(got).toEqual([
    Array(3).fill(closedError),
    Array(7).fill(closedError),
    ...[closedError, closedError, 'state'],
    ...[true, false, 1, 0, 0],
  ]);
});

test('a lock shows its state when it is printed', async () => {
  const got = await runJson(`${head}
    import { inspect } from 'node:util';
    const lock = new mp.Lock(), r = new mp.RLock(), got = [inspect(lock), inspect(r)];
    lock.acquireSync(); r.acquireSync();
    got.push(inspect(lock), inspect(r), lock.owner.pid === process.pid, lock.owner.name, lock.owner.thread);
    lock.close(); r.close();
    out([...got, inspect(lock), inspect(r)]);`);
  expect(got).toEqual([
    ...['<Lock free>', '<RLock free>', '<Lock owner=MainProcess>', '<RLock owner=MainProcess>'],
    ...[true, 'MainProcess', 0, '<Lock closed>', '<RLock closed>'],
  ]);
});

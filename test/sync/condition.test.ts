// The condition in one environment: its lock, its two forms, its ends.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { bodyHead, closedError, rangeError, typeError } from '../support/sync.js';

const notHeld = 'ERR_MP_NOT_HELD';

test('it has a lock of its own, or any Lock or RLock; anything else is refused', async () => {
  const got = await runJson(`${bodyHead}
    const lock = new mp.Lock(), r = new mp.RLock(), value = new mp.Value('i', 1), closed = new mp.Lock();
    const got = [new mp.Condition().lock instanceof mp.Lock, new mp.Condition(lock).lock === lock, new mp.Condition(r).lock === r, new mp.Condition(value.lock).lock instanceof mp.RLock];
    closed.close();
    const objects = native.census().objects;
    for (const x of [5, null, {}, [], 'lock', new mp.RWLock(), new mp.Semaphore(), new mp.Condition(), { acquire() {}, release() {} }, mp.share(lock), closed]) got.push(thrown(() => new mp.Condition(x)));
    out([...got, native.census().objects - objects]);`);
  expect(got).toEqual([true, true, true, true, ...Array(11).fill(typeError), 4]); // the four the list itself made
});

test('acquire and release are its lock’s; two conditions may share one', async () => {
  const got = await runJson(`${bodyHead}
    const lock = new mp.RLock(), full = new mp.Condition(lock), empty = new mp.Condition(lock), got = [];
    for (const take of [() => full.acquire(), () => full.acquireSync(), () => full.tryAcquire(), () => lock.acquire()]) {
      const g = await take();
      got.push(lock.locked, full.notify(), empty.notifyAll());
      g.release();
    }
    full.acquireSync(); full.release();
    got.push(lock.locked, await full.runExclusive(() => lock.locked), await rejected(full.runExclusive(() => { throw new RangeError() })), lock.locked);
    got.push(full.runExclusiveSync((g) => [lock.locked, g.abandoned]), thrown(() => full.runExclusiveSync(() => { throw new RangeError() })), lock.locked);
    // Who waits for one is not notified by the other.
    let which = '';
    const waits = [full, empty].map(async (c, i) => { const g = await c.acquire(); await c.wait(); which += i; g.release() });
    await until(() => full.waiters === 1 && empty.waiters === 1);
    await full.runExclusive(() => empty.notify());
    await waits[1];
    got.push(which, full.waiters);
    await full.runExclusive(() => full.notifyAll());
    await waits[0];
    out([...got, which]);`);
  expect(got).toEqual([
    ...Array(4).fill([true, 0, 0]).flat(),
    ...[false, true, 'RangeError undefined', false],
    ...[[true, false], 'RangeError undefined', false, '1', 1, '10'],
  ]);
});

test('without the lock neither wait nor notify, and nobody begins to wait', async () => {
  const got = await runJson(`${bodyHead}
    const got = [];
    for (const lock of [new mp.Lock(), new mp.RLock()]) {
      const c = new mp.Condition(lock), said = count(), go = count();
      const attempt = async () => got.push(await rejected(c.wait()), await rejected(c.waitFor(() => true)), ...[() => c.waitSync(), () => c.waitSync(0), () => c.waitForSync(() => true), () => c.notify(), () => c.notifyAll(), () => c.notify(0)].map(thrown), c.waiters);
      await attempt();
      const peer = start('thread', async ({ untilCount }, lock, said, go) => { const g = lock.acquireSync(); said.add(1); await untilCount(go, 1); g.release() }, lock, said, go);
      await until(() => said.value === 1);
      await attempt();                        // held by another is not held
      go.value = 1;
      await peer.done;
      lock.acquireSync(); lock.release();
      await attempt();
    }
    out(got);`);
  expect(got).toEqual(
    Array(6)
      .fill([...Array(8).fill(notHeld), 0])
      .flat(),
  );
});

test('counts and timeouts that make no sense are refused; the lock is still held, and nobody was woken', async () => {
  const got = await runJson(`${bodyHead}
    const c = new mp.Condition(), got = {};
    const waiter = (async () => { const g = await c.acquire(); const r = await c.wait(); g.release(); return r })();
    await until(() => c.waiters === 1);
    const g = await c.acquire(), signal = new AbortController().signal;
    got.range = [...[-1, 0.5, NaN, Infinity, -Infinity, 2 ** 32, 2 ** 53].map((n) => thrown(() => c.notify(n))), ...[NaN, -1, { timeout: -0.5 }].flatMap((t) => [() => c.waitSync(t), () => c.waitForSync(() => 1, t)].map(thrown))];
    got.range.push(...await Promise.all([NaN, -1, { timeout: -0.5 }].flatMap((t) => [c.wait(t), c.waitFor(() => 1, t)].map(rejected))));
    got.type = [...['1', null, 1n, {}].map((n) => thrown(() => c.notify(n))), ...['5', true, { timeout: 5n }, { signal }].map((t) => thrown(() => c.waitSync(t))), ...await Promise.all(['5', true, { signal: 1 }].map((t) => rejected(c.wait(t)))), thrown(() => c.waitForSync(5)), await rejected(c.waitFor(5)), await rejected(c.waitFor()), await rejected(c.runExclusive(5)), thrown(() => c.runExclusiveSync())];
    got.state = [c.lock.locked, c.waiters, c.notify(0), c.waiters, c.notify(2 ** 32 - 1)];
    g.release();
    out({ ...got, waited: await waiter });`);
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.state).toEqual([true, 1, 0, 1, 1]);
  expect(got.waited).toBe(true);
});

test('notify(n) wakes so many, the oldest first; a notify for nobody is not remembered', async () => {
  const got = await runJson(`${bodyHead}
    const c = new mp.Condition(), order = [], got = [];
    got.push(await c.runExclusive(() => [c.notify(), c.notifyAll(), c.notify(5)]));
    const waits = [];
    for (let i = 0; i < 6; i++) {
      waits.push(c.runExclusive(async () => { const r = await c.wait(); order.push(i); return r }));
      await until(() => c.waiters === i + 1);
    }
    const step = async (n) => {
      const woken = await c.runExclusive(() => (n === undefined ? c.notify() : n === 'all' ? c.notifyAll() : c.notify(n)));
      await until(() => order.length === 6 - c.waiters);
      await turns();
      got.push(woken, order.join(''));
    };
    await step(); await step(2); await step(0); await step('all'); await step(3);
    out([...got, await Promise.all(waits), c.lock.locked]);`);
  expect(got).toEqual([
    [0, 0, 0],
    ...[1, '0', 2, '012', 0, '012', 3, '012345', 0, '012345'],
    Array(6).fill(true),
    false,
  ]);
});

test('a wait gives up every level of an RLock and brings all of them back, with their guards', async () => {
  const got = await runJson(`${bodyHead}
    const r = new mp.RLock(), c = new mp.Condition(r), said = count(), got = [];
    const notifier = () => start('thread', async ({ mp }, c, said) => { const g = await c.acquire(); said.add(1); const n = c.notify(); g.release(); return n }, c, said);
    const levels = () => { let n = 0; for (; r.owner !== null; n++) r.release(); return n };
    for (const wait of [() => c.wait(), () => c.waitSync(), () => c.wait(20), () => c.waitSync(20), () => c.waitFor(() => said.value > 90 || !(said.value = 91) ), () => c.waitForSync(() => said.value > 95 || !(said.value = 96), 20)]) {
      const a = r.acquireSync(), b = r.acquireSync(), d = a.acquire();
      const timed = wait.toString().includes('20');
      const p = timed ? null : notifier();
      if (wait.toString().includes('waitFor')) said.value = 90;
      const result = await wait();
      got.push([result, p ? await p.done : 'late', r.locked, r.owner.pid === process.pid]);
      d.release(); d.release();
      b.acquire().release();
      got.push(levels());
      a.release(); b.release();
      got.push(r.locked);
    }
    out(got);`);
  const woken = [true, 1, true, true];
  expect(got.slice(0, 12)).toEqual([
    ...[woken, 2, false, woken, 2, false],
    ...[[false, 'late', true, true], 2, false, [false, 'late', true, true], 2, false],
  ]);
  for (const i of [13, 14, 16, 17]) expect(got[i]).toBe(i % 3 === 1 ? 2 : false);
});

test('timeouts: false with the lock, not before their time; a notify that comes meanwhile counts', async () => {
  const got = await runJson(`${bodyHead}
    const c = new mp.Condition(), got = [];
    const g = await c.acquire();
    for (const ms of [0, 1, 20]) {
      let from = performance.now();
      const a = [await c.wait(ms), performance.now() - from >= ms, c.lock.locked];
      from = performance.now();
      got.push([...a, c.waitSync({ timeout: ms }), performance.now() - from >= ms, c.lock.locked]);
    }
    // Its time is up, but it has not got its lock back: the notify is not lost on it.
    const late = c.wait(1);
    const other = await c.acquire();
    await new Promise((r) => setTimeout(r, 20));
    got.push(c.notify());
    other.release();
    got.push(await late, c.waiters);
    g.release();
    got.push(c.lock.locked);
    out(got);`);
  expect(got).toEqual([...Array(3).fill([false, true, true, false, true, true]), 1, true, 0, false]);
});

test('an abort ends a wait with its reason, with the lock; a notify it had is passed on', async () => {
  const got = await runJson(`${bodyHead}
    const c = new mp.Condition(), got = [], reason = { why: 1 };
    const why = (p) => p.catch((e) => (e === reason ? 'reason' : nameOf(e)));
    const task = (signal) => c.runExclusive(async () => [await why(c.wait({ signal })), c.lock.locked]);
    got.push(await task(AbortSignal.abort(reason)), c.waiters);
    const first = new AbortController(), one = task(first.signal), two = task();
    await until(() => c.waiters === 2);
    first.abort(reason);
    got.push(await one, c.waiters);
    const second = new AbortController(), three = task(second.signal), four = task();
    await until(() => c.waiters === 3);
    const g = await c.acquire();
    got.push(c.notify(2));                    // two and three
    await new Promise((r) => setTimeout(r, 20));
    second.abort(reason);
    g.release();
    got.push(await two, await three, await four);
    out([...got, c.waiters, c.lock.locked]);`);
  const aborted = ['reason', true];
  expect(got[0]).toEqual(aborted);
  expect(got.slice(1, 4)).toEqual([0, aborted, 1]);
  expect(got.slice(4, 6)).toEqual([2, [true, true]]);
  // Three was notified before it was aborted: either end is right, and four has the notify only if three gave it up.
  expect(got.slice(6)).toEqual([aborted, [true, true], 0, false]);
}, 15_000);

test('waitFor: called with the lock, as often as it takes; its last value is the result, its error the end', async () => {
  const got = await runJson(`${bodyHead}
    const c = new mp.Condition(), n = count(), got = [];
    for (const form of ['waitFor', 'waitForSync']) {
      n.value = 0;
      const g = await c.acquire();
      const peer = start('thread', async (_, c, n) => { for (let i = 0; i < 3; i++) { const g = await c.acquire(); n.add(1); c.notifyAll(); g.release() } }, c, n);
      let calls = 0, unlocked = 0;
      got.push(await c[form](() => { calls++; if (!c.lock.locked) unlocked++; return n.value === 3 && 'three' }), calls >= 2 && calls <= 4, unlocked);
      const from = performance.now();
      got.push(await c[form](() => '', 20), performance.now() - from >= 20, await c[form](() => 0, { timeout: 0 }), c.lock.locked);
      let error = '';
      try { await c[form](() => { throw new RangeError() }) } catch (e) { error = e.name }
      got.push(error, c.lock.locked);
      g.release();
      await peer.done;
    }
    got.push(await c.runExclusive(() => c.waitFor(async () => { await turns(); return 'later' })), c.lock.locked);
    out(got);`);
  const each = ['three', true, 0, '', true, 0, true, 'RangeError', true];
  expect(got).toEqual([...each, ...each, 'later', false]);
});

test('close: pending waits fail without the lock, wherever they are; their notifies go to others', async () => {
  const got = await runJson(`${bodyHead}
    const got = [], lock = new mp.Lock();
    const task = async (c) => { const g = await lock.acquire(); try { return [await c.wait()] } catch (e) { return nameOf(e) } finally { g.release() } };
    for (const when of ['waiting', 'notified', 'timed out']) {
      const c = new mp.Condition(lock), other = mp.open(mp.share(c));
      let closing, stays, g;
      if (when === 'timed out') {
        stays = task(other);
        await until(() => c.waiters === 1);
        lock.acquireSync();
        closing = rejected(c.wait(1));
        g = lock.acquireSync();                              // in one breath: it cannot have the lock back before us
      } else {
        closing = task(c);
        await until(() => c.waiters === 1);
        stays = task(other);
        await until(() => c.waiters === 2);
        g = await lock.acquire();
        if (when === 'notified') got.push(other.notify());
      }
      await new Promise((r) => setTimeout(r, 20));           // its time is up, and it is on its way to the lock
      c.close(); c.close();
      got.push(await closing);
      if (when !== 'notified') got.push(other.notify());
      g.release();
      got.push(await stays, lock.locked);
      other.close();
    }
    const c = new mp.Condition(), g = c.acquireSync(), p = rejected(c.wait());
    c.close();
    got.push(await p);
    got.push(...[() => c.notify(), () => c.notifyAll(), () => c.waitSync(), () => c.acquireSync(), () => c.tryAcquire(), () => c.release(), () => c.waiters, () => mp.share(c), () => c.runExclusiveSync(() => 1)].map(thrown), await rejected(c.wait()), await rejected(c.acquire()), await rejected(c.runExclusive(() => 1)));
    lock.close();
    await until(() => native.census().objects === 0);
    out(got);`);
  expect(got).toEqual([
    ...[closedError, 1, [true], false],
    ...[1, closedError, [true], false],
    ...[closedError, 1, [true], false],
    ...Array(13).fill(closedError),
  ]);
});

test('its lock’s handle closed under it: waits fail, and calls say so', async () => {
  const got = await runJson(`${bodyHead}
    const lock = new mp.Lock(), keep = mp.open(mp.share(lock)), c = new mp.Condition(lock);
    const g = await c.acquire(), p = rejected(c.wait(20));
    lock.close();                                            // before its time is up
    out([await p, await rejected(c.wait()), thrown(() => c.notify()), thrown(() => c.acquireSync()), keep.locked]);`);
  expect(got).toEqual([...Array(4).fill(closedError), false]);
});

test('it shows its state when it is printed', async () => {
  const got = await runJson(`${bodyHead}
    import { inspect } from 'node:util';
    const c = new mp.Condition(), got = [inspect(c)];
    const w = c.runExclusive(() => c.wait());
    await until(() => c.waiters === 1);
    got.push(inspect(c));
    await c.runExclusive(() => (got.push(inspect(c)), c.notify()));
    await w;
    c.close();
    out([...got, inspect(c)]);`);
  expect(got).toEqual([
    ...['<Condition lock=<Lock free>>', '<Condition lock=<Lock free> waiters=1>'],
    ...['<Condition lock=<Lock owner=MainProcess> waiters=1>', '<Condition closed>'],
  ]);
});

// What locks cost and leave: nothing grows, nothing stays.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { head } from '../support/sync.js';

test('10,000 rounds of create, use and close: no object, descriptor, thread or memory more', async () => {
  const got = await runJson(
    `${head}
    import { readdirSync } from 'node:fs';
    const fds = () => readdirSync('/proc/self/fd').length, threads = () => readdirSync('/proc/self/task').length;
    const keep = new mp.Lock();
    const round = async (i) => {
      const lock = i % 2 ? new mp.Lock() : new mp.RLock(), value = new mp.Value('q', 1);
      const guard = i % 3 ? lock.acquireSync() : await lock.acquire();
      const again = mp.open(mp.share(lock));
      if (i % 10 === 0) { const p = rejected(again.acquire({ timeout: 1e6, signal: new AbortController().signal })); again.close(); await p }
      value.update((v) => v + 1n);
      value.close(); value.close();
      if (i % 4) guard.release();
      lock.close(); again.close();
      guard.release();
      return 0;
    };
    for (let i = 0; i < 2000; i++) await round(i);             // warm
    globalThis.gc();
    const before = { fds: fds(), threads: threads(), slots: native.census().slotsReserved, rss: process.memoryUsage.rss() };
    for (let i = 0; i < 10000; i++) await round(i);
    globalThis.gc();
    const after = { fds: fds(), threads: threads(), slots: native.census().slotsReserved, rss: process.memoryUsage.rss() };
    const census = native.census();
    keep.close();
    out({ fds: after.fds - before.fds, threads: after.threads - before.threads, slots: after.slots - before.slots, rss: after.rss - before.rss, objects: census.objects, end: native.census().objects });`,
    { execArgv: ['--expose-gc'] },
  );
  expect(got).toMatchObject({ fds: 0, slots: 0, objects: 1, end: 0 });
  expect(got.threads).toBeLessThanOrEqual(0);
  expect(got.rss).toBeLessThan(16 << 20); // 10,000 leaked handles with their state would be more
});

test('a lock costs one slot of at most 128 bytes and no descriptor', async () => {
  const got = await runJson(`${head}
    import { readdirSync } from 'node:fs';
    const first = new mp.Lock();
    const fds = readdirSync('/proc/self/fd').length, before = native.census();
    const locks = Array.from({ length: 5000 }, () => new mp.Lock());
    const after = native.census();
    out([native.layout.slotBytes <= 128, after.objects - before.objects, after.slotsReserved - before.slotsReserved <= 5120, readdirSync('/proc/self/fd').length - fds]);`);
  expect(got).toEqual([true, 5000, true, 0]);
});

test('a thousand tasks may wait for as many locks at once', async () => {
  const got = await runJson(`${head}
    const locks = Array.from({ length: 1000 }, () => new mp.Lock()), told = new mp.Value('i', 0);
    const holder = startPeer('thread', peers.holdAll, locks, told);
    await until(() => told.value === 1);
    const waits = locks.map((l) => l.acquire());
    await turns();
    told.value = 2;
    const guards = await Promise.all(waits);
    const all = guards.filter((g) => !g.abandoned).length, held = locks.filter((l) => l.locked).length;
    guards.forEach((g) => g.release());
    await holder.done;
    out([all, held, locks.filter((l) => l.locked).length]);`);
  expect(got).toEqual([1000, 1000, 0]);
});

test('a waiting thread that cannot be started is an error of the call, and the lock goes on', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), told = new mp.Value('i', 0), go = new mp.Value('i', 0);
    startPeer('thread', peers.holdUntil, lock, told, go);
    await until(() => told.value === 1);
    const { waitLock } = native;
    native.waitLock = () => { throw Object.assign(new Error('pthread_create: Resource temporarily unavailable (EAGAIN)'), { errno: 'EAGAIN', syscall: 'pthread_create' }) };
    const both = await Promise.all([rejected(lock.acquire()), rejected(lock.acquire({ timeout: 1e6, signal: new AbortController().signal }))]);
    native.waitLock = waitLock;
    go.value = 1;
    out([...both, await rejected(lock.acquire()), lock.locked]);`);
  expect(got).toEqual(['ERR_MP_MEMORY', 'ERR_MP_MEMORY', 'fine', true]);
});

test('handles: any number of one lock, closed in any order; the last one ends it', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), handle = mp.share(lock);
    const more = Array.from({ length: 100 }, () => mp.open(handle));
    const guard = more[50].acquireSync();
    const seen = [native.census().objects, more.every((l) => l.locked)];
    lock.close();
    for (const l of more.splice(10)) l.close();
    seen.push(more.every((l) => l.locked && l.tryAcquire() === null), native.census().objects);
    guard.release();
    for (const l of more) l.close();
    seen.push(native.census().objects, thrown(() => mp.open(handle)));
    const next = new mp.Lock();                  // in the same slot: the old handle is not for it
    seen.push(mp.share(next).slot === handle.slot, thrown(() => mp.open(handle)), thrown(() => more[0].acquireSync()));
    out(seen);`);
  const gone = 'ClosedError ERR_MP_CLOSED';
  expect(got).toEqual([1, true, true, 1, 0, gone, true, gone, gone]);
});

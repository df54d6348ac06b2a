// Several processes, and several threads, on one lock.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { grounds, head } from '../support/sync.js';

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('the lock excludes, in every way to take it: the total is exact', async () => {
    const got = await runJson(
      `${head}
      const lock = new mp.Lock(), total = new mp.RawValue('d', 0), got = [];
      const ready = new mp.RawValue('i', 0);
      const ways = ['sync', 'async', 'try', 'exclusive'], rounds = { sync: 30000, async: 2000, try: 300, exclusive: 2000 };
      const all = ways.map((way) => startPeer('${ground}', peers.count, lock, total, rounds[way], way, ready, ways.length));
      const counted = await Promise.all(all.map((p) => p.done));
      got.push(counted.reduce((a, b) => a + b), total.value, lock.locked);
      out(got);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([34300, 34300, false]);
  });

  test('the detector detects: without the lock the same total is wrong', async () => {
    const got = await runJson(
      `${head}
      const lock = new mp.Lock();
      let lost = 0;
      for (let i = 0; i < 20 && lost === 0; i++) {
        const total = new mp.RawValue('d', 0), ready = new mp.RawValue('i', 0);
        const all = [1, 2].map(() => startPeer('${ground}', peers.count, lock, total, 100000, 'unlocked', ready, 2));
        await Promise.all(all.map((p) => p.done));
        lost += 200000 - total.value;
      }
      out(lost > 0);`,
      { timeout: 50_000 },
    );
    expect(got).toBe(true);
  });

  test('others see who holds it, may release it, and the holder notices', async () => {
    const got = await runJson(`${head}
      const lock = new mp.Lock(), got = [];
      const see = (...args) => startPeer('${ground}', ...args).done;
      const free = await see(peers.look, lock);
      const guard = await lock.acquire();
      const [held, done, again] = await Promise.all([see(peers.look, lock), 0, 0]);
      got.push(free, { ...held, owner: { ...held.owner, pid: held.owner.pid === process.pid } });
      got.push(await see(peers.releaseOther, lock), lock.locked);
      got.push(await see(peers.releaseOther, lock));
      const mine = lock.tryAcquire();
      guard.release();                               // void: somebody else has released it
      got.push(lock.locked, mine !== null);
      mine.release();
      out(got);`);
    expect(got).toEqual([
      { locked: false, owner: null },
      { locked: true, owner: { pid: true, name: 'MainProcess', thread: 0 } },
      ...['released', false, 'MultiprocessingError ERR_MP_NOT_HELD', true, true],
    ]);
  });

  test('the owner is named by process, name and thread', async () => {
    const got = await runJson(`${head}
      import { inspect } from 'node:util';
      const lock = new mp.Lock(), told = new mp.Value('i', 0);
      const peer = startPeer('${ground}', peers.hold, lock, told);
      await until(() => told.value === 1);
      const { pid, name, thread } = lock.owner, shown = inspect(lock);
      await peer.end();
      out([pid === peer.pid, name, thread > 0, shown.replace(/=\\d+>/, '=N>'), lock.owner]);`);
    const name = ground === 'thread' ? 'MainProcess' : 'Process-1';
    const shown = ground === 'thread' ? '<Lock owner=MainProcess thread=N>' : '<Lock owner=Process-1>';
    expect(got).toEqual([true, name, ground === 'thread', shown, null]);
  });

  test('a task that waits gets the lock when its own environment releases what another holds', async () => {
    const got = await runJson(`${head}
      const lock = new mp.Lock(), told = new mp.Value('i', 0), got = [];
      for (let i = 1; i <= 2; i++) {
        const peer = startPeer('${ground}', peers.hold, lock, told, i === 1 ? 'sync' : 'async');
        await until(() => told.value === i);
        const pending = [lock.acquire(), lock.acquire()];
        await turns();
        lock.release();
        for (const p of pending) (await p).release();
        got.push(lock.locked, thrown(() => lock.release()));
        await peer.end();
      }
      out(got);`);
    expect(got).toEqual([false, 'ERR_MP_NOT_HELD', false, 'ERR_MP_NOT_HELD']);
  });

  test('a task behind its own environment gets the lock when somebody else releases it', async () => {
    const got = await runJson(`${head}
      const lock = new mp.Lock(), got = [];
      for (let i = 0; i < 3; i++) {
        const dropped = await lock.acquire();          // and never released here: the lock as a signal between processes
        const next = lock.acquire(), third = lock.acquire();
        startPeer('${ground}', peers.releaseOther, lock);
        const guard = await next;
        dropped.release();
        got.push(lock.locked, guard.abandoned);
        guard.release();
        (await third).release();
      }
      out([...got, lock.locked]);`);
    expect(got).toEqual([...Array(3).fill([true, false]).flat(), false]);
  });

  test('a peer that takes the lock again at once does not keep the others out', async () => {
    // Ours come through, and theirs go on meanwhile. Starving would be for ever: the watchdog's to notice.
    const got = await runJson(
      `${head}
      const lock = new mp.Lock(), ready = new mp.Value('i', 0), stop = new mp.Value('i', 0);
      const hogs = [1, 2].map(() => startPeer('${ground}', peers.hog, lock, ready, stop));
      await until(() => ready.value === 2);
      for (let i = 0; i < 60; i++) {
        const guard = i % 2 ? lock.acquireSync() : await lock.acquire();
        guard.release();
      }
      stop.value = 1;
      out(await Promise.all(hogs.map((h) => h.done)));`,
      { timeout: 50_000 },
    );
    expect(Math.min(...got)).toBeGreaterThan(0);
  });

  test('1,000 locks at once, each counted under by two peers', async () => {
    const got = await runJson(
      `${head}
      const locks = Array.from({ length: 1000 }, () => new mp.Lock()), totals = locks.map(() => new mp.RawValue('i', 0));
      const both = [1, 2].map((n) => startPeer('${ground}', peers.countMany, locks, totals, 50, n));
      await Promise.all(both.map((p) => p.done));
      out([totals.filter((t) => t.value === 100).length, locks.filter((l) => l.locked).length, native.census().objects]);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([1000, 0, 2000]);
  });
});

test('a lock goes through postMessage and process.send as a handle, and comes out as the same lock', async () => {
  const got = await runJson(`${head}
    import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
    const lock = new mp.Lock(), r = new mp.RLock(), v = new mp.Value('q', 5n), raw = new mp.RawValue('u', 'x');
    const { port1, port2 } = new MessageChannel();
    port1.postMessage([lock, r, v, raw].map(mp.share));
    const back = receiveMessageOnPort(port2).message.map(mp.open);
    const viaJson = [lock, r, v, raw].map((x) => mp.open(JSON.parse(JSON.stringify(mp.share(x)))));
    lock.acquireSync(); r.acquireSync();
    v.value = 2n ** 62n; raw.value = 'y';
    const seen = [back, viaJson].map(([l, r, v, raw]) => [l.constructor.name, l.locked, r.constructor.name, r.locked, v.constructor.name, String(v.value), raw.constructor.name, raw.value]);
    let failed = 0;
    try { port1.postMessage(lock) } catch { failed++ }         // Node cannot clone the object itself, or clones an empty one
    const census = native.census().objects;
    [...back, ...viaJson, v, raw].forEach((x) => x.close());
    lock.release(); r.release(); lock.close(); r.close();
    out([...seen, census, native.census().objects]);`);
  const same = ['Lock', true, 'RLock', true, 'Value', String(2n ** 62n), 'RawValue', 'y'];
  expect(got).toEqual([same, same, 4, 0]);
});

test('worker threads open what is shared with them, and what they make outlives their handle, not them', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), value = new mp.Value('i', 7);
    const before = await startPeer('thread', peers.setValue, value, 8).done;
    const guard = lock.acquireSync();
    const [{ locked, owner }] = await Promise.all([startPeer('thread', peers.look, lock).done]);
    guard.release();
    // The other way round: the thread's own object, opened here while it lives, is ours when it has gone.
    const said = new mp.Value('i', 0), told = new mp.Value('i', 0);
    const maker = startPeer('thread', peers.makeAndTell, said, told);
    await until(() => said.value > 0);
    const handle = { ...mp.share(said), slot: said.value, generation: told.value };
    const own = mp.open(handle), other = mp.open({ ...handle });
    await maker.end();
    other.close();
    own.value += 1;
    const still = own.value;
    own.close();
    out([before, value.value, locked, owner.pid === process.pid, owner.thread, still, thrown(() => mp.open(handle))]);`);
  expect(got).toEqual([7, 8, true, true, 0, 43, 'ClosedError ERR_MP_CLOSED']);
});

// Owners and waiters that die, in every way they can: the next one gets the lock and is told, nobody else notices.
import { describe as group, expect, test } from 'vitest';
import { describe, runJson, runScript } from '../support/child.js';
import { grounds, head } from '../support/sync.js';

group.each(grounds)('a %s', (ground) => {
  for (const way of ['sync', 'async', 'exit'] as const) {
    const how = way === 'exit' ? 'calls process.exit' : `is killed after taking it ${way}hronously`;
    test(`that ${how}: the next owner is told, the one after is not`, async () => {
      const got = await runJson(`${head}
        const got = [];
        for (const next of ['acquireSync', 'acquire', 'tryAcquire', 'waiting']) {
          const lock = new mp.Lock(), r = new mp.RLock(), told = new mp.Value('i', 0);
          const one = startPeer('${ground}', peers.hold, lock, told, '${way}');
          const two = startPeer('${ground}', peers.hold, r, told, '${way}');
          await until(() => told.value === 2);
          const waiting = next === 'waiting' ? [lock.acquire(), r.acquire()] : null;
          if ('${way}' === 'exit') await Promise.all([one.done, two.done]); else await Promise.all([one.end(), two.end()]);
          if (!waiting) got.push(lock.locked, lock.owner, thrown(() => lock.release()), thrown(() => r.release()));
          const guards = waiting ? await Promise.all(waiting) : [await lock[next](), await r[next]()];
          got.push(guards.map((g) => g.abandoned), lock.locked);
          guards.forEach((g) => g.release());
          const after = [lock.acquireSync(), r.acquireSync()];
          got.push(after.map((g) => g.abandoned));
        }
        out(got);`);
      const told = [[true, true], true, [false, false]];
      const free = [false, null, 'ERR_MP_NOT_HELD', 'ERR_MP_NOT_OWNER'];
      expect(got).toEqual([
        ...Array(3)
          .fill([...free, ...told])
          .flat(),
        ...told,
      ]);
    });
  }

  test('that returns while it holds the lock: the same, when it has ended', async () => {
    const got = await runJson(`${head}
      const lock = new mp.Lock(), told = new mp.Value('i', 0);
      const p = startPeer('${ground}', peers.hold, lock, told, 'return');
      const result = await p.done;
      const guard = await lock.acquire();
      out([result, guard.abandoned]);`);
    expect(got).toEqual(['returned', true]);
  });

  test('waiters die while they wait, in any order: the others go on', async () => {
    const got = await runJson(
      `${head}
      const lock = new mp.Lock(), waiting = new mp.Value('i', 0), got = [];
      for (let round = 0; round < 2; round++) {
        const guard = lock.acquireSync();
        waiting.value = 0;
        const victims = ['sync', 'async', 'sync'].map((way) => startPeer('${ground}', peers.waitForGood, lock, waiting, way));
        const others = ['async', 'sync'].map((way) => startPeer('${ground}', peers.take, lock, waiting, way));
        await until(() => waiting.value === 5);
        // Some time to starve, so that a claim is out: no outcome depends on it.
        await new Promise((r) => setTimeout(r, 5 * round));
        if (round === 0) await Promise.all(victims.map((v) => v.end())), guard.release();
        else guard.release(), await Promise.all(victims.map((v) => v.end())); // dies as it wins: then it was an owner
        const abandoned = await Promise.all(others.map((o) => o.done));
        if (round === 0) got.push(abandoned);
        lock.acquireSync().release();
        got.push(lock.locked);
      }
      out(got);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([[false, false], false, false]);
  });
});

test('what is told survives a taker that lets go at once: aborted, closed, released', async () => {
  const got = await runJson(`${head}
    const got = [];
    for (const way of ['abort', 'close', 'release']) {
      const lock = new mp.Lock(), told = new mp.Value('i', 0), c = new AbortController();
      const p = new mp.Process(peers.hold, lock, told).start();
      await until(() => told.value === 1);
      const handle = mp.open(mp.share(lock));
      const pending = lock.acquire({ signal: c.signal }).then((g) => (g.release(), g.abandoned), nameOf);
      await turns();
      // This thread stays busy, so that the lock is taken in the background and nobody is told: then it is too late. On a
      // busy machine we may miss the moment (after 10 ms it is passed on); what is told at last is the same.
      p.kill();
      for (const end = performance.now() + 500; handle.owner?.pid !== process.pid && performance.now() < end; );
      if (way === 'abort') c.abort(); else if (way === 'close') lock.close(); else thrown(() => handle.release());   // then it waits again
      const ended = await pending;
      const guard = await handle.acquire();
      got.push(ended, guard.abandoned);
      guard.release();
      await p.join();
    }
    out(got);`);
  expect(got).toEqual(['AbortError 20', true, 'ClosedError ERR_MP_CLOSED', true, true, false]);
});

test('a lock whose owner is dead but not yet reaped is free, and cannot be released', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), told = new mp.Value('i', 0);
    const p = new mp.Process(peers.hold, lock, told).start();
    await until(() => told.value === 1);
    p.kill();
    while (lock.locked);
    out([thrown(() => lock.release()), lock.owner, lock.tryAcquire().abandoned]);`);
  expect(got).toEqual(['ERR_MP_NOT_HELD', null, true]);
});

test('a worker thread that is terminated with waits pending, won or lost, takes nothing with it', async () => {
  const got = await runJson(
    `${head}
    const lock = new mp.Lock(), waiting = new mp.Value('i', 0);
    for (let i = 0; i < 15; i++) {
      const guard = lock.acquireSync();
      waiting.value = 0;
      const all = [0, 1, 2].map((n) => startPeer('thread', peers.waitForGood, lock, waiting, n === 2 && i % 2 ? 'sync' : 'async'));
      await until(() => waiting.value >= 3);
      if (i % 3 === 0) guard.release();
      await Promise.all(all.map((w) => w.end()));
      guard.release();
      lock.acquireSync().release();
    }
    out([lock.locked, native.census().participants, native.census().objects]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([false, 1, 2]);
});

for (const how of ['process.exit(3)', 'throw new Error("uncaught on purpose")']) {
  test(`the main thread ends at once although worker threads block: ${how}`, async () => {
    const end = await runScript(
      `${head}
      const lock = new mp.Lock(), waiting = new mp.Value('i', 0);
      lock.acquireSync();
      for (const way of ['sync', 'async', 'join']) startPeer('thread', peers.waitForGood, lock, waiting, way);
      lock.acquire();
      await until(() => waiting.value === 3);
      setTimeout(() => { ${how} }, 20);`,
      { timeout: 20_000 },
    );
    expect(end.code, describe(end)).toBe(how.includes('exit') ? 3 : 1);
  });
}

test('a worker thread that ends in every way leaves no participant and no object', async () => {
  const end = await runScript(
    `${head}
    const lock = new mp.Lock(), told = new mp.Value('i', 0);
    for (const way of ['exit', 'return', 'sync', 'async']) {
      told.value = 0;
      const p = startPeer('thread', peers.hold, lock, told, way);
      await until(() => told.value === 1);
      if (way === 'sync' || way === 'async') await p.end(); else await p.done;
      const guard = await lock.acquire();
      console.log(way, guard.abandoned);
      guard.release();
    }
    await until(() => native.census().participants === 1);
    console.log(native.census().objects);`,
  );
  expect(end.stdout, describe(end)).toBe('exit true\nreturn true\nsync true\nasync true\n2\n');
});

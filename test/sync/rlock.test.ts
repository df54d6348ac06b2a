// The re-entrant lock: who enters again, at which level it is free, and who may release.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { closedError, grounds, head, rangeError, timeoutError, typeError } from '../support/sync.js';

test('synchronous calls of the owner enter again, and each level is left once', async () => {
  const got = await runJson(`${head}
    const r = new mp.RLock(), got = [];
    const a = r.acquireSync(), b = r.acquireSync(5), c = r.tryAcquire();
    got.push(r.runExclusiveSync(() => r.locked));
    for (const guard of [b, b, b, a, a]) { guard.release(); got.push(r.locked) }
    c[Symbol.dispose](); got.push(r.locked);
    const d = r.acquireSync(), e = r.acquireSync();
    a.release(); b.release(); c.release();           // of an older acquisition: nothing
    got.push(r.locked);
    r.release(); got.push(r.locked);
    r.release(); got.push(r.locked, thrown(() => r.release()));
    d.release(); e.release();
    got.push(r.locked);
    for (let i = 0; i < 10000; i++) r.acquireSync();
    for (let i = 0; i < 9999; i++) r.release();
    got.push(r.locked); r.release(); got.push(r.locked);
    out(got);`);
  expect(got).toEqual([
    true,
    ...[true, true, true, true, true, false],
    ...[true, true, false, 'ERR_MP_NOT_OWNER', false, true, false],
  ]);
});

test('a task enters again by its guard; two tasks do not enter each other', async () => {
  const got = await runJson(`${head}
    const r = new mp.RLock(), order = [];
    const task = async (name) => {
      const guard = await r.acquire();
      order.push(name);
      const inner = guard.acquire();
      await turns();
      const innermost = inner.acquire();
      order.push(name);
      guard.release(); await turns(); inner.release(); await turns();
      order.push(name);
      innermost.release(); innermost.release();
    };
    await Promise.all(['a', 'b', 'c'].map(task));
    const guard = await r.acquire();
    const late = await Promise.all([rejected(r.acquire(0)), rejected(r.acquire(5)), r.acquire({ signal: AbortSignal.abort('why') }).catch((e) => e)]);
    guard.release();
    const outer = r.acquireSync();
    out([order.join(''), ...late, r.locked, thrown(() => guard.acquire()), await rejected(r.runExclusive(() => 1, 5))]);`);
  expect(got).toEqual([
    'aaabbbccc',
    ...[timeoutError, timeoutError, 'why', true, 'ERR_MP_NOT_HELD', timeoutError],
  ]);
});

test.each(grounds)('nobody but the owner releases it: a %s', async (ground) => {
  const got = await runJson(`${head}
    const r = new mp.RLock();
    const free = await startPeer('${ground}', peers.releaseOther, r).done;
    const guard = r.acquireSync(), again = r.acquireSync();
    const held = await startPeer('${ground}', peers.releaseOther, r).done;
    guard.release();
    const seen = await startPeer('${ground}', peers.look, r).done;
    again.release();
    const told = new mp.Value('i', 0);
    const peer = startPeer('${ground}', peers.hold, r, told);
    await until(() => told.value === 1);
    let message = '';
    try { r.release() } catch (e) { message = e.message }
    const other = [r.tryAcquire(), thrown(() => r.acquireSync(5)), await rejected(r.acquire(5)), /held by this environment: .* \\(pid \\d+\\) holds it/.test(message)];
    await peer.end();
    const next = r.acquireSync(), inner = next.acquire();
    out([free, held, seen.locked, r.locked, ...other, next.abandoned, inner.abandoned]);`);
  const refused = 'MultiprocessingError ERR_MP_NOT_OWNER';
  expect(got).toEqual([refused, refused, true, true, null, timeoutError, timeoutError, true, true, true]);
});

test.each(grounds)('it excludes %s peers with an exact total', async (ground) => {
  const got = await runJson(
    `${head}
    const r = new mp.RLock(), total = new mp.RawValue('d', 0), ready = new mp.RawValue('i', 0);
    const ways = ['sync', 'async', 'exclusive'];
    await Promise.all(ways.map((way) => startPeer('${ground}', peers.count, r, total, 2000, way, ready, 3).done));
    out([total.value, r.locked]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([6000, false]);
});

test('use after close and bad input', async () => {
  const got = await runJson(`${head}
    const r = new mp.RLock(), got = [];
    got.push(await rejected(r.acquire({ timeout: '5' })), thrown(() => r.acquireSync(-1)), thrown(() => r.acquireSync('1')), await rejected(r.acquire({ signal: 1 })), r.locked);
    const guard = r.acquireSync(), pending = rejected(r.acquire());
    r.close(); r.close();
    got.push(await pending, thrown(() => r.acquireSync()), thrown(() => r.tryAcquire()), thrown(() => r.release()), await rejected(r.acquire()), thrown(() => r.locked));
    const inner = guard.acquire();
    got.push(native.census().objects);
    guard.release(); inner.release();
    got.push(native.census().objects);
    out(got);`);
  expect(got).toEqual([
    ...[typeError, rangeError, typeError, typeError, false],
    ...Array(6).fill(closedError),
    ...[1, 0],
  ]);
});

// wait(): the first of several things.
import { expect, test } from 'vitest';
import { runJson, runScript } from '../support/child.js';
import { bodyHead as head, closedError, rangeError, typeError } from '../support/sync.js';

test('gives those that are ready, in order, and takes nothing from them', async () => {
  const got = await runJson(`${head}
    const [a, b] = mp.Pipe(), [c, d] = mp.Pipe(), q = new mp.Queue(), other = new mp.Queue(), event = new mp.Event(), lock = new mp.Lock(), sem = new mp.Semaphore(1);
    const all = { a, b, c, q, other, event, lock, sem };
    const names = (list) => list.map((x) => Object.keys(all).find((k) => all[k] === x)).join(' ');
    const guard = lock.acquireSync(), unit = sem.acquireSync(), got = [];
    const each = async (change) => { const w = mp.wait(Object.values(all)); await turns(); await change(); const list = await w; got.push(names(list)); return list };
    await each(() => a.sendSync(1)); b.recvSync();
    await each(() => d.close()); delete all.c;
    await each(() => q.putSync(1)); q.getSync();
    await each(() => other.shutdown()); delete all.other;
    await each(() => event.set()); event.clear();
    await each(() => guard.release()); const again = lock.tryAcquire();
    await each(() => unit.release()); sem.acquireSync();
    b.sendSync(2); q.putSync(2);
    got.push(names(await mp.wait(Object.values(all))), names(await mp.wait([q, a])), names(await mp.wait([event, lock], 5)), names(await mp.wait([event], 0)), (await mp.wait([])).length, (await mp.wait([], 5)).length);
    out([got, a.recvSync(), q.getSync(), q.tryGet(), again !== null]);`);
  expect(got).toEqual([
    ['b', 'c', 'q', 'other', 'event', 'lock', 'sem', 'a q', 'q a', '', '', 0, 0],
    2,
    2,
    null,
    true,
  ]);
});

test('processes that end, and sockets', async () => {
  const got = await runJson(`${head}
    import { createServer, connect } from 'node:net';
    const [a, b] = mp.Pipe();
    const body = async ({}, b) => { await b.recv() };
    const { runSource } = await import('${new URL('../fixtures/bodies.mjs', import.meta.url).href}');
    const p = new mp.Process(runSource, String(body), b).start();
    const server = createServer((s) => s.end('hello')).listen(0);
    await new Promise((r) => server.on('listening', r));
    const socket = connect(server.address().port);
    const first = await mp.wait([p, socket]);
    const text = String(socket.read());
    const still = await mp.wait([p], 5);
    a.sendSync('go');
    const [ended] = await mp.wait([p, a]);
    server.close();
    out([first[0] === socket && first.length === 1, text, still.length, ended === p || ended === a, await p.join()]);`);
  expect(got).toEqual([true, 'hello', 0, true, 0]);
});

test('somebody else may be faster: it waits on, and what it was told of goes to others', async () => {
  const got = await runJson(`${head}
    const q = new mp.Queue(), [a, b] = mp.Pipe();
    const w = mp.wait([q, b]), get = q.get();
    await turns();
    q.putSync('for the get, or nobody');
    const first = await Promise.race([w.then(() => 'wait'), get]);
    a.sendSync(1);
    out([typeof first, (await w).length > 0, b.recvSync()]);
    process.exit();`);
  expect(got).toEqual(['string', true, 1]);
});

test('an abort ends it with the reason, a closed handle with its error; nothing is left that keeps the process alive', async () => {
  const end = await runScript(`${head}
    const q = new mp.Queue(), [a, b] = mp.Pipe(), controller = new AbortController();
    const aborted = rejected(mp.wait([q, b], { signal: controller.signal }));
    controller.abort(new RangeError('mine'));
    const closed = rejected(mp.wait([q, b]));
    b.close();
    out([await aborted, await closed, await rejected(mp.wait(5)), await rejected(mp.wait([{}])), await rejected(mp.wait([q, q])), await rejected(mp.wait([q], -1)), await rejected(mp.wait([b]))]);`);
  expect([end.code, end.stderr]).toEqual([0, '']);
  expect(JSON.parse(end.stdout)).toEqual([
    'RangeError undefined',
    closedError,
    typeError,
    typeError,
    rangeError,
    rangeError,
    closedError,
  ]);
});

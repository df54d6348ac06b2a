// What can be seen of locks from outside: who waits, what inspect() says, and what is told on diagnostics_channel.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { grounds, head as anyHead } from '../support/sync.js';
import { uniqueName } from '../support/names.js';

const head = `${anyHead}
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
const heard = [];
for (const channel of ['contention', 'abandoned'])
  subscribe('multiproc:lock:' + channel, ({ waitedMs, object, ...rest }) =>
    heard.push([channel, { ...rest, object: object.replace(/#\\d+/, '#N'), ...(waitedMs === undefined ? {} : { long: waitedMs >= 15 }) }]));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('who waits for a lock is counted, however it waits; the dead are not', async () => {
    const named = uniqueName();
    const got = await runJson(`${head}
      const got = [];
      for (const lock of [new mp.Lock(), new mp.RLock(), new mp.Value('i', 0).lock, new mp.Lock({ name: '${named}' })]) {
        const guard = lock.acquireSync(), said = new mp.Value('i', 0), counts = [lock.waiters];
        const waiting = ['sync', 'async', 'sync'].map((way) => startPeer('${ground}', peers.take, lock, said, way));
        const doomed = startPeer('${ground}', peers.waitForGood, lock, said, 'sync');
        await until(() => lock.waiters === 4);
        counts.push(inspect(lock).replace(/"[^"]*"/, 'NAME'));
        await doomed.end();
        await until(() => lock.waiters === 3);
        const controller = new AbortController();
        const ours = [lock.acquire({ signal: controller.signal }), lock.acquire({ timeout: 1 }).catch(() => 0)].map((p) => p.catch(() => 0));
        counts.push(lock.waiters); // our own tasks stand behind our own guard: no environment waits
        controller.abort();
        await Promise.all(ours);
        guard.release();
        await Promise.all(waiting.map(({ done }) => done));
        counts.push(lock.waiters, inspect(lock).replace(/"[^"]*"/, 'NAME'));
        got.push(counts);
        lock.close();
      }
      mp.Lock.delete('${named}');
      out(got);`);
    const shown = (kind: string): unknown[] => [0, `<${kind} owner=MainProcess waiters=4>`, 3, 0, `<${kind} free>`]; // prettier-ignore
    expect(got).toEqual([shown('Lock'), shown('RLock'), shown('RLock'), shown('Lock NAME')]);
  });

  test('a waiter that gives up is not counted any more', async () => {
    const got = await runJson(`${head}
      const lock = new mp.Lock(), said = new mp.Value('i', 0), got = [];
      const peer = startPeer('${ground}', peers.hold, lock, said);
      await until(() => said.value === 1);
      const controller = new AbortController(), waits = lock.acquire({ signal: controller.signal }).catch(() => 0);
      await until(() => lock.waiters === 1);
      controller.abort();
      await waits;
      got.push(lock.waiters, thrown(() => lock.acquireSync(5)), lock.waiters);
      await peer.end();
      out(got);`);
    expect(got).toEqual([0, 'TimeoutError ERR_MP_TIMEOUT', 0]);
  });

  test('what its last owner died with is told of', async () => {
    const got = await runJson(`${head}
      const got = [];
      for (const lock of [new mp.Lock(), new mp.Value('i', 0).lock, new mp.Semaphore(1)]) {
        for (const way of ['sync', 'async', 'try']) {
          const said = new mp.Value('i', 0), peer = startPeer('${ground}', peers.hold, lock, said);
          await until(() => said.value === 1);
          await peer.end();
          mp.activeChildren();
          let guard;
          if (way === 'try') await until(() => (guard = lock.tryAcquire()) !== null);
          else guard = way === 'sync' ? lock.acquireSync() : await lock.acquire();
          guard.release();
        }
      }
      out(heard.filter(([channel]) => channel === 'abandoned').map(([, message]) => message));`);
    const messages = ['Lock', 'Value', 'Semaphore'].flatMap((kind) =>
      [true, false, true].map((sync) => ({ kind, object: `${kind} #N`, name: null, sync })),
    );
    expect(got).toEqual(messages);
  });
});

test('a wait that ends is told of: how long, how, and for what', async () => {
  const name = uniqueName();
  const got = await runJson(`${head}
    const lock = new mp.Lock(), semaphore = new mp.Semaphore(1), rw = new mp.RWLock(), named = new mp.Lock({ name: '${name}' });
    /** Waits for what this very environment holds, until the guard is released after 20 ms. */
    const wait = async (hold, want) => { const guard = hold(), wanted = want(); setTimeout(() => guard.release(), 20); (await wanted).release() };
    await wait(() => lock.acquireSync(), () => lock.acquire());
    await wait(() => semaphore.acquireSync(), () => semaphore.acquire());
    await wait(() => rw.readSync(), () => rw.write());
    await wait(() => named.acquireSync(), () => named.acquire());
    const guard = lock.acquireSync(), controller = new AbortController();
    await lock.acquire(20).catch(() => 0);
    setTimeout(() => controller.abort(), 20);
    await lock.acquire({ signal: controller.signal }).catch(() => 0);
    const other = mp.open(mp.share(lock));
    setTimeout(() => other.close(), 20);
    await other.acquire().catch(() => 0);
    guard.release();
    // Blocking.
    const said = new mp.Value('i', 0), peer = startPeer('process', peers.hold, lock, said), two = startPeer('process', peers.hold, semaphore, said);
    await until(() => said.value === 2);
    thrown(() => lock.acquireSync(20));
    thrown(() => semaphore.acquireSync(20));
    await Promise.all([peer.end(), two.end()]);
    // Nobody has to wait: nothing to tell.
    lock.acquireSync().release();
    (await lock.acquire()).release();
    semaphore.acquireSync().release();
    mp.Lock.delete('${name}');
    out(heard.filter(([channel]) => channel === 'contention').map(([, message]) => message));`);
  const told = (kind: string, outcome: string, sync = false): object => ({
    ...{ kind, object: `${kind} #N`, name: null, long: true, outcome, sync },
  });
  expect(got).toEqual([
    ...['Lock', 'Semaphore', 'RWLock'].map((kind) => told(kind, 'acquired')),
    { ...told('Lock', 'acquired'), name, object: `Lock "${name}"` },
    ...['timeout', 'aborted', 'closed'].map((outcome) => told('Lock', outcome)),
    ...['Lock', 'Semaphore'].map((kind) => told(kind, 'timeout', true)),
  ]);
});

test('inspect() names what there is to know', async () => {
  const name = uniqueName();
  const got = await runJson(`${head}
    const got = [], show = (x) => got.push(inspect(x)), rw = new mp.RWLock(), semaphore = new mp.Semaphore({ name: '${name}', value: 3 }), event = new mp.Event(), condition = new mp.Condition(), barrier = new mp.Barrier(2);
    const reads = [rw.readSync(), rw.readSync()], unit = semaphore.acquireSync();
    const writes = rw.write();
    show(rw); show(semaphore); show(event);
    condition.acquireSync();
    const waits = condition.wait();
    show(condition); show(barrier);
    for (const guard of reads) guard.release();
    await writes;
    show(rw);
    mp.Semaphore.delete('${name}');
    out(got);
    process.exit();`);
  expect(got).toEqual([
    '<RWLock readers=2 waiters=1>',
    `<Semaphore "${name}" value=2 of 3>`,
    '<Event clear>',
    '<Condition lock=<Lock free> waiters=1>',
    '<Barrier 0 of 2 waiting>',
    '<RWLock writer=MainProcess>',
  ]);
});

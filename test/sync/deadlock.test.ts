// Deadlock detection: every kind of cycle is found and named, and nothing that can go on is taken for one.
import { describe as group, expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { deadlockError, grounds, head as anyHead, typeError } from '../support/sync.js';

const head = `${anyHead}
import { elsewhere, keep, link, post, storm, told } from '${new URL('deadlock.mjs', fixtures).href}';
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ready = () => new mp.Value('i', 0);
/** Each holds one and wants the next; the last one closes the cycle. */
const cycle = (ground, way, pairs, options) => {
  const count = ready();
  return Promise.all(pairs.map((pair, i) => elsewhere(ground, link, pair, pairs[(i + 1) % pairs.length], way, count, pairs.length, i === 0, options)));
};
`;
const env = { MULTIPROC_DETECT_DEADLOCK: '1' };
const ways = ['sync', 'async'] as const;

const cycles: [name: string, objects: string, length: number][] = [
  ['two locks', `[[new mp.Lock(), 'acquire'], [new mp.Lock(), 'acquire']]`, 2],
  ['three locks', `[1, 2, 3].map(() => [new mp.Lock(), 'acquire'])`, 3],
  ['an RLock and the lock of a Value', `[[new mp.RLock(), 'acquire'], [new mp.Value('i', 0).lock, 'acquire']]`, 2],
  ['a semaphore and a lock', `[[new mp.Semaphore(1), 'acquire'], [new mp.Lock(), 'acquire']]`, 2],
  ['two semaphores and a lock', `[[new mp.BoundedSemaphore(1), 'acquire'], [new mp.Lock(), 'acquire'], [new mp.Semaphore(1), 'acquire']]`, 3],
  ['a writer and a lock', `[[new mp.RWLock(), 'write'], [new mp.Lock(), 'acquire']]`, 2],
  ['a writer, a semaphore and a lock', `[[new mp.RWLock(), 'write'], [new mp.Semaphore(1), 'acquire'], [new mp.Lock(), 'acquire']]`, 3],
]; // prettier-ignore

group.each(grounds)('among peers that are each a %s', (ground) => {
  test.each(ways)('who closes a cycle is told of it, and the others go on (%s)', async (way) => {
    const got = await runJson(
      `${head}
      const all = [];
      for (const objects of [${cycles.map(([, objects]) => objects).join()}]) all.push(await cycle('${ground}', '${way}', objects));
      out(all);`,
      { env },
    );
    cycles.forEach(([name, , length], n) => {
      const ends: any[] = got[n];
      // One as a rule; of those that ask at the same moment another one, too, if the machine does not let the first go on.
      const errors = ends.filter((end) => end !== 'got it');
      expect(errors.length, name).toBeGreaterThan(0);
      for (const error of errors) {
        expect([error.name, error.code, error.cycle?.length], name).toEqual(['DeadlockError', 'ERR_MP_DEADLOCK', length]);
        // Everybody waits for what the next one holds.
        error.cycle.forEach(([, , waitsFor]: string[], i: number) => {
          expect(waitsFor, name).toBe(error.cycle[(i + 1) % length][1]);
        });
      }
    });
    const { message, cycle, owners } = got[1].find((end: any) => end !== 'got it');
    const [first, second, third] = owners.map(
      (o: any) => `${o.name}${o.thread === 0 ? '' : ` thread ${o.thread}`} (pid ${o.pid})`,
    );
    expect(message).toContain(
      `${first} holds ${cycle[0][1]} and waits for ${cycle[0][2]}, which ${second} holds and waits for ${cycle[1][2]}, which ${third} holds and waits for ${cycle[0][1]}`,
    );
  }, 60_000); // prettier-ignore

  test('a reader keeps a writer out', async () => {
    const got = await runJson(
      `${head}
      const got = [];
      for (const way of ['sync', 'async']) {
        const rw = new mp.RWLock(), lock = new mp.Lock(), count = ready();
        got.push(await Promise.all([
          elsewhere('${ground}', link, [rw, 'read'], [lock, 'acquire'], way, count, 2, true),
          elsewhere('${ground}', link, [lock, 'acquire'], [rw, 'write'], way, count, 2, false),
        ]));
      }
      // Whichever of the two looked last.
      out(got.map((ends) => ends.map((e) => (e.code === undefined ? e : e.code + ' ' + e.cycle.length)).sort()));`,
      { env },
    );
    expect(got).toEqual(new Array(2).fill(['ERR_MP_DEADLOCK 2', 'got it']));
  });

  test('a semaphore is stuck only if every holder of a unit is', async () => {
    const got = await runJson(
      `${head}
      const got = [];
      for (const free of [true, false]) {
        const semaphore = new mp.Semaphore(free ? 2 : 1), lock = new mp.Lock(), count = ready(), stop = ready();
        const kept = free ? elsewhere('${ground}', keep, semaphore, count, stop) : 'none';
        const all = free ? 3 : 2;
        const ends = [
          elsewhere('${ground}', link, [semaphore, 'acquire'], [lock, 'acquire'], 'sync', count, all, true),
          elsewhere('${ground}', link, [lock, 'acquire'], [semaphore, 'acquire'], 'sync', count, all, false),
        ];
        if (free) { await until(() => semaphore.waiters === 1 && lock.waiters === 1); await sleep(20); stop.value = 1 }
        got.push([await kept, ...(await Promise.all(ends)).map((e) => e.code ?? e).sort()]);
      }
      out(got);`,
      { env },
    );
    expect(got).toEqual([['kept', 'got it', 'got it'], ['none', 'ERR_MP_DEADLOCK', 'got it']]); // prettier-ignore
  });

  test.each(ways)('a storm of nested acquisitions in one order raises no alarm (%s)', async (way) => {
    const got = await runJson(
      `${head}
      const objects = [new mp.Lock(), new mp.RWLock(), new mp.Semaphore(2), new mp.RLock(), new mp.Value('i', 0).lock, new mp.Semaphore(1), new mp.Lock()];
      out(await Promise.all([1, 2, 3].map((n) => elsewhere('${ground}', storm, objects, n * 7919, ${way === 'sync' ? 3000 : 60}, '${way}', 6))));`,
      { env, timeout: 50_000 },
    );
    for (const count of got) expect(count).toBeGreaterThan(300);
  });
});

test('calls that ask for it find a cycle of calls that ask for it; without asking it is waited out', async () => {
  const got = await runJson(`${head}
    const locks = () => [1, 2].map(() => [new mp.Lock(), 'acquire']), got = [];
    for (const way of ['sync', 'async']) {
      got.push(await cycle('process', way, locks(), { detectDeadlock: true }));
      got.push(await cycle('process', way, locks(), { timeout: 1000 }));
    }
    out(got.map((ends) => ends.map((e) => e.code ?? e).sort()));`);
  for (const n of [0, 2]) expect(got[n]).toEqual(['ERR_MP_DEADLOCK', 'got it']);
  for (const n of [1, 3]) expect(got[n]).toContain('ERR_MP_TIMEOUT');
});

test('a unit that was granted to a waiting task is not lost when another task tries for one', async () => {
  const got = await runJson(
    `${head}
    const s = new mp.Semaphore(0), rw = new mp.RWLock(), count = ready(), stop = ready(), got = [];
    const waiting = s.acquire();
    await until(() => s.waiters === 1);
    const posted = elsewhere('thread', post, s, 2);
    while (s.value === 0); // our loop does not hear of the grant
    const tried = s.tryAcquire();
    got.push(tried !== null, (await waiting) !== null, s.value);
    await posted;
    out(got);`,
    { env },
  );
  expect(got).toEqual([true, true, 0]);
});

test('a dead owner is nobody to wait for: its edges do not count, and its lock is got', async () => {
  const got = await runJson(
    `${head}
    const a = new mp.Lock(), b = new mp.Lock(), count = ready(), got = [];
    // It holds b and waits for a, which we hold; then it is killed, and we ask for b.
    const mine = a.acquireSync();
    const p = new mp.Process(link, [b, 'acquire'], [a, 'acquire'], 'sync', count, 1, true).start();
    await until(() => a.waiters === 1);
    got.push(thrown(() => b.acquireSync()));
    p.kill();
    await p.join();
    got.push(b.acquireSync().abandoned, a.waiters);
    mine.release();
    out(got);`,
    { env },
  );
  expect(got).toEqual([deadlockError, true, 0]);
});

group('in one environment', () => {
  const run = (body: string): Promise<any> =>
    runJson(
      `${head}
      const a = new mp.Lock(), b = new mp.Lock(), r = new mp.RLock(), s = new mp.Semaphore(1), rw = new mp.RWLock(), got = [];
      const fails = (f) => f().then(() => 'fine', nameOf);
      /** Holds one, and a moment later wants the other. */
      const both = async (x, y) => { const g = await x.acquire(); try { await sleep(10); (await y.acquire()).release(); return 'fine' } catch (e) { return nameOf(e) } finally { g.release() } };
      ${body}
      out(got);`,
      { env },
    );

  test('a task that waits for itself', async () => {
    const got = await run(`
      got.push(await fails(async () => { const g = await a.acquire(); try { await a.acquire() } finally { g.release() } }));
      got.push(await fails(async () => { const g = await r.acquire(); try { await r.acquire() } finally { g.release() } }));
      got.push(await fails(async () => { const g = await s.acquire(); try { await s.acquire() } finally { g.release() } }));
      got.push(await fails(async () => { const g = await rw.write(); try { await rw.read() } finally { g.release() } }));
      got.push(await fails(async () => { const g = await rw.read(); try { await rw.write() } finally { g.release() } }));
      got.push(await fails(() => a.runExclusive(async () => { await sleep(1); await null; await b.runExclusive(async () => { await 1; await a.acquire() }) })));
      const inner = async () => { (await a.acquire()).release() };
      got.push(await fails(async () => { const g = await a.acquire(); try { await inner() } finally { g.release() } }));
      got.push(a.locked, b.locked, r.locked, s.value, rw.readers, a.waiters);`);
    expect(got).toEqual([...new Array(7).fill(deadlockError), false, false, false, 1, 0, 0]);
  });

  test('two tasks and two locks: one is told, the other goes on', async () => {
    const got = await run(`
      got.push(await Promise.all([both(a, b), both(b, a)]), await Promise.all([both(a, s), both(s, a)]));
      const exclusive = (x, y) => fails(() => x.runExclusive(async () => { await sleep(5); await y.runExclusive(() => {}) }));
      got.push(await Promise.all([exclusive(a, b), exclusive(b, a)]));`);
    for (const ends of got) expect(ends.sort()).toEqual([deadlockError, 'fine']);
  });

  test('the error says where the call was made', async () => {
    const got = await run(`
      async function asksTwice() { const g = await a.acquire(); try { await a.acquire() } finally { g.release() } }
      try { await asksTwice() } catch (e) { got.push(/^DeadlockError: .*\\n.*\\n *at asksTwice/.test(e.stack), e.cycle.length, e.cycle[0].owner.pid === process.pid) }`);
    expect(got).toEqual([true, 1, true]);
  });

  test('no alarm: what goes on by itself, or whose guard is in other hands', async () => {
    const got = await run(`
      const want = async (x = a) => { const g = await x.acquire(); await sleep(1); g.release(); return 'got' };
      const wantLate = async () => { await sleep(1); return await want() };
      // Started while the lock is held, awaited after it was given back.
      for (const f of [want, wantLate]) {
        const g = await a.acquire();
        const p = f();
        await sleep(5);
        g.release();
        got.push(await p);
      }
      let p;
      await a.runExclusive(async () => { p = want(); await sleep(5) });
      got.push(await p);
      // Siblings on one lock.
      got.push(await Promise.all([want(), want(), wantLate(), a.runExclusive(async () => (await null, 'got'))]));
      // Somebody else gives it back: by a timer, by a race, by then().
      const held = await a.acquire();
      setTimeout(() => held.release(), 10);
      got.push(await Promise.race([want(), new Promise(() => {})]));
      const again = await a.acquire();
      setTimeout(() => again.release(), 10);
      got.push(await want().then((x) => x));
      // Returned by the function that got it.
      const get = async (x) => await x.acquire();
      const [g1, g2] = await Promise.all([get(a), get(b)]);
      g1.release(); g2.release();
      // A worker that its starter waits for to be ready, not to be done.
      const worker = async (self) => { self.ready = sleep(5); (await a.acquire()).release(); return 'got' };
      const self = {}, mine = await a.acquire(), working = worker(self);
      await self.ready;
      mine.release();
      got.push(await working);
      // Two tasks, a lock taken and given back between.
      got.push(await Promise.all([both(a, b), sleep(2).then(() => both(a, b))]));
      // A synchronous taker inside a task that others were started in.
      const free = async () => { void want(b); const g = s.tryAcquire(); await sleep(2); g.release() };
      await Promise.all([free(), free().catch(() => 0)]);`);
    expect(got).toEqual([
      ...['got', 'got', 'got', ['got', 'got', 'got', 'got'], 'got', 'got', 'got'],
      ['fine', 'fine'],
    ]);
  });

  test('a module whose top level holds a lock has ended, and holds it no more for anybody', async () => {
    const got = await run(`
      setTimeout(() => { got.push('released'); guard.release() }, 20);
      const guard = await a.acquire();
      void (async () => { got.push(await fails(() => a.runExclusive(() => {}))); console.log(JSON.stringify(got)) })();
      if (true) { const out = () => {}; globalThis.nothing = out }`);
    expect(got).toEqual(['released', 'fine']);
  });

  test('the guards of a condition are whose they were', async () => {
    const got = await run(`
      const c = new mp.Condition(), flag = { on: false };
      const waiter = async () => { const g = await c.acquire(); await c.waitFor(() => flag.on); got.push(await fails(async () => { (await b.acquire()).release() })); g.release() };
      const notifier = async () => { const h = await b.acquire(); await sleep(5); const g = await c.acquire(); flag.on = true; c.notifyAll(); g.release(); await sleep(5); h.release() };
      await Promise.all([waiter(), notifier()]);
      got.push(c.lock.locked, b.locked);`);
    expect(got).toEqual(['fine', false, false]);
  });

  test('options, and switching it on and off', async () => {
    const got = await runJson(`${head}
      const a = new mp.Lock(), got = [];
      const twice = async (timeout) => { const g = await a.acquire(); try { return await rejected(a.acquire({ timeout })) } finally { g.release() } };
      const again = async (timeout) => { const g = await a.acquire(); try { (await a.acquire({ timeout })).release(); return 'fine' } catch (e) { return nameOf(e) } finally { g.release() } };
      got.push(await again(10), thrown(() => a.acquireSync({ detectDeadlock: 1 })), await rejected(a.acquire({ detectDeadlock: 'x' })), thrown(() => mp.detectDeadlocks('on')));
      mp.detectDeadlocks();
      got.push(await again(1000), await twice(10));
      mp.detectDeadlocks(false);
      got.push(await again(10));
      out(got);`);
    expect(got).toEqual([
      ...['TimeoutError ERR_MP_TIMEOUT', typeError, typeError, typeError],
      ...[deadlockError, 'TimeoutError ERR_MP_TIMEOUT', 'TimeoutError ERR_MP_TIMEOUT'],
    ]);
  });
});

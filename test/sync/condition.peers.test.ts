// Several processes, and several threads, on one condition; and those of them that die.
import { describe as group, expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { bodyHead, grounds } from '../support/sync.js';

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('producers and consumers with a buffer of one: nothing is lost, nothing had twice', async () => {
    const got = await runJson(
      `${bodyHead}
      const lock = new mp.RLock(), full = new mp.Condition(lock), empty = new mp.Condition(lock);
      const box = count(), sum = new mp.Value('d', 0), taken = count(), spurious = count();
      const body = async (_, role, way, full, empty, box, sum, taken, spurious) => {
        const [mine, theirs, want] = role === 'put' ? [empty, full, 0] : [full, empty, 1];
        for (let i = 1; i <= 150; i++) {
          const guard = way === 'sync' ? mine.acquireSync() : await mine.acquire();
          const inner = guard.acquire();
          const there = () => (role === 'put' ? box.value === 0 : box.value !== 0);
          while (!there()) if ((way === 'sync' ? mine.waitSync() : await mine.wait()) !== true) spurious.add(1);
          if (role === 'put') box.value = i;
          else { sum.value += box.value; box.value = 0; taken.add(1) }
          theirs.notify();
          inner.release();
          guard.release();
        }
      };
      const roles = [['put', 'sync'], ['put', 'async'], ['take', 'async'], ['take', 'sync']];
      await Promise.all(roles.map(([role, way]) => start('${ground}', body, role, way, full, empty, box, sum, taken, spurious).done));
      out([sum.value, taken.value, spurious.value, full.waiters, empty.waiters, lock.locked]);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([2 * 11325, 300, 0, 0, 0, false]);
  });

  test('notify(n) wakes n of them, no more, in turn; notifyAll all; without a notify nobody wakes', async () => {
    const got = await runJson(`${bodyHead}
      const c = new mp.Condition(), woken = count(), got = [];
      const body = async (_, way, c, woken) => {
        const g = await c.acquire();
        const r = way === 'sync' ? c.waitSync() : await c.wait();
        woken.add(1);
        g.release();
        return r;
      };
      const all = ['sync', 'async', 'sync', 'async'].map((way) => start('${ground}', body, way, c, woken).done);
      await until(() => c.waiters === 4);
      for (const [n, after] of [[1, 1], [0, 1], [2, 3], [9, 4], [1, 4]]) {
        got.push(await c.runExclusive(() => c.notify(n)));
        await until(() => woken.value === after);
        await turns();
        got.push(woken.value, c.waiters);
      }
      out([...got, await Promise.all(all)]);`);
    expect(got).toEqual([1, 1, 3, 0, 1, 3, 2, 3, 1, 1, 4, 0, 0, 4, 0, Array(4).fill(true)]);
  });

  test('timeouts and notifies that meet: as many waits end with true as notify() has said', async () => {
    const got = await runJson(`${bodyHead}
      const c = new mp.Condition(), stop = count(), notified = count(), ready = count();
      const body = async ({ turn }, way, c, stop, ready) => {
        let woken = 0;
        ready.add(1);
        for (let i = 0; stop.value === 0; i++) {
          const tasks = Array.from({ length: way === 'many' ? 5 : 1 }, async (_, k) => {
            const g = way === 'sync' ? c.acquireSync() : await c.acquire();
            if (way === 'sync' ? c.waitSync((i % 8) / 2) : await c.wait((i + k) % 5)) woken++;
            g.release();
          });
          await Promise.all(tasks);
        }
        return woken;
      };
      const all = ['sync', 'async', 'many'].map((way) => start('${ground}', body, way, c, stop, ready));
      await until(() => ready.value === 3);
      let said = 0;
      for (let i = 0; i < 400; i++) {
        const g = i % 2 ? c.acquireSync() : await c.acquire();
        said += c.notify(1 + (i % 3));
        g.release();
        if (i % 4 === 0) await turns(1);
      }
      stop.value = 1;
      const woken = await Promise.all(all.map((p) => p.done));
      out([said > 0, said - woken.reduce((a, b) => a + b), c.waiters, c.lock.locked]);`);
    expect(got).toEqual([true, 0, 0, false]);
  });

  test('environments take turns: tasks of one do not eat up what others wait for', async () => {
    const got = await runJson(`${bodyHead}
      const c = new mp.Condition(), mine = count(), theirs = count();
      const waits = Array.from({ length: 6 }, () => c.runExclusive(async () => { await c.wait(); mine.add(1) }));
      await until(() => c.waiters === 6);
      const peer = start('${ground}', async (_, c, theirs) => { const g = await c.acquire(); await c.wait(); theirs.add(1); g.release() }, c, theirs);
      await until(() => c.waiters === 7);
      await c.runExclusive(() => c.notify(2));
      await peer.done;
      await until(() => mine.value === 1);
      const early = [mine.value, theirs.value];
      await c.runExclusive(() => c.notifyAll());
      await Promise.all(waits);
      out([...early, mine.value]);`);
    expect(got).toEqual([1, 1, 6]);
  });

  test('waiters that die, before they are notified or after it: the notify is another’s', async () => {
    // Python's notify() waits for the dead one's answer for ever.
    const got = await runJson(
      `${bodyHead}
      const got = [];
      for (const [way, when] of [['sync', 'before'], ['async', 'before'], ['sync', 'after'], ['async', 'after']]) {
        const c = new mp.Condition(), body = async (_, way, c) => {
          const g = await c.acquire();
          const r = way === 'sync' ? c.waitSync() : await c.wait();
          g.release();
          return r;
        };
        const victim = start('${ground}', body, way, c);
        await until(() => c.waiters === 1);
        const other = start('${ground}', body, way === 'sync' ? 'async' : 'sync', c);
        await until(() => c.waiters === 2);
        const own = await c.acquire();
        if (when === 'before') {
          await victim.end();
          await until(() => c.waiters === 1);
          got.push(c.notify());
        } else {
          got.push(c.notify());                // the victim's, which cannot have its lock back yet
          await victim.end();
        }
        own.release();
        const next = await c.acquire();
        got.push(next.abandoned);
        next.release();
        got.push(await other.done, c.waiters);
        c.close();
        await until(() => native.census().objects === 0);
      }
      out(got);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual(Array(4).fill([1, false, true, 0]).flat());
  });

  test('a notifier that dies with the lock: who was waiting is told when it has the lock back', async () => {
    const got = await runJson(`${bodyHead}
      const got = [];
      for (const way of ['sync', 'async']) for (const lock of [new mp.Lock(), new mp.RLock()]) {
        const c = new mp.Condition(lock), said = count();
        const waiter = start('${ground}', async (_, way, c) => {
          const g = await c.acquire();
          const r = way === 'sync' ? c.waitSync() : await c.wait();
          const told = [r, g.abandoned];
          g.release();
          return told;
        }, way, c);
        await until(() => c.waiters === 1);
        const notifier = start('${ground}', async ({ stay }, c, said) => { await c.acquire(); c.notify(); said.add(1); await stay() }, c, said);
        await until(() => said.value === 1);
        await notifier.end();
        got.push(await waiter.done, c.tryAcquire().abandoned);
      }
      out(got);`);
    expect(got).toEqual(
      Array(4)
        .fill([[true, true], false])
        .flat(),
    );
  });

  test('handles travel with their lock, alone or together with it', async () => {
    const got = await runJson(`${bodyHead}
      const value = new mp.Value('i', 0), r = value.lock, c = new mp.Condition(r), own = new mp.Condition();
      const body = async ({ mp }, r, c, own) => {
        const again = mp.open(structuredClone(mp.share(c)));
        const g = r.acquireSync();
        const n = [again.notify(), c.notifyAll()];         // the very same lock
        g.release();
        return [...n, await own.runExclusive(() => own.notify()), again.lock.constructor === mp.RLock, own.lock.constructor === mp.Lock];
      };
      const waits = [c, own].map((x) => x.runExclusive(() => x.wait()));
      await until(() => c.waiters + own.waiters === 2);
      const got = await start('${ground}', body, r, c, own).done;
      got.push(...await Promise.all(waits));
      const handle = mp.share(own);
      for (const x of [r, c, own, value]) x.close();
      await until(() => native.census().objects === 0);
      got.push(thrown(() => mp.open(handle)));
      const fresh = new mp.Condition(), h = mp.share(fresh);
      got.push(...[{ ...h, lock: undefined }, { ...h, lock: 5 }, { ...h, lock: mp.share(new mp.Semaphore()) }, { ...h, kind: 3 }].map((x) => thrown(() => mp.open(x))));
      out(got);`);
    expect(got).toEqual([
      ...[1, 0, 1, true, true, true, true, 'ClosedError ERR_MP_CLOSED'],
      ...Array(4).fill('ERR_MP_HANDLE'),
    ]);
  });
});

test('a storm: consumers and producers are killed at random; what is made is had, as long as anybody lives', async () => {
  const got = await runJson(
    `${bodyHead}
    const c = new mp.Condition(), jobs = count(), made = count(), done = count(), stop = count();
    const seats = Array.from({ length: 4 }, count);
    const body = async (_, role, way, seat, c, jobs, made, done, stop) => {
      while (stop.value === 0) {
        const g = way ? c.acquireSync() : await c.acquire();
        if (role === 'make') { if (jobs.value < 20) { jobs.add(1); made.add(1); c.notify() } }
        else {
          // No timeout: a notify that is lost for good would be seen as a hang.
          while (jobs.value === 0 && stop.value === 0) if (way) c.waitSync(); else await c.wait();
          if (jobs.value > 0) { jobs.add(-1); done.add(1) }
        }
        seat.add(1);
        g.release();
        if (role === 'make') await new Promise((r) => setImmediate(r));
      }
    };
    const begin = (i) => start(i % 2 ? 'thread' : 'process', body, i === 0 || i === 1 ? 'make' : 'take', i === 2 ? 1 : 0, seats[i], c, jobs, made, done, stop);
    const all = seats.map((_, i) => begin(i));
    for (let i = 0; i < 4; i++) {
      const victim = [2, 0, 3, 1, 2, 3][i], from = seats.map((s) => s.value);
      await until(() => seats.every((s, n) => s.value > from[n] + 5));
      await all[victim].end();
      all[victim] = begin(victim);
    }
    stop.value = 1;
    let over = 0;
    const ends = Promise.all(all.map((p) => p.done)).then(() => (over = 1));
    while (!over) { await c.runExclusive(() => c.notifyAll()); await turns(1) }
    // Each kill may fall between two of the counts.
    out([Math.abs(made.value - done.value - jobs.value) <= 6, c.waiters]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([true, 0]);
});

test('who does not want its notify any more, and dies the moment it is done: the notify is another’s all the same', async () => {
  const got = await runJson(`${bodyHead}
    const c = new mp.Condition(), said = count(), url = new URL('../../lib/native/load.js', '${fixtures.href}').href;
    const peer = start('process', async ({ untilCount, rejected }, c, said, url) => {
      const { native } = await import(url), done = native.conditionDone, stop = new AbortController();
      native.conditionDone = (...all) => { done(...all); process.kill(process.pid, 'SIGKILL'); for (;;); };
      await c.acquire();
      const wait = rejected(c.wait({ signal: stop.signal }));
      await untilCount(said, 1);
      stop.abort();
      said.value = 2;
      return wait;
    }, c, said, url);
    await until(() => c.waiters === 1);
    const other = c.runExclusive(() => c.wait());
    await until(() => c.waiters === 2);
    const g = await c.acquire();
    const notified = c.notify();
    said.value = 1;
    await until(() => said.value === 2);
    g.release();
    out([notified, await other, await peer.done, c.waiters]);`);
  expect(got).toEqual([1, true, null, 0]);
});

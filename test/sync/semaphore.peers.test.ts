// Several processes, and several threads, on one semaphore; and those of them that die.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { bodyHead, grounds } from '../support/sync.js';

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('never more are in than there are units, in whatever form they ask', async () => {
    const got = await runJson(
      `${bodyHead}
      const sem = new mp.BoundedSemaphore(2), inside = count(), wrong = count(), ready = count();
      const body = async ({ untilCount, turn }, way, sem, inside, wrong, ready) => {
        ready.add(1);
        await untilCount(ready, 4);
        for (let i = 0; i < 300; i++) {
          let guard = null;
          if (way === 0) guard = sem.acquireSync();
          else if (way === 1) guard = await sem.acquire();
          else if (way === 2) while ((guard = sem.tryAcquire()) === null) await turn();
          else guard = i % 2 ? await sem.acquire({ timeout: 1e6 }) : sem.acquireSync(1e6);
          if (inside.add(1) > 1) wrong.add(1);
          if (i % 10 === 0) await turn();
          inside.add(-1);
          if (way === 3) sem.release(); else guard.release();
        }
      };
      await Promise.all([0, 1, 2, 3].map((way) => start('${ground}', body, way, sem, inside, wrong, ready).done));
      out([wrong.value, inside.value, sem.value, thrown(() => sem.release())]);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([0, 0, 2, 'ERR_MP_OVER_RELEASE']);
  });

  test('giving back too much is refused exactly, whoever races', async () => {
    // Python's check and release are two steps. Here as many succeed as units were out, of all attempts together.
    const got = await runJson(`${bodyHead}
      const sem = new mp.BoundedSemaphore(1000), ready = count();
      for (let i = 0; i < 500; i++) sem.acquireSync({ owned: false });
      const body = async ({ untilCount, attempt }, sem, ready) => {
        ready.add(1);
        await untilCount(ready, 3);
        let refused = 0;
        for (let i = 0; i < 400; i++) if (attempt(() => sem.release()) === 'ERR_MP_OVER_RELEASE') refused++;
        return refused;
      };
      const refused = await Promise.all([1, 2, 3].map(() => start('${ground}', body, sem, ready).done));
      out([refused.reduce((a, b) => a + b), sem.value]);`);
    expect(got).toEqual([700, 1000]);
  });

  test('units posted by one are had by others, each once: a semaphore as a signal', async () => {
    const got = await runJson(`${bodyHead}
      const sem = new mp.Semaphore(0), got = count();
      const body = async (_, way, sem, got) => {
        for (let i = 0; i < 200; i++) {
          if (way === 'sync') sem.acquireSync({ owned: false }); else await sem.acquire({ owned: false });
          got.add(1);
        }
      };
      const all = ['sync', 'async', 'sync'].map((way) => start('${ground}', body, way, sem, got));
      for (let posted = 0; posted < 600; posted += 1 + (posted % 3)) { sem.release(1 + (posted % 3)); if (posted % 50 === 0) await turns(1) }
      await Promise.all(all.map((p) => p.done));
      out([got.value, sem.value, sem.waiters]);`);
    expect(got).toEqual([600, expect.any(Number), 0]);
    expect(got[1]).toBeLessThan(3);
  });

  test('those who wait are served in the order in which they came, and nobody takes a unit past them', async () => {
    const got = await runJson(`${bodyHead}
      const body = async (_, way, sem, order) => {
        if (way) await sem.acquire({ owned: false }); else sem.acquireSync({ owned: false });
        return order.add(1);                                          // what it was before
      };
      const served = async () => {
        const sem = new mp.Semaphore(0), order = count(), all = [];
        for (let i = 0; i < 4; i++) {
          all.push(start('${ground}', body, i % 2, sem, order).done);
          await until(() => sem.waiters === i + 1);
        }
        const past = [sem.tryAcquire()];
        for (let i = 0; i < 4; i++) { sem.release(); past.push(sem.tryAcquire()); await until(() => order.value === i + 1) }
        return { past: past.filter((guard) => guard !== null).length, places: await Promise.all(all) };
      };
      let last = await served();
      // On a loaded machine a loop may take more than the 10 ms after which its unit is for the next: then once more.
      for (let i = 0; i < 20 && last.past === 0 && last.places[0] < last.places[2] && String(last.places) !== '0,1,2,3'; i++)
        last = await served();
      out(last);`);
    expect(got).toEqual({ past: 0, places: [0, 1, 2, 3] });
  });

  test('aborts and timeouts that meet a grant: no unit is lost, none appears', async () => {
    const got = await runJson(`${bodyHead}
      const sem = new mp.BoundedSemaphore(1), rw = new mp.RWLock(), stop = count(), ready = count();
      const body = ({}, sem, rw, stop, ready) => {
        ready.add(1);
        for (let i = 0; stop.value === 0; i++) {
          const guards = [sem.acquireSync(), i % 2 ? rw.writeSync() : rw.readSync()];
          for (const until = performance.now() + 0.05; performance.now() < until;);
          for (const g of guards) g.release();
        }
      };
      const hog = start('${ground}', body, sem, rw, stop, ready);
      await until(() => ready.value === 1);
      let ended = 0;
      for (let i = 0; i < 150; i++) {
        const late = new AbortController(), options = i % 3 ? { signal: late.signal } : { timeout: i % 4 };
        const all = [sem.acquire(options), sem.acquire(options), rw.read(options), rw.write(options)];
        const ends = all.map((p) => p.then((g) => g.release(), () => 0).then(() => ended++));
        if (i % 2) await turns(i % 5);
        else for (const end = performance.now() + (i % 13) / 10; performance.now() < end; );
        if (i % 5 === 0) try { sem.acquireSync(1).release(); rw.readSync(1).release() } catch {}
        late.abort();
        await Promise.all(ends);
      }
      stop.value = 1;
      await hog.done;
      out([ended, sem.value, thrown(() => sem.release()), rw.readers, rw.writer, sem.waiters, rw.waiters]);`);
    expect(got).toEqual([600, 1, 'ERR_MP_OVER_RELEASE', 0, null, 0, 0]);
  });

  for (const way of ['sync', 'async', 'exit'] as const) {
    test(`units of one that dies (${way}) come back, and the next holders are told, each once`, async () => {
      const got = await runJson(`${bodyHead}
        const sem = new mp.BoundedSemaphore(3), said = count(), got = [];
        const own = sem.acquireSync();
        const peer = start('${ground}', async ({ stay, sleep }, way, sem, said) => {
          for (let i = 0; i < 2; i++) if (way === 'async') await sem.acquire(); else sem.acquireSync();
          said.add(1);
          if (way === 'exit') process.exit(0);
          if (way === 'async') await stay(); else sleep();
        }, '${way}', sem, said);
        await until(() => said.value === 1);
        const waiting = sem.acquire();                                // asleep when it happens
        if ('${way}' === 'exit') await peer.done; else await peer.end();
        const guards = [await waiting, await sem.acquire()];
        got.push(guards.map((g) => g.abandoned), sem.value);
        for (const g of [own, ...guards]) g.release();
        got.push(sem.value, [1, 2, 3].map(() => sem.tryAcquire().abandoned), sem.value);
        out(got);`);
      expect(got).toEqual([[true, true], 0, 3, [false, false, false], 0]);
    });
  }

  test('waiters die while they wait, and as they are served: the others go on', async () => {
    const got = await runJson(
      `${bodyHead}
      const got = [];
      for (const first of ['kill', 'release']) {
        const sem = new mp.BoundedSemaphore(2), own = [sem.acquireSync(), sem.acquireSync()];
        const body = async ({ stay, sleep }, way, sem) => {
          if (way === 'sync') sem.acquireSync(); else await sem.acquire();
          if (way === 'sync') sleep(); else await stay();
        };
        const victims = ['sync', 'async'].map((way) => start('${ground}', body, way, sem));
        await until(() => sem.waiters === 2);
        const other = start('${ground}', async (_, sem) => sem.runExclusiveSync(() => 'in'), sem);
        await until(() => sem.waiters === 3);
        if (first === 'release') for (const g of own) g.release();
        await Promise.all(victims.map((v) => v.end()));
        if (first === 'kill') { await until(() => sem.waiters === 1); got.push(sem.waiters) } // the dead are swept by whoever waits
        for (const g of own) g.release();
        got.push(await other.done);
        await until(() => sem.value === 2);
        got.push(sem.waiters);
        sem.close();
      }
      await until(() => native.census().objects === 0);
      out(got);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([1, 'in', 0, 'in', 0]);
  });

  test('handles travel: in arguments, by share() and open(), back and on', async () => {
    const got = await runJson(`${bodyHead}
      const sem = new mp.Semaphore(1), bounded = new mp.BoundedSemaphore(1);
      const body = async ({ mp }, sem, bounded) => {
        sem.release();
        const again = mp.open(structuredClone(mp.share(bounded)));
        const guard = again.acquireSync();
        return [sem.value, sem.constructor === mp.Semaphore, again.constructor === mp.BoundedSemaphore, bounded.value];
      };
      const peer = start('${ground}', body, sem, bounded), got = await peer.done;
      await until(() => bounded.value === 1);
      const guard = bounded.acquireSync();
      const handle = mp.share(sem);
      sem.close(); bounded.close(); guard.release();
      await until(() => native.census().objects === 0);
      out([...got, sem.closed, guard.abandoned, thrown(() => mp.open(handle))]);`);
    expect(got).toEqual([2, true, true, 0, true, true, 'ClosedError ERR_MP_CLOSED']);
  });
});

test('a storm: holders and waiters are killed at random; no unit is lost, none appears', async () => {
  const got = await runJson(
    `${bodyHead}
    const sem = new mp.BoundedSemaphore(3), stop = count(), wrong = count();
    const seats = Array.from({ length: 4 }, count);
    const body = async ({ turn }, seat, way, sem, stop, wrong) => {
      while (stop.value === 0) {
        const guard = way ? sem.acquireSync() : await sem.acquire();
        if (sem.value > 2) wrong.add(1);
        seat.add(1);
        if (seat.value % 8 === 0) await turn();
        guard.release();
      }
      return 'stopped';
    };
    const begin = (i) => start(i % 2 ? 'thread' : 'process', body, seats[i], (i >> 1) % 2, sem, stop, wrong);
    const all = seats.map((_, i) => begin(i));
    for (let i = 0; i < 4; i++) {
      const victim = i % 4, from = seats.map((s) => s.value);
      await until(() => seats.every((s, n) => s.value > from[n]));      // all go on
      await new Promise((r) => setTimeout(r, Math.random() * 5));
      await all[victim].end();
      all[victim] = begin(victim);
    }
    stop.value = 1;
    await Promise.all(all.map((p) => p.done));
    await until(() => sem.value === 3);
    out([wrong.value, thrown(() => sem.release()), sem.waiters]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([0, 'ERR_MP_OVER_RELEASE', 0]);
});

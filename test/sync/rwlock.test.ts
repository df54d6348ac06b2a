// The readers-writer lock: who is in with whom, who waits for whom, and who dies.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import {
  bodyHead,
  closedError,
  deadlockError,
  grounds,
  rangeError,
  timeoutError,
  typeError,
} from '../support/sync.js';

test('readers are in together, a writer alone, in every form', async () => {
  const got = await runJson(`${bodyHead}
    const rw = new mp.RWLock(), got = [];
    const readers = [await rw.read(), rw.readSync(), rw.tryRead()];
    got.push(rw.readers, rw.writer, rw.tryWrite(), await rejected(rw.write(0)), thrown(() => rw.writeSync()), readers.map((g) => g.mode + g.abandoned));
    for (const g of readers) { g.release(); g.release(); g[Symbol.dispose]() }
    got.push(rw.readers);
    for (const take of [() => rw.write(), () => rw.writeSync(), () => rw.tryWrite()]) {
      const g = await take();
      got.push(g.mode, rw.writer.pid === process.pid, rw.readers, rw.tryRead(), rw.tryWrite(), await rejected(rw.read(0)), thrown(() => rw.readSync()), thrown(() => rw.writeSync(1e6)));
      g.release(); g[Symbol.dispose]();
    }
    out([...got, rw.writer, rw.tryRead() !== null]);`);
  const writing = ['write', true, 0, null, null, timeoutError, deadlockError, deadlockError];
  expect(got).toEqual([
    ...[3, null, null, timeoutError, deadlockError, Array(3).fill('readfalse'), 0],
    ...[...writing, ...writing, ...writing, null, true],
  ]);
});

test('a guard gives up its own read or write only', async () => {
  const got = await runJson(`${bodyHead}
    const rw = new mp.RWLock(), got = [];
    const a = rw.readSync(), b = rw.readSync();
    a.release(); a.release(); a[Symbol.dispose]();
    got.push(rw.readers, rw.tryWrite());
    b.release();
    const w = rw.writeSync();
    a.release(); b.release();
    got.push(rw.writer !== null);
    w.release();
    const c = rw.readSync();
    w.release();
    out([...got, rw.readers]);`);
  expect(got).toEqual([1, null, true, 1]);
});

test('a waiting writer is not starved: readers that come later stand behind it', async () => {
  const got = await runJson(`${bodyHead}
    const rw = new mp.RWLock(), order = [], got = [];
    const first = rw.readSync(), second = rw.readSync();
    const note = (name, p) => p.then((g) => { order.push(name); return g });
    const writer = note('w', rw.write()), later = [note('r', rw.read()), note('r', rw.read())], writer2 = note('W', rw.write()), last = note('R', rw.read());
    await turns();
    got.push(rw.tryRead(), rw.tryWrite(), rw.readers);
    first.release();
    await turns();
    got.push(order.join(''));
    second.release();
    const w = await writer;
    await turns();
    got.push(order.join(''), rw.readers);
    w.release();
    const rs = await Promise.all(later);
    await turns();
    got.push(order.join(''), rw.readers);
    for (const r of rs) r.release();
    (await writer2).release();
    (await last).release();
    out([...got, order.join('')]);`);
  expect(got).toEqual([null, null, 2, '', 'w', 0, 'wrr', 2, 'wrrWR']);
});

test('timeouts, aborts, nonsense: who leaves the line lets those behind pass', async () => {
  const got = await runJson(`${bodyHead}
    const rw = new mp.RWLock(), got = {}, reason = { why: 1 };
    const why = (p) => p.then((g) => (g.release(), 'fine'), (e) => (e === reason ? 'reason' : nameOf(e)));
    const nonsense = [NaN, -1, { timeout: -0.1 }], wrong = ['5', true, { timeout: 5n }, { signal: 5 }];
    got.range = [...await Promise.all(nonsense.flatMap((t) => [rw.read(t), rw.write(t)].map(rejected))), ...nonsense.flatMap((t) => [thrown(() => rw.readSync(t)), thrown(() => rw.writeSync(t))])];
    got.type = [...await Promise.all(wrong.flatMap((t) => [rw.read(t), rw.write(t)].map(rejected))), ...[...wrong, { signal: new AbortController().signal }].flatMap((t) => [thrown(() => rw.readSync(t)), thrown(() => rw.writeSync(t))])];
    for (const x of [5, 'name', null, {}, []]) got.type.push(thrown(() => new mp.RWLock(x)));
    got.untouched = [rw.readers, rw.writer];
    const said = count(), go = count();
    const peer = start('thread', async ({ untilCount }, rw, said, go) => { const g = rw.readSync(); said.add(1); await untilCount(go, 1); g.release() }, rw, said, go);
    await until(() => said.value === 1);
    let from = performance.now();
    got.late = [await rejected(rw.write(20)), performance.now() - from >= 20];
    from = performance.now();
    got.late.push(thrown(() => rw.writeSync(20)), performance.now() - from >= 20);
    const c = new AbortController(), writer = why(rw.write({ signal: c.signal })), behind = why(rw.read());
    await turns();
    got.behind = [rw.tryRead()];
    c.abort(reason);
    got.behind.push(await writer, await behind, await why(rw.read({ signal: c.signal })), rw.readers, rw.waiters);
    const w = rw.write();
    await turns();
    const r = rw.readSync(9e3);      // overtakes the writer of its own environment, which stands in line again
    got.mixed = r.mode;
    r.release();
    go.value = 1;
    await peer.done;
    got.writer = (await w).mode;
    out(got);`);
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.untouched).toEqual([0, null]);
  expect(got.late).toEqual([timeoutError, true, timeoutError, true]);
  expect(got.behind).toEqual([null, 'reason', 'fine', 'reason', 1, 0]);
  expect([got.mixed, got.writer]).toEqual(['read', 'write']);
});

test('close: pending waits fail, guards stay good, everything else is a ClosedError', async () => {
  const got = await runJson(`${bodyHead}
    import { inspect } from 'node:util';
    const rw = new mp.RWLock(), got = [inspect(rw)];
    const guard = rw.writeSync(), other = mp.open(mp.share(rw));
    got.push(inspect(rw));
    const pending = [rw.read(), rw.write(), rw.read(1e6)].map(rejected), stays = [other.read(), other.read()];
    await turns();
    rw.close(); rw.close(); rw[Symbol.dispose]();
    got.push(...await Promise.all(pending), await rejected(rw.read()), await rejected(rw.write()));
    got.push(...[() => rw.readSync(), () => rw.writeSync(), () => rw.tryRead(), () => rw.tryWrite(), () => rw.readers, () => rw.writer, () => rw.waiters, () => mp.share(rw)].map(thrown), inspect(rw));
    guard.release();
    const last = await Promise.all(stays);
    got.push(inspect(other));
    other.close();
    last[0].release();
    got.push(native.census().objects > 0);
    last[1].release();
    out([...got, native.census().objects]);`);
  expect(got).toEqual([
    ...['<RWLock free>', '<RWLock writer=MainProcess>', ...Array(13).fill(closedError)],
    ...['<RWLock closed>', '<RWLock readers=2>', true, 0],
  ]);
});

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('writers exclude everybody, readers only writers: totals and counts are exact', async () => {
    const got = await runJson(
      `${bodyHead}
      const rw = new mp.RWLock(), total = new mp.RawValue('d', 0), writers = count(), readers = count(), wrong = count(), ready = count();
      const body = async ({ untilCount, turn }, me, rw, total, writers, readers, wrong, ready) => {
        ready.add(1);
        await untilCount(ready, 4);
        for (let i = 0; i < 200; i++) {
          if ((i + me) % 4 === 0) {
            const g = me % 2 ? await rw.write() : rw.writeSync();
            if (writers.add(1) !== 0 || readers.value !== 0) wrong.add(1);
            total.value += 1;
            if (i % 20 === 0) await turn();
            writers.add(-1);
            g.release();
          } else {
            const g = me % 2 ? rw.readSync() : await rw.read();
            readers.add(1);
            if (writers.value !== 0) wrong.add(1);
            await turn();
            readers.add(-1);
            g.release();
          }
        }
      };
      await Promise.all([0, 1, 2, 3].map((me) => start('${ground}', body, me, rw, total, writers, readers, wrong, ready).done));
      out([total.value, wrong.value, rw.readers, rw.writer, rw.waiters]);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([200, 0, 0, null, 0]);
  });

  test('a writer gets in while readers of several peers come and come', async () => {
    const got = await runJson(`${bodyHead}
      const rw = new mp.RWLock(), stop = count(), rounds = count();
      const body = async ({ turn }, rw, stop, rounds) => {
        let last = rw.readSync();
        while (stop.value === 0) {
          const next = rw.tryRead() ?? (last?.release(), last = null, rw.readSync());   // one is in nearly always
          last?.release();
          last = next;
          rounds.add(1);
          if (rounds.value % 16 === 0) await turn();
        }
        last.release();
      };
      const all = [1, 2].map(() => start('${ground}', body, rw, stop, rounds));
      for (let i = 0; i < 20; i++) {
        const from = rounds.value;
        await until(() => rounds.value > from);
        (i % 2 ? await rw.write() : rw.writeSync()).release();
      }
      stop.value = 1;
      await Promise.all(all.map((p) => p.done));
      out([rw.readers, rw.writer]);`);
    expect(got).toEqual([0, null]);
  });

  for (const way of ['sync', 'async', 'exit'] as const) {
    test(`a writer that dies (${way}): readers are told until a writer has been; a reader that dies leaves no trace`, async () => {
      const got = await runJson(`${bodyHead}
        const rw = new mp.RWLock(), said = count(), got = [];
        const body = async ({ stay, sleep }, mode, way, rw, said) => {
          if (way === 'async') await rw[mode](); else rw[mode + 'Sync']();
          said.add(1);
          if (way === 'exit') process.exit(0);
          if (way === 'async') await stay(); else sleep();
        };
        const die = (peer) => '${way}' === 'exit' ? peer.done : peer.end();
        const reader = start('${ground}', body, 'read', '${way}', rw, said);
        await until(() => said.value === 1);
        const writing = rw.write();
        await die(reader);
        const w = await writing;
        got.push(w.abandoned, rw.readers);
        w.release();
        const writer = start('${ground}', body, 'write', '${way}', rw, said);
        await until(() => said.value === 2);
        const waiting = [rw.read(), rw.read()];
        await die(writer);
        const rs = [...await Promise.all(waiting), await rw.read(), rw.readSync()];
        got.push(rs.map((g) => g.abandoned), rw.writer);
        for (const g of rs) g.release();
        for (const next of ['tryRead', 'write', 'write', 'readSync']) { const g = await rw[next](); got.push(g.abandoned); g.release() }
        out(got);`);
      expect(got).toEqual([false, 0, Array(4).fill(true), null, true, true, false, false]);
    });
  }

  test('waiters die in line, and as they get in: those behind go on', async () => {
    const got = await runJson(
      `${bodyHead}
      const got = [];
      for (const first of ['kill', 'release']) {
        const rw = new mp.RWLock(), own = rw.readSync();
        const body = async ({ stay, sleep }, mode, way, rw) => {
          if (way === 'sync') rw[mode + 'Sync'](); else await rw[mode]();
          if (way === 'sync') sleep(); else await stay();
        };
        const victims = [];
        for (const [mode, way] of [['write', 'sync'], ['read', 'async']]) {
          victims.push(start('${ground}', body, mode, way, rw));
          await until(() => rw.waiters === victims.length);
        }
        const behind = rw.read(), then = rw.write();
        if (first === 'release') own.release();
        await Promise.all(victims.map((v) => v.end()));
        own.release();
        (await behind).release();
        (await then).release();
        got.push(rw.readers, rw.writer, rw.waiters);
        rw.close();
        await until(() => native.census().objects === 0);
      }
      out(got);`,
      { timeout: 50_000 },
    );
    expect(got).toEqual([0, null, 0, 0, null, 0]);
  });

  test('handles travel', async () => {
    const got = await runJson(`${bodyHead}
      const rw = new mp.RWLock(), w = rw.writeSync();
      const body = ({ mp }, rw) => {
        const again = mp.open(structuredClone(mp.share(rw)));
        const { pid, name, thread } = rw.writer;
        return [rw.tryRead(), again.tryWrite(), pid, name, thread];
      };
      const got = await start('${ground}', body, rw).done;
      out([...got, process.pid]);`);
    expect(got.slice(0, 2)).toEqual([null, null]);
    expect(got.slice(2)).toEqual([got[5], 'MainProcess', 0, got[5]]);
  });
});

test('a storm: readers and writers are killed at random; the others go on, and nothing is left taken', async () => {
  const got = await runJson(
    `${bodyHead}
    const rw = new mp.RWLock(), stop = count(), wrong = count(), writers = count(), died = count();
    const seats = Array.from({ length: 4 }, count);
    const body = async ({ turn }, seat, way, rw, stop, wrong, writers, died) => {
      while (stop.value === 0) {
        if (seat.add(1) % 3 === 0) {
          const g = way ? rw.writeSync() : await rw.write();
          if (g.abandoned) { died.add(1); writers.value = 0 }
          if (writers.add(1) !== 0) wrong.add(1);
          for (let i = 0; i < 50; i++) void stop.value;
          writers.add(-1);
          g.release();
        } else {
          const g = way ? rw.readSync() : await rw.read();
          if (writers.value !== 0 && !g.abandoned) wrong.add(1);
          if (seat.value % 8 === 0) await turn();
          g.release();
        }
      }
      return 'stopped';
    };
    const begin = (i) => start(i % 2 ? 'thread' : 'process', body, seats[i], (i >> 1) % 2, rw, stop, wrong, writers, died);
    const all = seats.map((_, i) => begin(i));
    for (let i = 0; i < 4; i++) {
      const victim = i % 4, from = seats.map((s) => s.value);
      await until(() => seats.every((s, n) => s.value > from[n]));
      await new Promise((r) => setTimeout(r, Math.random() * 5));
      await all[victim].end();
      all[victim] = begin(victim);
    }
    stop.value = 1;
    await Promise.all(all.map((p) => p.done));
    (await rw.write()).release();
    out([wrong.value, rw.readers, rw.writer, rw.waiters]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([0, 0, null, 0]);
});

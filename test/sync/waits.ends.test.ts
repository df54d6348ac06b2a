// Whatever waits: signals while a thread blocks, the process's end while promises are pending, handles of dead trees.
import { spawn } from 'node:child_process';
import { describe as group, expect, test } from 'vitest';
import { describe, runJson, runScript, scriptFile } from '../support/child.js';
import { bodyHead } from '../support/sync.js';

/** One of each, none of which is to be had: a worker thread has what there is. */
const taken = `${bodyHead}
const sem = new mp.Semaphore(0), bounded = new mp.BoundedSemaphore(1), event = new mp.Event(), rw = new mp.RWLock(), rw2 = new mp.RWLock();
const cond = new mp.Condition(), rcond = new mp.Condition(new mp.RLock()), barrier = new mp.Barrier(2), said = count();
start('thread', async ({ stay }, bounded, rw, rw2, said) => { bounded.acquireSync(); rw.writeSync(); rw2.readSync(); said.add(1); await stay() }, bounded, rw, rw2, said);
await until(() => said.value === 1);
const locked = (c, f) => { const g = c.acquireSync(); try { return f(c) } finally { g.release() } };
const sync = {
  sem: () => sem.acquireSync(), consume: () => sem.acquireSync({ timeout: 1e6, owned: false }), bounded: () => bounded.acquireSync(), event: () => event.waitSync(),
  read: () => rw.readSync(), write: () => rw2.writeSync(1e7), cond: () => locked(cond, (c) => c.waitSync()), condFor: () => locked(rcond, (c) => c.waitForSync(() => false)),
  barrier: () => barrier.waitSync(),
};
const later = {
  sem: (o) => sem.acquire(o), bounded: (o) => bounded.acquire(o), event: (o) => event.wait(o), read: (o) => rw.read(o), write: (o) => rw2.write(o),
  cond: (o) => cond.runExclusive(() => cond.wait(o)), condFor: (o) => rcond.runExclusive(() => rcond.waitFor(() => false, o)), barrier: (o) => barrier.wait(o),
};
`;
const kinds = ['sem', 'consume', 'bounded', 'event', 'read', 'write', 'cond', 'condFor', 'barrier'];

test('a signal with a listener ends every blocking form by an InterruptedError; nothing is taken, nobody is left in line', async () => {
  const got = await runJson<[string[], number, unknown]>(`${taken}
    const go = count(), sentAt = new mp.RawValue('d', 0), heard = { SIGINT: 0, SIGTERM: 0 }, got = [];
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => heard[signal]++);
    // From outside, when this thread sleeps in the kernel; it writes down when.
    const sender = new mp.Process({ target: peers.signalWhenAsleep, args: [process.pid, go, sentAt], daemon: true }).start();
    let quickest = Infinity, n = 0;
    for (const kind of Object.keys(sync)) {
      go.value = ++n;
      const how = thrown(sync[kind]);
      quickest = Math.min(quickest, Number(process.hrtime.bigint()) / 1e6 - sentAt.value);
      got.push(kind + ' ' + how);
      await until(() => heard.SIGINT + heard.SIGTERM === n);
    }
    go.value = -1;
    await sender.join();
    out([got, quickest, [sem.value, sem.waiters, bounded.waiters, rw.waiters, rw2.waiters, rw2.readers, cond.waiters, rcond.waiters, cond.lock.locked, barrier.broken, barrier.nWaiting]]);
    process.exit(0);`);
  expect(got[0]).toEqual(kinds.map((kind) => `${kind} InterruptedError ERR_MP_INTERRUPTED`));
  // The promise is 100 ms. A loaded machine may take longer to run us, but not every time.
  expect(got[1]).toBeLessThan(100);
  // Who is interrupted at a barrier breaks it, as by a timeout.
  expect(got[2]).toEqual([0, 0, 0, 0, 0, 1, 0, 0, false, true, 0]);
});

group('without a listener', () => {
  test.each(['sync.event()', 'sync.cond()', 'sync.barrier()', 'await later.sem()'])(
    'a signal ends the process that waits: %s',
    async (wait) => {
      const child = spawn(process.execPath, [scriptFile(`${taken} process.stdout.write('now'); ${wait};`)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const watchdog = setTimeout(() => child.kill('SIGKILL'), 20_000);
      child.stdout.once('data', () => child.kill('SIGTERM'));
      const end = await new Promise((resolve) =>
        child.on('close', (code, signal) => resolve([code, signal])),
      );
      clearTimeout(watchdog);
      expect(end).toEqual([null, 'SIGTERM']);
    },
  );
});

test('a pending wait of any kind keeps the process alive, and only while it is pending', async () => {
  const end = await runScript(`${bodyHead}
    const sem = new mp.Semaphore(0), event = new mp.Event(), rw = new mp.RWLock(), cond = new mp.Condition(), barrier = new mp.Barrier(2);
    rw.writeSync();
    const waits = { sem: sem.acquire(30), event: event.wait(30), rw: rw.read(30), cond: cond.runExclusive(() => cond.wait(30)), barrier: barrier.wait(30) };
    let over = 0;
    for (const [kind, p] of Object.entries(waits)) p.catch(() => 0).then(() => { if (++over === 5) console.log('all over') });
    // Without a timer, nothing but the wait itself: each is ended by another one's thread.
    const alone = new mp.Event(), said = count();
    const peer = new mp.Process({ target: peers.setLater, args: [alone, said], detached: true }).start();
    alone.wait().then((r) => { console.log('set', r) });
    said.value = 1;`);
  expect([end.stdout.split('\n').sort(), end.code], describe(end)).toEqual([['', 'all over', 'set true'], 0]);
});

for (const [how, code] of [
  ['process.exit(7)', 7],
  ['setTimeout(() => { throw new Error("uncaught on purpose") })', 1],
  ['process.kill(process.pid, "SIGKILL")', null],
] as const) {
  test(`waits of every kind that are pending do not hold up ${how}`, async () => {
    const end = await runScript(`${taken}
      for (let i = 0; i < 20; i++) for (const wait of Object.values(later)) { void wait().catch(() => 0); void wait({ timeout: 1e8, signal: new AbortController().signal }).catch(() => 0) }
      await turns();
      console.log('pending');
      ${how};`);
    expect([end.stdout, end.code], describe(end)).toEqual(['pending\n', code]);
  });
}

test('the libuv pool is not used: with its one thread blocked, all waits work', async () => {
  const got = await runJson(
    `${bodyHead}
    import { execFileSync } from 'node:child_process';
    import * as fs from 'node:fs';
    import { tmpdir } from 'node:os';
    const dir = fs.mkdtempSync(tmpdir() + '/mp-'), fifo = dir + '/fifo';
    execFileSync('mkfifo', [fifo]);
    const sem = new mp.Semaphore(0), event = new mp.Event(), rw = new mp.RWLock(), cond = new mp.Condition(), barrier = new mp.Barrier(2), lock = new mp.Lock(), said = count();
    const peer = start('thread', async ({ untilCount }, sem, event, rw, cond, barrier, lock, said) => {
      const g = lock.acquireSync(), w = rw.writeSync();
      said.add(1);
      await untilCount(said, 2);
      sem.release(); event.set(); w.release(); g.release();
      while ((await cond.runExclusive(() => cond.notify())) === 0);
      await barrier.wait();
    }, sem, event, rw, cond, barrier, lock, said);
    await until(() => said.value === 1);
    const opened = fs.promises.open(fifo, 'r');      // in the pool, until somebody writes
    let free = false;
    const stat = fs.promises.stat('/').then(() => (free = true));
    const waits = [sem.acquire(), event.wait(), rw.read(), cond.runExclusive(() => cond.wait()), lock.acquire(), barrier.wait()];
    said.value = 2;
    await Promise.all(waits);
    const used = free;
    fs.closeSync(fs.openSync(fifo, 'r+'));
    await (await opened).close();
    await stat;
    fs.rmSync(dir, { recursive: true });
    out([used, free]);`,
    { env: { UV_THREADPOOL_SIZE: '1' } },
  );
  expect(got).toEqual([false, true]);
});

test('10,000 waits at once on 1,000 objects: each ends, by a few threads', async () => {
  const got = await runJson(
    `${bodyHead}
    import { readdirSync } from 'node:fs';
    const make = (C) => Array.from({ length: 200 }, C), said = count();
    const events = make(() => new mp.Event()), sems = make(() => new mp.Semaphore(0)), locks = make(() => new mp.Lock()), conds = make(() => new mp.Condition()), rws = make(() => new mp.RWLock());
    const threads = () => readdirSync('/proc/self/task').length;
    const peer = start('thread', async ({ untilCount }, events, sems, locks, conds, rws, said) => {
      const guards = [...locks.map((l) => l.acquireSync()), ...rws.map((w) => w.writeSync())];
      said.add(1);
      await untilCount(said, 2);
      for (const e of events) e.set();
      for (const s of sems) s.release(10);
      for (const g of guards) g.release();
      for (const c of conds) c.runExclusiveSync(() => c.notifyAll());
    }, events, sems, locks, conds, rws, said);
    await until(() => said.value === 1);
    const before = threads(), waits = [];
    let over = 0;
    for (let i = 0; i < 10; i++) {
      waits.push(...events.map((e) => e.wait()), ...sems.map((s) => s.acquire()), ...locks.map((l) => l.acquire().then((g) => g.release())));
      waits.push(...conds.map((c) => c.runExclusive(() => c.wait())), ...rws.map((w) => (i % 5 ? w.read() : w.write()).then((g) => g.release())));
    }
    for (const w of waits) w.then(() => over++);
    await until(() => conds.every((c) => c.waiters === 10));
    await turns();
    const early = over, most = threads() - before;
    said.value = 2;
    await Promise.all(waits);
    out([waits.length, early, over, most]);`,
    { timeout: 50_000 },
  );
  expect(got.slice(0, 3)).toEqual([10_000, 0, 10_000]);
  // 1,000 waits of this environment, 42 a thread.
  expect(got[3]).toBeLessThan(40);
});

test('handles pass JSON, as process.send() does; those of a tree that has ended are refused, of every kind', async () => {
  const make = `const all = [new mp.Semaphore(), new mp.BoundedSemaphore(), new mp.Event(), new mp.RWLock(), new mp.Condition(), new mp.Barrier(2)];`;
  const handles = await runJson(`${bodyHead} ${make} out(all.map((x) => mp.share(x)));`);
  const got = await runJson(`${bodyHead}
    const handles = ${JSON.stringify(handles)}, first = handles.map((h) => thrown(() => mp.open(h)));
    ${make}
    out([first, handles.map((h) => thrown(() => mp.open(h))), all.map((x) => thrown(() => mp.open(JSON.parse(JSON.stringify(mp.share(x)))).close()))]);`);
  expect(got).toEqual([
    Array(6).fill('ERR_MP_NOT_FOUND'),
    Array(6).fill('ERR_MP_HANDLE'),
    Array(6).fill('fine'),
  ]);
});

test('10,000 rounds of create, use and close of each kind: no object, descriptor, thread or memory more', async () => {
  const got = await runJson(
    `${bodyHead}
    import { readdirSync } from 'node:fs';
    const uses = {
      semaphore: async (i) => { const s = i % 2 ? new mp.Semaphore(1) : new mp.BoundedSemaphore(1), g = s.acquireSync(); if (i % 10 === 0) { const p = s.acquire(1e6); s.release(); (await p).release() } g.release(); return s },
      rwlock: async (i) => { const rw = new mp.RWLock(), g = rw.readSync(); if (i % 10 === 0) { const p = rejected(rw.write({ timeout: 1e6, signal: new AbortController().signal })); rw.close(); await p } g.release(); return rw },
      event: async (i) => { const e = new mp.Event(); if (i % 10 === 0) { const p = e.wait(1e6); e.set(); await p } else e.waitSync(0); return e },
      condition: async (i) => { const c = new mp.Condition(i % 3 ? undefined : lock); const g = c.acquireSync(); if (i % 10 === 0) { const p = c.wait(); const h = c.acquireSync(); c.notify(); h.release(); await p } c.notifyAll(); g.release(); return c },
      barrier: async (i) => { const b = new mp.Barrier(2), p = b.wait(); b.waitSync(); await p; return b },
    };
    const lock = new mp.Lock(), keep = new mp.Event();
    const usage = () => { globalThis.gc(); return { fds: readdirSync('/proc/self/fd').length, threads: readdirSync('/proc/self/task').length, slots: native.census().slotsReserved, heap: process.memoryUsage().heapUsed, rss: process.memoryUsage.rss() } };
    const round = async (use, i) => { const x = await use(i), again = x.closed ? null : mp.open(mp.share(x)); x.close(); again?.close(); if (i % 20 === 0) await turns(1) };
    for (const use of Object.values(uses)) for (let i = 0; i < 3000; i++) await round(use, i);
    const got = [];
    for (const [kind, use] of Object.entries(uses)) {
      const before = usage();
      for (let i = 0; i < 10000; i++) await round(use, i);
      const after = usage();
      got.push([kind, after.fds - before.fds, after.threads <= before.threads + 1, after.slots - before.slots, after.heap - before.heap < (2 << 20), after.rss - before.rss < (48 << 20), native.census().objects]);
    }
    lock.close(); keep.close();
    out([got, native.census().objects, readdirSync('/proc/self/task').length < 20]);`,
    { execArgv: ['--expose-gc'], timeout: 50_000 },
  );
  const kept = ['semaphore', 'rwlock', 'event', 'condition', 'barrier'].map((kind) => [
    kind,
    0,
    true,
    0,
    true,
    true,
    2,
  ]);
  expect(got).toEqual([kept, 0, true]);
});

// RLock, Semaphore, BoundedSemaphore, Event and RWLock with a name: unrelated programs meet on it.
import { afterEach, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { removeNames, sharedFiles, uniqueName } from '../support/names.js';
import {
  bodyHead,
  closedError,
  deadlockError,
  grounds,
  rangeError,
  timeoutError,
  typeError,
} from '../support/sync.js';

afterEach(removeNames);

const head = `${bodyHead}
import { spawn } from 'node:child_process';
const name = process.argv[2];
const Kinds = { RLock: mp.RLock, Semaphore: mp.Semaphore, BoundedSemaphore: mp.BoundedSemaphore, Event: mp.Event, RWLock: mp.RWLock };
/** An unrelated program, which ends as it is told; what it prints is JSON. */
const stranger = (source, input = '') => {
  const p = spawn(process.execPath, ['--input-type=module', '-e', \`import * as mp from 'multiproc'; const name = \${JSON.stringify(name)}; const out = (x) => console.log(JSON.stringify(x)); \${source}\`], { cwd: ${JSON.stringify(new URL('../..', import.meta.url).pathname)}, stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  p.stdout.setEncoding('utf8');
  const said = (word) => new Promise((resolve) => { const look = (t = '') => { text += t; if (text.includes(word)) resolve() }; p.stdout.on('data', look) });
  const lines = [];
  p.stdout.on('data', (t) => lines.push(t));
  const end = new Promise((resolve) => p.on('close', () => { const all = lines.join('').trim().split('\\n'); resolve(all.at(-1) === '' ? null : JSON.parse(all.at(-1))) }));
  return { said, end, kill: () => { p.kill('SIGKILL'); return end } };
};
`;
const named = { args: [] as string[], timeout: 30_000 };
const run = (source: string, name = uniqueName()): Promise<any> =>
  runJson(head + source, { ...named, args: [name] });

test('names: made by the first, listed, deleted; one class does not meet another', async () => {
  const name = uniqueName();
  const got = await run(
    `const got = [];
    for (const [kind, C] of Object.entries(Kinds)) {
      const a = new C({ name }), b = new C({ name: 'shm://' + name });
      const mine = () => C.list().filter((x) => x.name === name);
      got.push([kind, a.name, b.name, mine().length, thrown(() => C.delete('never-' + name)), new C().name]);
      a.close(); a.close(); b.close();
      got.push(mine().length, thrown(() => a.name));
      C.delete(name);
      got.push(mine().length, thrown(() => C.delete(name)));
    }
    out(got);`,
    name,
  );
  const each = (kind: string) => [
    [kind, name, name, 1, 'ERR_MP_NOT_FOUND', null],
    ...[1, closedError, 0, 'ERR_MP_NOT_FOUND'],
  ];
  expect(got).toEqual(['RLock', 'Semaphore', 'BoundedSemaphore', 'Event', 'RWLock'].flatMap(each));
  expect(sharedFiles(name)).toEqual([]);
});

test('names and options that make no sense are refused, and make nothing', async () => {
  const name = uniqueName();
  const got = await run(
    `const got = { range: [], type: [] };
    for (const C of Object.values(Kinds)) {
      for (const n of ['', 'a/b', 'x'.repeat(300), 'file:///tmp/x']) got.range.push(thrown(() => new C({ name: n })));
      for (const n of [5, null, {}]) got.type.push(thrown(() => new C({ name: n })));
      for (const o of ['x', [], {}, { mode: 0o600 }]) got.type.push(thrown(() => new C(o)));
      got.type.push(thrown(() => new C({ name, mode: 'x' })));
      got.range.push(thrown(() => new C({ name, mode: 0o1000 })));
    }
    for (const C of [mp.Semaphore, mp.BoundedSemaphore]) {
      for (const value of [-1, 0.5, NaN, 2 ** 31]) got.range.push(thrown(() => new C({ name, value })));
      for (const value of ['1', {}, 1n]) got.type.push(thrown(() => new C({ name, value })));
    }
    out(got);`,
    name,
  );
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(sharedFiles(name)).toEqual([]);
});

test('a semaphore: its value is that of its maker; units, waits and bounds are as of one without a name', async () => {
  const got = await run(`
    const got = [];
    for (const C of [mp.Semaphore, mp.BoundedSemaphore]) {
      const sem = new C({ name, value: 2 }), again = new C({ name, value: 9 });
      const a = sem.acquireSync(), b = await again.acquire();
      got.push(again.value, sem.tryAcquire(), await rejected(sem.acquire(5)), thrown(() => again.acquireSync(5)), C.list().find((x) => x.name === name).value);
      const pending = sem.acquire(), closing = rejected(again.acquire());
      await until(() => sem.waiters === 1);
      again.close();
      got.push(await closing);
      b.release(); b.release();
      (await pending).release();
      a.release();
      got.push(sem.value, thrown(() => sem.release()), sem.value);
      sem.acquireSync({ owned: false });
      got.push(sem.value);
      sem.close();
      C.delete(name);
    }
    out(got);`);
  const each = [0, null, timeoutError, timeoutError, 0, closedError, 2];
  expect(got).toEqual([...each, 'fine', 3, 2, ...each, 'ERR_MP_OVER_RELEASE', 2, 1]);
});

test('an event, a readers-writer lock, an RLock: all their calls', async () => {
  const got = await run(`
    const got = [];
    const e = new mp.Event({ name }), e2 = new mp.Event({ name });
    got.push(e.isSet(), e2.waitSync(5), await e.wait(0));
    const w = e2.wait(), gone = rejected(e.wait());
    e.close();
    got.push(await gone);
    e2.set(); e2.clear();
    got.push(await w, e2.isSet());
    e2.set();
    got.push(e2.waitSync(), mp.Event.list().find((x) => x.name === name).isSet);
    e2.close(); mp.Event.delete(name);

    const rw = new mp.RWLock({ name }), rw2 = new mp.RWLock({ name });
    const rs = [rw.readSync(), await rw2.read()];
    got.push(rw.readers, rw2.tryWrite(), thrown(() => rw.writeSync()), mp.RWLock.list().find((x) => x.name === name));
    const writing = rw.write(), behind = rw2.read();
    await turns();
    got.push(rw.tryRead());
    for (const r of rs) r.release();
    const wg = await writing;
    got.push(rw2.readers, rw.writer.pid === process.pid, mp.RWLock.list().find((x) => x.name === name).writer.pid === process.pid);
    wg.release(); wg.release();
    (await behind).release();
    rw.close(); rw2.close(); mp.RWLock.delete(name);

    const r = new mp.RLock({ name }), r2 = new mp.RLock({ name });
    const a = r.acquireSync(), b = r2.acquireSync(), c = a.acquire();
    a.release(); b.release();
    got.push(r2.locked, await rejected(r2.acquire(5)));
    c.release();
    got.push(r2.locked, thrown(() => r.release()));
    const cond = new mp.Condition(r), wait = r2.runExclusive(() => cond.wait());
    await until(() => cond.waiters === 1);
    await cond.runExclusive(() => cond.notify());
    got.push(await wait);
    r.close(); r2.close(); cond.close(); mp.RLock.delete(name);
    out(got);`);
  expect(got).toEqual([
    ...[false, false, false, closedError, true, false, true, true],
    ...[2, null, deadlockError, { name: expect.anything(), writer: null, readers: 2 }, null, 0, true, true],
    ...[true, timeoutError, false, 'ERR_MP_NOT_OWNER', true],
  ]);
});

test('unrelated programs meet on them; what one held when it was killed comes back, and is told', async () => {
  const got = await run(`
    const got = [];
    const sem = new mp.BoundedSemaphore({ name, value: 2 }), e = new mp.Event({ name }), rw = new mp.RWLock({ name }), r = new mp.RLock({ name });
    const holder = stranger(\`
      const sem = new mp.BoundedSemaphore({ name }), rw = new mp.RWLock({ name }), r = new mp.RLock({ name }), e = new mp.Event({ name });
      sem.acquireSync(); sem.acquireSync(); rw.writeSync(); r.acquireSync(); r.acquireSync();
      e.set();
      console.log('"holds"');
      setInterval(() => {}, 1000);\`);
    got.push(await e.wait(), sem.value, rw.tryRead(), r.tryAcquire(), r.owner.pid === process.pid);
    const waits = [sem.acquire(), sem.acquire(), rw.read(), r.acquire()];
    await until(() => sem.waiters === 1 && rw.waiters === 1);
    await holder.kill();
    const guards = await Promise.all(waits);
    got.push(guards.map((g) => g.abandoned), thrown(() => sem.release(3)));
    for (const g of guards) g.release();
    (await rw.write()).release();
    got.push([sem.acquireSync(), rw.writeSync(), r.acquireSync()].map((g) => (g.release(), g.abandoned)), sem.value);
    // Waiters of another program that are killed count for nothing.
    const own = [sem.acquireSync(), sem.acquireSync(), rw.writeSync(), r.acquireSync()];
    const waiter = stranger(\`
      new mp.BoundedSemaphore({ name }).acquire(); new mp.RWLock({ name }).write(); new mp.RLock({ name }).acquire(); new mp.Event({ name, x: 1 }).wait();\`);
    await until(() => sem.waiters === 1 && rw.waiters === 1);
    await waiter.kill();
    for (const g of own) g.release();
    const tries = [r.tryAcquire(), rw.tryWrite(), sem.tryAcquire(), sem.tryAcquire()];
    got.push(tries.map((g) => g?.abandoned), sem.tryAcquire());
    for (const g of tries) g.release();
    // And when nobody has waited meanwhile, the first that tries notices.
    e.clear();
    const last = stranger(\`
      new mp.BoundedSemaphore({ name }).acquireSync(); new mp.RWLock({ name }).writeSync(); new mp.RLock({ name }).acquireSync(); new mp.Event({ name }).set(); setInterval(() => {}, 1000);\`);
    await e.wait();
    await last.kill();
    got.push([rw.tryRead(), r.tryAcquire(), sem.tryAcquire(), sem.tryAcquire()].map((g) => g?.abandoned));
    out(got);
    for (const x of [sem, e, rw, r]) { x.close(); x.constructor.delete(name) }`);
  expect(got).toEqual([
    ...[true, 0, null, null, false, Array(4).fill(true), 'ERR_MP_OVER_RELEASE'],
    ...[[false, false, false], 2, Array(4).fill(false), null],
    ...[[true, true, false, true]],
  ]);
});

test.each(grounds)(
  'handles travel to a %s, and say so when the name is another’s by then',
  async (ground) => {
    const got = await run(`
    const all = Object.values(Kinds).map((C) => new C({ name }));
    const body = ({ mp }, ...all) => all.map((x) => [x.name === mp.open(structuredClone(mp.share(x))).name, x.constructor === mp[x.constructor.name]]);
    const got = await start('${ground}', body, ...all).done;
    const handles = all.map((x) => mp.share(x));
    for (const x of all) { x.constructor.delete(name); x.close() }
    got.push(...handles.map((h) => thrown(() => mp.open(h))));
    const others = Object.values(Kinds).map((C) => new C({ name }));
    got.push(...handles.map((h) => thrown(() => mp.open(h))), ...handles.map((h) => thrown(() => mp.open({ ...h, id: 5 }))));
    for (const x of others) { x.constructor.delete(name); x.close() }
    out(got);`);
    expect(got).toEqual([
      ...Array(5).fill([true, true]),
      ...Array(10).fill('ERR_MP_NOT_FOUND'),
      ...Array(5).fill('ERR_MP_HANDLE'),
    ]);
  },
);

test('memory that somebody shortens is an error at the next call, never a crash', async () => {
  const got = await run(`
    import { readdirSync, truncateSync } from 'node:fs';
    const calls = { RLock: (x) => [() => x.acquireSync(5)], Semaphore: (x) => [() => x.acquireSync(5), () => x.tryAcquire()], BoundedSemaphore: (x) => [() => x.acquireSync(5)], RWLock: (x) => [() => x.readSync(5), () => x.tryWrite()], Event: (x) => [() => x.set(), () => x.clear(), () => x.isSet(), () => x.waitSync(1)] };
    const got = [];
    for (const [kind, C] of Object.entries(Kinds)) {
      const x = new C({ name });
      const pending = kind === 'Event' ? x.wait(5) : kind === 'RWLock' ? x.read() : x.acquire();
      await pending;
      for (const f of readdirSync('/dev/shm')) if (f.endsWith('.' + name)) truncateSync('/dev/shm/' + f, 0);
      got.push(...(calls[kind]?.(x) ?? []).map(thrown));
      x.close();
      C.delete(name);
    }
    out(got);`);
  expect(new Set(got.filter((x: string) => x !== 'fine'))).toEqual(new Set(['ERR_MP_DAMAGED']));
});

test('500 rounds of open, use, close and delete of each kind: no growth', async () => {
  const got = await run(`
    import { readdirSync, readFileSync } from 'node:fs';
    const usage = () => [readdirSync('/proc/self/fd').length, readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => /multiproc\\.(rlock|semaphore|bounded|event|rwlock)/.test(line)).length];
    const use = { RLock: (x) => x.acquireSync().release(), Semaphore: async (x) => (await x.acquire()).release(), BoundedSemaphore: (x) => x.tryAcquire().release(), Event: async (x, i) => { const p = x.wait(i % 5 ? 0 : 1e6); x.set(); await p }, RWLock: (x) => x.writeSync().release() };
    const round = async (kind, i) => { const x = new Kinds[kind]({ name }); await use[kind](x, i); x.close(); if (i % 2) Kinds[kind].delete(name) };
    const before = [], after = [];
    for (const kind of Object.keys(Kinds)) {
      for (let i = 0; i < 50; i++) await round(kind, i);
      before.push(usage());
      for (let i = 0; i < 500; i++) await round(kind, i);
      after.push(usage());
    }
    out([before, after]);`);
  expect(got[1]).toEqual(got[0]);
  expect(got[0].map((x: number[]) => x[1])).toEqual([0, 0, 0, 0, 0]);
});

// new Lock({ name }): calls, lists, names, limits, lifetimes.
import { writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { Lock, open, share, SharedArray, ShareableList } from 'multiproc';
import { fixtures, runJson, scriptFile } from '../support/child.js';
import { canMount, inNamespace } from '../support/namespace.js';
import { codeOf, removeNames, sharedFiles, thrown, uniqueName } from '../support/names.js';

afterEach(removeNames);

const head = `
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as mp from 'multiproc';
const { Lock, share, open } = mp;
const name = process.argv[2];
const codeOf = (f) => { try { return f() } catch (e) { return e.code } };
const out = (value) => console.log(JSON.stringify(value));
`;

test('made by the first, opened by the next: one lock', async () => {
  const name = uniqueName();
  const a = new Lock({ name });
  const b = new Lock({ name: `shm://${name}` });
  expect([a.name, b.name, a.locked, a.owner]).toEqual([name, name, false, null]);
  const guard = a.acquireSync();
  expect(guard.abandoned).toBe(false);
  expect([b.locked, b.owner, b.tryAcquire()]).toEqual([
    true,
    { pid: process.pid, name: 'MainProcess', thread: 0 },
    null,
  ]);
  expect(codeOf(() => b.acquireSync())).toBe('DeadlockError ERR_MP_DEADLOCK');
  await expect(b.acquire({ timeout: 20 })).rejects.toThrow('within 20 ms');
  await expect(b.acquire({ timeout: 0 })).rejects.toThrow('is held');
  await expect(b.acquire({ signal: AbortSignal.timeout(20) })).rejects.toThrow('timeout');
  const pending = b.acquire();
  guard.release();
  guard.release();
  const second = await pending;
  a.release(); // whoever holds it
  second.release();
  expect(a.locked).toBe(false);
  expect(codeOf(() => a.release())).toBe('ERR_MP_NOT_HELD');
  expect(await a.runExclusive(() => a.locked)).toBe(true);
  expect(a.runExclusiveSync(() => b.locked)).toBe(true);
  a.close();
  a.close();
  expect(codeOf(() => a.locked)).toBe('ClosedError ERR_MP_CLOSED');
  const late = b.acquireSync();
  b.close(); // the guard stays good
  const c = new Lock({ name });
  expect(c.locked).toBe(true);
  late.release();
  expect(c.locked).toBe(false);
  c.close();
  Lock.delete(name);
  expect(codeOf(() => Lock.delete(name))).toBe('ERR_MP_NOT_FOUND');
});

test('a lock without a name has none', () => {
  const lock = new Lock();
  expect(lock.name).toBe(null);
  lock.close();
});

test('names and options that make no sense', () => {
  const make = (options: unknown) => () => new Lock(options as never);
  for (const name of ['', 'a/b', 'a\0b', 'x'.repeat(300), '\ud800', 'file:///tmp/x'])
    expect(codeOf(make({ name }))).toBe('RangeError ERR_MP_RANGE');
  for (const name of [5, null, {}]) expect(codeOf(make({ name }))).toBe('TypeError ERR_MP_TYPE');
  expect(codeOf(make('x'))).toBe('TypeError ERR_MP_TYPE');
  for (const options of [{}, [], { mode: 0o600 }, { name: undefined }])
    expect(codeOf(make(options))).toBe('TypeError ERR_MP_TYPE');
  const name = uniqueName();
  expect(codeOf(make({ name, mode: 'x' }))).toBe('TypeError ERR_MP_TYPE');
  expect(codeOf(make({ name, mode: 0o1000 }))).toBe('RangeError ERR_MP_RANGE');
  expect(codeOf(() => Lock.delete('a/b'))).toBe('RangeError ERR_MP_RANGE');
  expect(sharedFiles(name)).toEqual([]);
});

test('list: locks, and who holds them; not other named objects, nor they it', () => {
  const name = uniqueName();
  const lock = new Lock({ name });
  SharedArray.create(name, [3], 'int8').close();
  new ShareableList([1], { name }).close();
  const ours = () => Lock.list().filter((x) => x.name.startsWith(name));
  expect(ours()).toEqual([{ name, owner: null }]);
  const guard = lock.acquireSync();
  expect(ours()).toEqual([{ name, owner: { pid: process.pid, name: 'MainProcess', thread: 0 } }]);
  guard.release();
  lock.close();
  expect(ours()).toEqual([{ name, owner: null }]);
  expect(SharedArray.list().filter((x) => x.name === name)).toHaveLength(1);
  Lock.delete(name);
  expect(SharedArray.list().filter((x) => x.name === name)).toHaveLength(1);
  expect(ours()).toEqual([]);
  SharedArray.delete(name);
  ShareableList.delete(name);
});

test('deleted while held: those that have it keep it, the name is free for another', () => {
  const name = uniqueName();
  const old = new Lock({ name });
  const handle = share(old);
  const guard = old.acquireSync();
  Lock.delete(name);
  expect(thrown(() => open(handle)).message).toMatch(/deleted meanwhile$/);
  const fresh = new Lock({ name });
  expect([old.locked, fresh.locked]).toEqual([true, false]);
  expect(thrown(() => open(handle))).toMatchObject({ code: 'ERR_MP_NOT_FOUND' });
  expect(thrown(() => open(handle)).message).toMatch(/another one has its name now/);
  guard.release();
  fresh.close();
  old.close();
  Lock.delete(name);
});

test('travels by share() and open()', () => {
  const name = uniqueName();
  const lock = new Lock({ name });
  const again = open<Lock>(structuredClone(share(lock)));
  const guard = lock.acquireSync();
  expect([again.name, again.locked, again.tryAcquire()]).toEqual([name, true, null]);
  guard.release();
  expect(codeOf(() => open({ multiproc: 'NamedLock', name, id: 5 } as never))).toBe('ERR_MP_HANDLE');
  expect(codeOf(() => open({ multiproc: 'NamedLock', name, id: '5' } as never))).toBe('ERR_MP_NOT_FOUND');
  lock.close();
  again.close();
  Lock.delete(name);
});

test('travels in arguments and results of processes', async () => {
  const got = await runJson(
    `${head}
    const shared = await import('${new URL('shared.mjs', fixtures).href}');
    const lock = new Lock({ name }), total = new mp.Value('i', 0);
    const all = Array.from({ length: 3 }, () => new mp.Process(shared.count, { lock, total, list: [new Map([['again', lock]])] }, 500).start());
    await Promise.all(all.map((p) => p.join()));
    const p = new mp.Process(shared.holdAndDie, lock).start();
    const code = await p.join();
    const guard = await lock.acquire();
    const [back] = await mp.run(shared.giveBack, lock);
    out([total.value, code, guard.abandoned, back.name, back.owner.pid === process.pid]);
    guard.release();
    Lock.delete(name);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual([1500, -9, true, expect.stringMatching(/^test-/), true]);
});

test('worker threads own it separately; one that is terminated leaves it abandoned', async () => {
  const got = await runJson(
    `${head}
    const lock = new Lock({ name });
    const source = \`
      const { parentPort, workerData, threadId } = require('node:worker_threads');
      import('multiproc').then(({ Lock, open }) => {
        const lock = open(workerData);
        parentPort.on('message', () => {
          const guard = lock.acquireSync();
          parentPort.postMessage([guard.abandoned, threadId]);
        });
        parentPort.postMessage('ready');
      });\`;
    const next = (w) => new Promise((resolve, reject) => { w.once('message', resolve); w.once('error', reject) });
    const w = new Worker(source, { eval: true, workerData: share(lock) });
    await next(w);
    const guard = lock.acquireSync();
    const answer = next(w);
    w.postMessage('take');
    await new Promise((resolve) => setTimeout(resolve, 20));
    guard.release();
    const [abandoned, thread] = await answer;
    const got = [abandoned, lock.owner.thread === thread, lock.owner.pid === process.pid, lock.tryAcquire()];
    const pending = lock.acquire();
    await w.terminate();
    const mine = await pending;
    got.push(mine.abandoned, lock.owner.thread);
    mine.release();
    const maps = () => readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes('multiproc.lock')).length;
    lock.close();
    got.push(maps());
    Lock.delete(name);
    out(got);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual([false, true, true, null, true, 0, 0]);
});

test('1,000 rounds of open, lock, close and delete: no growth', async () => {
  const got = await runJson(
    `${head}
    const usage = () => [readdirSync('/proc/self/fd').length,
      readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes('multiproc.lock')).length];
    const round = async (i) => {
      const a = new Lock({ name }), b = new Lock({ name });
      a.acquireSync().release();
      if (i % 10 === 0) { const g = a.acquireSync(); const p = b.acquire(); g.release(); (await p).release(); }
      a.close(); b.close();
      if (i % 2) Lock.delete(name);
    };
    for (let i = 0; i < 100; i++) await round(i);
    const before = usage();
    for (let i = 0; i < 1000; i++) await round(i);
    out([before, usage(), Lock.list().filter((x) => x.name === name)]);`,
    { args: [uniqueName()], timeout: 60_000 },
  );
  expect(got[1]).toEqual(got[0]);
  expect(got[0][1]).toBe(0);
  expect(got[2]).toEqual([]);
});

test('a thread may have 1,024 open; what it held of them is abandoned when it is killed', async () => {
  const name = uniqueName();
  const got = await runJson(
    `${head}
    import { spawnSync } from 'node:child_process';
    if (process.argv[3]) {
      const all = [];
      for (let i = 0; i < 1024; i++) { const l = new Lock({ name: name + '-' + i }); l.acquireSync(); all.push(l) }
      const code = codeOf(() => new Lock({ name: name + '-x' }));
      new mp.Lock().acquireSync();
      process.stdout.write(code + '\\n');
      process.kill(process.pid, 'SIGKILL');
    } else {
      const child = spawnSync(process.execPath, [process.argv[1], name, 'child'], { encoding: 'utf8' });
      let abandoned = 0;
      for (let i = 0; i < 1024; i++) {
        const l = new Lock({ name: name + '-' + i });
        if (l.tryAcquire()?.abandoned) abandoned++;
        l.close();
        Lock.delete(name + '-' + i);
      }
      out([child.stdout.trim(), child.signal, abandoned, codeOf(() => Lock.delete(name + '-x'))]);
    }`,
    { args: [name] },
  );
  expect(got).toEqual(['ERR_MP_LIMIT', 'SIGKILL', 1024, null]);
});

test('process.exit() with waits pending ends at once', async () => {
  const got = await runJson(
    `${head}
    import { spawn } from 'node:child_process';
    if (process.argv[3]) {
      const lock = new Lock({ name });
      for (let i = 0; i < 50; i++) void new Lock({ name }).acquire();
      setTimeout(() => { console.log(lock.owner.name); process.exit(7) }, 100);
    } else {
      const lock = new Lock({ name });
      const guard = lock.acquireSync();
      const child = spawn(process.execPath, [process.argv[1], name, 'child'], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (t) => { text += t });
      const code = await new Promise((resolve) => child.on('exit', resolve));
      out([code, text.trim()]);   // before the lock is free: none of its waits has ended
      guard.release();
      Lock.delete(name);
    }`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual([7, 'MainProcess']);
});

test("another user's lock: by its mode", async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('only root can become another user');
  const name = uniqueName();
  const got = await runJson(
    `${head}
    new Lock({ name: name + '-own' }).close();
    const all = new Lock({ name: name + '-all', mode: 0o666 });
    const guard = all.acquireSync();
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    const got = [codeOf(() => new Lock({ name: name + '-own' })), codeOf(() => Lock.delete(name + '-own')), codeOf(() => Lock.delete(name + '-all'))];
    const listed = Lock.list().filter((x) => x.name.startsWith(name)).map((x) => x.name.slice(name.length));
    got.push(listed, new Lock({ name: name + '-all' }).owner.pid === process.pid);
    guard.release();
    out(got);`,
    { args: [name] },
  );
  expect(got).toEqual(['ERR_MP_ACCESS', 'ERR_MP_ACCESS', 'ERR_MP_ACCESS', ['-all'], true]);
  Lock.delete(`${name}-own`);
  Lock.delete(`${name}-all`);
});

test('full /dev/shm: an error, nothing left behind', ({ skip }) => {
  if (!canMount()) skip('mount namespaces are not permitted here');
  const script = scriptFile(`${head}
    import { writeFileSync } from 'node:fs';
    const all = [];
    let code;
    for (let i = 0; i < 100 && code === undefined; i++) {
      try { all.push(new Lock({ name: 'l' + i })) } catch (e) { code = e.code }
    }
    for (const lock of all) lock.acquireSync().release();
    const some = all.length > 5, left = readdirSync('/dev/shm').filter((n) => n.startsWith('.')).length;
    for (const lock of all) lock.close();
    out([code, some, left, Lock.list().length - all.length <= 1]);`);
  const got = inNamespace(`mount -t tmpfs -o size=128k tmpfs /dev/shm && ${process.execPath} ${script} x`);
  expect(JSON.parse(got)).toEqual(['ERR_MP_MEMORY', true, 0, true]);
});

test('a name of another kind, or of nothing of ours', () => {
  const name = uniqueName();
  const file = `/dev/shm/multiproc.lock.${name}`;
  writeFileSync(file, 'hello');
  expect(thrown(() => new Lock({ name })).message).toMatch(/not a Lock of multiproc/);
  expect(Lock.list().some((x) => x.name === name)).toBe(false);
  Lock.delete(name);
});

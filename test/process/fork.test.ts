// Start method fork, and `multiproc run`, which makes it possible.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describe, fixtures, runCommand, runJson, runScript, scriptFile } from '../support/child.js';

const head = `
import * as mp from 'multiproc';
const out = (value) => console.log(JSON.stringify(value));
const refusal = (f) => { try { f(); return 'fine'; } catch (e) { return [e.name, e.code, e.message]; } };
const ctx = () => mp.getContext('fork');
`;
const options = { forkCapable: true };
const json = (source: string) => runJson(head + source, options);

test('closures, and arguments as they are', async () => {
  const got = await json(`
    let count = 1; class Own { #x = 5; get x() { return this.#x; } } const own = new Own(); const big = new Map([[own, () => 'f']]);
    class Job extends (ctx().Process) { #secret = 'kept'; f = () => this.#secret; run() { return [this.f(), mp.currentProcess() === this, this.name]; } }
    const p = new (ctx().Process)(function (a, b) { count++; return [a === own, a.x, b.get(a)(), count, mp.isMainProcess, mp.currentProcess() === p, mp.currentProcess().name]; }, own, big); p.start();
    out([await p.result(), await p.join(), count, await new Job().start().result()]);`);
  expect(got).toEqual([[true, 5, 'f', 2, false, true, 'Process-1'], 0, 1, ['kept', true, 'Job-2']]);
});

test('where it is not possible: an error that says what to do', async () => {
  const plain = await runJson(`${head}
    out([mp.getAllStartMethods(), refusal(() => ctx()), refusal(() => mp.setStartMethod('fork'))]);`);
  expect(plain[0]).not.toContain('fork');
  for (const [name, code, message] of plain.slice(1)) {
    expect([name, code]).toEqual(['MultiprocessingError', 'ERR_MP_UNSUPPORTED']);
    expect(message).toContain('npx multiproc run');
  }
  const threads = await json(`
    import { Worker } from 'node:worker_threads';
    const attempt = () => refusal(() => new (ctx().Process)(() => 1).start());
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
    const atOnce = attempt();
    await new Promise((r) => worker.once('online', r));
    const later = attempt();
    await worker.terminate();
    const inside = await new Promise((r) => new Worker('import("multiproc").then((mp) => require("node:worker_threads").parentPort.postMessage(mp.getAllStartMethods()))', { eval: true }).on('message', r));
    await new Promise((r) => setTimeout(r, 100));
    out([mp.getAllStartMethods().includes('fork'), atOnce, later, inside.includes('fork'), await mp.getContext('fork').run(() => 'again'), mp.activeChildren().length <= 1]);`);
  expect([threads[0], threads[3], threads[4], threads[5]]).toEqual([true, false, 'again', true]);
  for (const [name, code, message] of [threads[1], threads[2]]) {
    expect([name, code]).toEqual(['ProcessError', 'ERR_MP_THREADS']);
    expect(message).toContain('another start method');
  }
});

test('what the parent has started is not its child’s: join and the like are errors there', async () => {
  const got = await json(`
    const sibling = new (ctx().Process)(() => new Promise(() => setInterval(() => {}, 1000))).start();
    const seen = await ctx().run(() => [refusal(() => sibling.joinSync(0)).slice(0, 2), refusal(() => sibling.kill()).slice(0, 2), mp.activeChildren().length]);
    const alive = sibling.isAlive(); sibling.kill();
    out([seen, alive, await sibling.join()]);`);
  expect(got).toEqual([[['ProcessError', 'ERR_MP_STATE'], ['ProcessError', 'ERR_MP_STATE'], 0], true, -9]);
});

test('a lock of the parent’s is not held by the child, nor are its waits; both go on there', async () => {
  const got = await json(`
    const lock = new mp.Lock(), other = new mp.Lock(), rlock = new mp.RLock(), sem = new mp.Semaphore(2), event = new mp.Event(), rw = new mp.RWLock(), barrier = new mp.Barrier(2), cond = new mp.Condition();
    const named = new mp.Lock({ name: 'fork-' + process.pid });
    const held = [lock.acquireSync(), rlock.acquireSync(), sem.acquireSync(), rw.writeSync(), named.acquireSync()];
    const holder = new (ctx().Process)(() => { other.acquireSync(); event.set(); return new Promise((r) => setTimeout(r, 150)).then(() => other.release()); }).start();
    await event.wait();
    let granted = 0; const waits = [other.acquire().then((g) => { granted++; g.release(); }), barrier.wait()];
    const up = new mp.Event();
    const child = new (ctx().Process)(async () => {
      const first = [lock.tryAcquire() === null, rlock.tryAcquire() === null, rw.tryRead() === null, named.tryAcquire() === null, granted];
      held.forEach((g) => g.release()); // the parent's: nothing
      const still = [lock.tryAcquire() === null, rlock.tryAcquire() === null, named.tryAcquire() === null, lock.owner.pid === process.ppid, sem.tryAcquire() !== null];
      up.set();
      const guards = [await lock.acquire({ timeout: 20000 }), await rlock.acquire({ timeout: 20000 }), await rw.read({ timeout: 20000 }), await named.acquire({ timeout: 20000 })];
      const abandoned = guards.some((g) => g.abandoned); const mine = lock.owner.pid === process.pid; guards.forEach((g) => g.release());
      const g = await other.acquire({ timeout: 20000 }); g.release();
      const party = await barrier.wait();
      return [first, still, abandoned, mine, party >= 0, granted];
    }).start();
    await up.wait(); held.forEach((g) => g.release());
    const seen = await child.result(); await Promise.all(waits); await child.join(); await holder.join();
    mp.Lock.delete('fork-' + process.pid);
    out([seen, granted, lock.locked, sem.tryAcquire() !== null]);`);
  const yes = [true, true, true, true];
  expect(got).toEqual([[[...yes, 0], [...yes, true], false, true, true, 0], 1, false, true]);
});

test('onFork: before in reverse order, then parent and child in order; what it returns takes them away', async () => {
  const got = await json(`
    const order = []; const hooks = (n) => mp.onFork({ before: () => order.push('before ' + n), parent: () => order.push('parent ' + n), child: () => order.push('child ' + n) });
    hooks(1); const remove = hooks(2); mp.onFork({}); hooks(3);
    const p = new (ctx().Process)(() => order).start(); const child = await p.result(); const parent = [...order]; order.length = 0;
    remove(); await ctx().run(() => 1);
    const wrong = [refusal(() => mp.onFork(null)), refusal(() => mp.onFork({ after() {} })), refusal(() => mp.onFork({ child: 1 }))].map(([n, c]) => n + ' ' + c);
    out([child, parent, order, wrong]);`);
  const before = ['before 3', 'before 2', 'before 1'];
  expect(got).toEqual([
    [...before, 'child 1', 'child 2', 'child 3'],
    [...before, 'parent 1', 'parent 2', 'parent 3'],
    ['before 3', 'before 1', 'parent 1', 'parent 3'],
    Array(3).fill('TypeError ERR_MP_TYPE'),
  ]);
});

test('onFork: a hook that throws before cancels the fork; in the child it is the child’s error', async () => {
  const got = await json(`
    import { readdirSync } from 'node:fs';
    const order = [];
    await ctx().run(() => 1); await Promise.all(mp.activeChildren().map((p) => p.join()));
    mp.onFork({ before: () => order.push('before 1'), parent: () => order.push('parent 1') });
    const two = mp.onFork({ before: () => { throw new Error('not now'); }, parent: () => order.push('parent 2') });
    mp.onFork({ before: () => order.push('before 3'), parent: () => order.push('parent 3') });
    const p = new (ctx().Process)(() => 1); const fds = () => readdirSync('/proc/self/fd').length; const were = fds();
    const cancelled = refusal(() => p.start()); const after = [p.pid, p.isAlive(), mp.activeChildren().length, fds() - were, ...order.splice(0)];
    two(); const again = await p.start().result(); order.length = 0;
    const inChild = mp.onFork({ child: () => { throw new Error('in the child'); } });
    const q = new (ctx().Process)({ target: () => 1, stdio: 'ignore' }).start();
    const childs = [await q.result().catch((e) => e.message), await q.join()]; inChild();
    mp.onFork({ parent: () => { throw new Error('in the parent'); } }); order.length = 0;
    const last = mp.onFork({ parent: () => order.push('last') });
    const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
    const r = new (ctx().Process)(() => 7).start();
    out([cancelled, after, again, childs, (await uncaught).message, await r.result(), order]);`);
  expect(got).toEqual([
    ['Error', null, 'not now'],
    [null, false, 0, 0, 'before 3', 'parent 3'],
    1,
    ['in the child', 1],
    'in the parent',
    7,
    ['before 3', 'before 1', 'parent 1', 'parent 3', 'last'],
  ]);
});

test('the classic deadlock: a logger whose lock is held elsewhere at the moment of the fork', async () => {
  const got = await json(`
    // A lock of the package's, which a native thread has just taken for a task that does not know of it yet.
    const lock = new mp.Lock(); const lines = new mp.Value('i', 0);
    const log = async () => { const guard = await lock.acquire(); lines.value++; guard.release(); };
    const me = process.pid; let tries = 0, p = null;
    while (p === null && ++tries < 50) {
      const held = new mp.Event(), free = new mp.Event();
      const holder = new (ctx().Process)(() => { const g = lock.acquireSync(); held.set(); free.waitSync(); g.release(); }).start();
      await held.wait();
      const logging = log(); free.set();
      // This thread does not let its event loop run. Were it late, the native one would let others have the lock.
      const late = performance.now() + 5000; while (lock.owner?.pid !== me && performance.now() < late && holder.isAlive());
      if (lock.owner?.pid === me) p = new (ctx().Process)(log).start();
      await logging; await holder.join();
    }
    // A lock of the program's own, in the heap: held by another task of the parent, which the child will never run.
    let busy = true, waiting = []; 
    const acquire = () => busy ? new Promise((r) => waiting.push(r)) : void (busy = true); const release = () => { const next = waiting.shift(); if (next) next(); else busy = false; };
    mp.onFork({ child: () => { busy = false; waiting = []; } });
    const q = new (ctx().Process)(async () => { await acquire(); release(); return 'logged'; }).start();
    out([await q.result(), await p.join(), lines.value === tries + 1]);`);
  expect(got).toEqual(['logged', 0, true]);
});

test('200 forks, killed at random: no child is left, nor a descriptor; each is heard of', async () => {
  const got = await json(`
    import { readdirSync, readFileSync } from 'node:fs';
    const fds = () => readdirSync('/proc/self/fd').length; const lock = new mp.Lock(); const count = new mp.Value('i', 0);
    const work = async () => { for (let i = 0; i < 3; i++) { const g = await lock.acquire(); count.add(1); g.release(); } return process.pid; };
    await ctx().run(work); await Promise.all(mp.activeChildren().map((p) => p.join())); const before = fds();
    let good = 0, killed = 0, wrong = 0;
    const one = async (i) => {
      const p = new (ctx().Process)(work).start(); const kills = i % 3 === 0;
      if (kills) { await new Promise((r) => setTimeout(r, Math.random() * 6)); p.kill(); }
      const result = await p.result().catch((e) => e.code); const code = await p.join(); p.close();
      if (result === p_pid(p, result) && code === 0) good++; else if (kills && (code === -9 || code === 0)) killed++; else wrong++;
    };
    const p_pid = (p, result) => (typeof result === 'number' ? result : NaN);
    for (let i = 0; i < 200; i += 4) await Promise.all([one(i), one(i + 1), one(i + 2), one(i + 3)]);
    await new Promise(setImmediate);
    const zombies = readdirSync('/proc').filter((n) => /^\\d+$/.test(n)).filter((n) => { try { const s = readFileSync('/proc/' + n + '/stat', 'latin1'); const f = s.slice(s.lastIndexOf(')') + 2).split(' '); return Number(f[1]) === process.pid; } catch { return false; } });
    out([good + killed, wrong, zombies.length, fds() - before, mp.activeChildren().length]);`);
  expect(got).toEqual([200, 0, 0, 0, 0]);
}, 90_000);

test('multiproc run: the exit code, the streams, the options and the arguments are the program’s', async () => {
  const end = await runScript(
    `import * as mp from 'multiproc';
    let text = ''; for await (const chunk of process.stdin) text += chunk;
    console.log(JSON.stringify([process.argv.slice(2), process.execArgv, text, mp.isMainProcess, Object.keys(process.env).filter((n) => /MULTIPROC_RUN|UV_USE/.test(n))])); console.error('errors'); process.exit(7);`,
    { ...options, execArgv: ['--stack-trace-limit=5', '-C', 'custom'], args: ['-x', '--', 'y'], input: 'in' },
  );
  expect(end.code, describe(end)).toBe(7);
  expect(JSON.parse(end.stdout)).toEqual([
    ['-x', '--', 'y'],
    ['--stack-trace-limit=5', '-C', 'custom'],
    'in',
    true,
    [],
  ]);
  expect(end.stderr).toBe('errors\n');
});

test('multiproc run: signals and the pid are the program’s; without a script it says how to use it', async () => {
  const child = spawn(process.execPath, [
    ...runCommand,
    scriptFile(
      `process.on('SIGUSR2', () => { console.log('got it'); }); console.log(process.pid); setInterval(() => {}, 1000);`,
    ),
  ]);
  const lines: string[] = [];
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    lines.push(...text.trim().split('\n'));
    child.kill(lines.length === 1 ? 'SIGUSR2' : 'SIGTERM');
  });
  expect(await ended).toEqual([null, 'SIGTERM']);
  expect(lines).toEqual([String(child.pid), 'got it']);
  const usage = await runScript(new URL('../../lib/entry/run.js', import.meta.url), { args: ['run'] });
  expect([usage.code, usage.stdout, /Usage: multiproc run/.test(usage.stderr)]).toEqual([2, '', true]);
  for (const args of [['run', '--help'], ['run', '-h'], ['--help'], []]) {
    const help = await runScript(new URL('../../lib/entry/run.js', import.meta.url), { args });
    expect([help.code, /Usage: multiproc run/.test(help.stdout), help.stderr], args.join()).toEqual([
      0,
      true,
      '',
    ]);
  }
});

test('multiproc run: a script that comes by standard input, and options in any of Node’s spellings', async () => {
  const end = await runScript(new URL('../../lib/entry/run.js', import.meta.url), {
    args: ['run', '--input_type', 'module', '-', 'a', '--b'],
    input: `import * as mp from 'multiproc'; console.log(await mp.getContext('fork').run(() => process.argv.slice(2)));`,
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  expect([end.code, end.stdout], describe(end)).toEqual([0, "[ 'a', '--b' ]\n"]);
});

test('multiproc run: TypeScript, with a loader or as Node itself can', async () => {
  const loader = ['-r', fileURLToPath(new URL('transpile.cjs', fixtures))];
  const execArgv = process.features.typescript ? [] : loader;
  const got = await runJson(new URL('common-typed/main.ts', fixtures), { ...options, execArgv });
  expect(got).toEqual(['hello fork', true]);
});

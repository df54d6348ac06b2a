// What a forked process must mend, and what it must not go on with: see src/process/fork/.
import { expect, test } from 'vitest';
import { describe, fixtures, runJson as run, runScript as runFile } from '../support/child.js';
import { ends, endsOf } from '../support/forked-ends.js';

const url = (name: string) => new URL(name, fixtures).href;
const head = `
import * as mp from 'multiproc';
import * as forked from '${url('forked.mjs')}';
mp.setStartMethod('fork');
const out = (value) => console.log(JSON.stringify(value));
const all = async (stream) => { let text = ''; for await (const chunk of stream) text += chunk; return text; };
`;
const options = { forkCapable: true };
const runJson = (source: string) => run(head + source, options);
const runScript = (source: string) => runFile(head + source, options);

test('it is itself: pid, parent, uptime, mask, umask, variables', async () => {
  const end = await runScript(`process.umask(0o27);
    const p = new mp.Process(forked.identity).start();
    const { pid, ...got } = await p.result();
    out([pid, got, got.ppid === process.pid, got.parent === process.pid]);`);
  expect(JSON.parse(end.stdout.trim().split('\n').at(-1)!), describe(end)).toMatchObject([
    true,
    { uptime: true, blocked: '0', ignored: true, umask: 0o27, uring: null, sockets: 0, loadedHere: false },
    true,
    true,
  ]);
});

test('siblings share no random number and no UUID', async () => {
  const [count, distinct] = await runJson(`
    forked.draws(10);
    const drawn = await Promise.all(Array.from({ length: 30 }, () => mp.run(forked.draws, 100)));
    const own = forked.draws(100);
    out([[...drawn.flat(), ...own].length, new Set([...drawn.flat(), ...own]).size]);`);
  expect(count).toBe(31 * 700);
  expect(distinct).toBe(count);
}, 90_000);

test('its streams are those it was given, whatever its parent has used', async () => {
  const got = await runJson(`
    process.stdout.write(''); process.stderr.write(''); process.stdin.isTTY;
    const echo = async () => { console.log('out'); console.error('err'); process.stdout.write((await all(process.stdin)).toUpperCase()); };
    const p = new mp.Process({ target: echo, stdio: 'pipe' }).start();
    p.stdin.end('in');
    out([await all(p.stdout), await all(p.stderr), await p.result() ?? null]);`);
  expect(got).toEqual(['out\nIN', 'err\n', null]);
});

test('everything of Node works in it', async () => {
  const got = await runJson(`out(await mp.run(forked.everything));`);
  expect(got).toEqual({
    timer: 'timer', file: true, pool: 32, zip: true, hash: 64, dns: true, exec: 'yo', net: 'hi', fetch: 'ok',
    worker: [100000, 0], wasm: 5, imported: 'function', fork: 5, signal: 'SIGUSR2', garbage: 100000, process: 7, hooks: true,
  }); // prettier-ignore
});

test('it ends by every way with the right code, its listeners, all its output', async () => {
  expect(await runJson(endsOf('forked.ends'))).toEqual(ends);
});

test('its target runs wherever start() was called, and nothing else of that place does', async () => {
  const got = await runJson(`
    import { EventEmitter } from 'node:events'; import { stat } from 'node:fs'; import * as fsp from 'node:fs/promises';
    import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'; import vm from 'node:vm';
    const seen = new mp.Array('i', 2); const me = process.pid;
    const places = {
      sync: (f) => f(),
      timeout: (f) => { setTimeout(f, 1); setTimeout(() => {}, 1); },
      interval: (f) => { const t = setInterval(() => { clearInterval(t); f(); }, 1); },
      tick: (f) => { process.nextTick(f); process.nextTick(() => {}); },
      immediate: (f) => { setImmediate(() => {}); setImmediate(f); setImmediate(() => {}); },
      afterImmediate: (f) => { setImmediate(() => {}); setImmediate(async () => { await 1; f(); }); setImmediate(() => {}); },
      micro: (f) => { Promise.resolve().then(f); },
      io: (f) => stat('/', f),
      afterIo: async (f) => { await fsp.stat('/'); f(); },
      emitter: (f) => { const e = new EventEmitter().on('x', f); setTimeout(() => e.emit('x')); },
      vm: (f) => { globalThis.f = f; vm.runInThisContext('f()'); },
      sort: (f) => { let n = 0; [3, 2, 1].sort((a, b) => (n++ === 0 && f(), a - b)); },
      resource: (f) => { new AsyncResource('x').runInAsyncScope(f); },
      storage: (f) => { new AsyncLocalStorage().run(1, f); },
      rejected: (f) => { Promise.reject(new Error('later caught')).catch(f); },
      generator: (f) => { [...(function* () { yield f(); })()]; },
      getter: (f) => { JSON.stringify({ get x() { f(); } }); },
    };
    const note = () => { if (process.pid !== me) seen[0]++; };
    const results = [];
    for (const [name, place] of Object.entries(places)) {
      await new Promise((resolve) => place(() => {
        // All of it is the parent's: if any of it runs in the child, it is seen.
        process.nextTick(note); queueMicrotask(note); setImmediate(note); setTimeout(note, 1); const t = setInterval(note, 1);
        void (async () => { await null; note(); })();
        try { 
          const p = new mp.Process(async () => { await new Promise((r) => setTimeout(r, 5)); await new Promise(setImmediate); return name; }).start();
          p.result().then((r) => results.push(r), (e) => results.push(e.message)).finally(() => { clearInterval(t); resolve(); });
        } catch (error) { results.push(error.message); resolve(); } finally { note(); }
      }));
    }
    out([results.join() === Object.keys(places).join() || results, seen[0]]);`);
  expect(got).toEqual([true, 0]);
});

test('its parent’s sockets, servers, watchers, signals, children and listeners are not its own', async () => {
  const got = await runJson(`
    import net from 'node:net'; import { watch, mkdtempSync, writeFileSync, rmSync } from 'node:fs'; import { spawn } from 'node:child_process'; import { join } from 'node:path'; import { tmpdir } from 'node:os';
    const seen = new mp.Value('i', 0); const me = process.pid; const note = () => { if (process.pid !== me) seen.add(1); };
    const folder = mkdtempSync(join(tmpdir(), 'multiproc-')); 
    let accepted = 0;
    const server = net.createServer((s) => { note(); accepted++; s.on('data', note).on('error', () => {}); s.end('from ' + process.pid); }).listen(0, '127.0.0.1');
    await new Promise((r) => server.once('listening', r));
    const watcher = watch(folder, note);
    const other = spawn('sleep', ['100']); other.on('exit', note);
    for (const event of ['SIGTERM', 'SIGUSR2', 'exit', 'beforeExit', 'uncaughtException', 'unhandledRejection']) process.on(event, note);
    const sibling = new mp.Process(() => new Promise(() => setInterval(() => {}, 1000))).start();
    const target = async () => {
      writeFileSync(join(folder, 'x'), ''); 
      for (let i = 0; i < 20; i++) await new Promise((resolve, reject) => net.connect(server.address().port, '127.0.0.1').on('data', (d) => { if (String(d) !== 'from ' + me) seen.add(1); }).on('close', resolve).on('error', reject));
      return [process.listenerCount('SIGTERM'), process.listenerCount('uncaughtException'), mp.activeChildren().length];
    };
    const p = new mp.Process(target).start();
    const result = await p.result(); const code = await p.join();
    const alive = sibling.isAlive() && other.exitCode === null;
    const q = new mp.Process(() => new Promise(() => setInterval(() => {}, 1000))).start();
    q.terminate(); const ended = await q.join();
    const r = new mp.Process({ target: () => { throw new Error('x'); }, stdio: 'ignore' }).start(); const failed = await r.join();
    server.close(); watcher.close(); other.kill(); sibling.kill(); rmSync(folder, { recursive: true });
    out([result, code, alive, ended, failed, accepted, seen.value]);`);
  expect(got).toEqual([[0, 0, 0], 0, true, -15, 1, 20, 0]);
});

test('what its parent waits for of the thread pool goes on there, and the child has its own', async () => {
  const got = await runJson(`
    import { pbkdf2, randomBytes } from 'node:crypto'; import { promisify } from 'node:util'; import { readFile, stat } from 'node:fs/promises';
    let done = 0; const busy = [];
    for (let i = 0; i < 10; i++) {
      for (let n = 0; n < 3; n++) busy.push(promisify(pbkdf2)('a', 'b', 2000, 32, 'sha256').then(() => done++), stat('/').then(() => done++));
      busy.push(mp.run(async () => \`\${(await promisify(pbkdf2)('a', 'b', 10, 32, 'sha256')).length} \` + (await readFile('/proc/self/stat', 'utf8'))));
    }
    const children = (await Promise.all(busy)).filter((r) => typeof r === 'string');
    out([done, children.length]);`);
  expect(got).toEqual([60, 10]);
});

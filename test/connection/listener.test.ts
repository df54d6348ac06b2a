// Listeners: their addresses and files, who is accepted when, and what becomes of those who are not.
import { expect, test } from 'vitest';
import { describe, runJson, runScript } from '../support/child.js';
import { socketHead } from '../support/sockets.js';
import { closedError, rangeError, timeoutError, typeError } from '../support/sync.js';

const refused = 'AuthenticationError ERR_MP_AUTHENTICATION';

test('addresses: paths become absolute, a port is chosen, names need no file; each can be connected to', async () => {
  const got = await runJson(`${socketHead}
    const { inspect } = await import('node:util');
    const dir = mkdtempSync(join(tmpdir(), 'mp-test-'));
    process.chdir(dir);
    const got = [], use = async (given, ...more) => {
      const l = await mp.Listener(given, ...more), { address } = l;
      const [a, c] = await Promise.all([l.accept(), mp.Client(address)]);
      await c.send('hello');
      got.push([address, await a.recv(), typeof l.lastAccepted?.[1], inspect(l)]);
      l.close(); a.close(); c.close();
      got.at(-1).push(l.closed);
      return address;
    };
    await use('relative.sock');
    await use({ address: join(dir, 'absolute.sock'), backlog: 1 });
    await use('\\0mp-test-' + process.pid);
    for (const host of ['127.0.0.1', 'localhost', '::1', '']) await use([host, 0].slice());
    const own = await use(undefined), mode = await (async () => { const l = await mp.Listener({}); const s = statSync(join(l.address, '..')).mode & 0o777; const m = [s, existsSync(l.address)]; l.close(); return [...m, existsSync(l.address), existsSync(join(l.address, '..'))]; })();
    const left = readdirSync(dir);
    rmSync(dir, { recursive: true });
    out([got, dir, mode, left, [existsSync(own), existsSync(join(own, '..'))], process.pid]);`);
  const [seen, dir, mode, left, own, pid] = got;
  expect(seen.map((s: unknown[]) => s[1])).toEqual(Array(8).fill('hello'));
  expect(seen.map((s: unknown[]) => s[4])).toEqual(Array(8).fill(true));
  expect(seen[0][0]).toBe(`${dir}/relative.sock`);
  expect(seen[1][0]).toBe(`${dir}/absolute.sock`);
  expect(seen[2].slice(0, 4)).toEqual([
    `\0mp-test-${pid}`,
    'hello',
    'undefined',
    `<Listener at @mp-test-${pid}>`,
  ]);
  for (const i of [3, 4, 5, 6]) {
    expect(seen[i][0][1]).toBeGreaterThan(0);
    expect(seen[i][2]).toBe('number');
  }
  expect(mode).toEqual([0o700, true, false, false]);
  expect(left).toEqual([]);
  expect(own).toEqual([false, false]);
});

test('nonsense is refused by its name', async () => {
  const got = await runJson(`${socketHead}
    const both = async (...given) => [await rejected(mp.Listener(...given)), await rejected(mp.Client(...given))];
    const got = { range: [], type: [], listener: [], client: [] };
    for (const a of ['', '\\0', '/x'.repeat(60), '/a\\0b', ['h', -1], ['h', 65536], ['h', 1.5]]) got.range.push(...await both(a));
    for (const a of [5, true, ['h'], ['h', 1, 2], [5, 5], ['h', '80'], () => 1]) got.type.push(...await both(a));
    for (const o of [{ handshakeTimeout: 0 }, { handshakeTimeout: NaN }, { maxMessage: -1 }, { maxMessage: 1.5 }]) got.range.push(...await both(tcp, o));
    for (const o of [{ handshakeTimeout: '5' }, { maxMessage: '5' }, { authkey: 5 }, 5, null]) got.type.push(...await both(['127.0.0.1', 1], o));
    for (const o of [{ backlog: -1 }, { backlog: '1' }, { ifAbandoned: 'x' }]) got.listener.push(await rejected(mp.Listener(tcp, o)));
    got.client.push(await rejected(mp.Client(tcp)), await rejected(mp.Client(['', 5])), await rejected(mp.Client(['127.0.0.1', 5], { timeout: -1 })), await rejected(mp.Client(undefined)), thrown(() => mp.ClientSync(['example.invalid', 5])), thrown(() => mp.ClientSync('/x', { signal: AbortSignal.abort() })));
    got.pipe = await both('\\\\\\\\.\\\\pipe\\\\x');
    got.new = (await new mp.Listener(tcp)).close() === undefined;
    out(got);`);
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  // Listener(…, null) is Listener(…, {}) by no rule of ours.
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.listener).toEqual([rangeError, typeError, rangeError]);
  expect(got.client).toEqual([rangeError, rangeError, rangeError, typeError, rangeError, typeError]);
  expect(got.pipe).toEqual(['ERR_MP_UNSUPPORTED', 'ERR_MP_UNSUPPORTED']);
  expect(got.new).toBe(true);
});

test('an address in use, one where nobody is, one that may not be had: errors that say what to do', async () => {
  const got = await runJson(`${socketHead}
    const why = (p) => p.then(() => 'fine', (e) => [e.code, e.errno, ...e.message.split(';').slice(1)]);
    const path = join(tmpdir(), 'mp-test-' + process.pid + '.sock');
    const got = [];
    for (const at of [tcp, path]) {
      const l = await mp.Listener(at);
      const waiting = l.accept();
      got.push(await why(mp.Listener(l.address)), await why(mp.Listener(l.address, { ifAbandoned: 'replace' })));
      const c = await mp.Client(l.address); // nobody else has been let in
      await c.send('first'); got.push(await (await waiting).recv());
      l.close();
      got.push(await why(mp.Client(l.address)));
    }
    got.push(await why(mp.Listener('/nowhere/at/all.sock')), await why(mp.Listener(['192.0.2.1', 0])), await why(mp.Client(['host.invalid', 5])));
    got.at(-1).length = 1; // what a resolver says differs
    out(got);`);
  expect(got).toEqual([
    ['ERR_MP_LISTEN', 'EADDRINUSE', ' another listener has the address'],
    ['ERR_MP_LISTEN', 'EADDRINUSE', ' another listener has the address'],
    'first',
    ['ERR_MP_CONNECT', 'ECONNREFUSED', ' nobody listens there, or not any more'],
    ['ERR_MP_LISTEN', 'EADDRINUSE', ' another listener has the address'],
    ['ERR_MP_LISTEN', 'EADDRINUSE', ' another listener has the address'],
    'first',
    ['ERR_MP_CONNECT', 'ENOENT', ' there is no such listener: start it first'],
    ['ERR_MP_LISTEN', 'ENOENT'],
    ['ERR_MP_LISTEN', 'EADDRNOTAVAIL'],
    ['ERR_MP_CONNECT'],
  ]);
});

test('the file of a listener that was killed: an error that says so, and gone where it may be replaced', async () => {
  const got = await runJson(`${socketHead}
    import { once } from 'node:events';
    import { spawn } from 'node:child_process';
    const path = join(tmpdir(), 'mp-test-killed-' + process.pid + '.sock');
    const child = spawn(process.execPath, ['--input-type=module', '-e', \`import * as mp from 'multiproc'; await mp.Listener(\${JSON.stringify(path)}); console.log('up'); setInterval(() => {}, 1000);\`], { stdio: ['ignore', 'pipe', 'inherit'], cwd: '${process.cwd()}' });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const got = [existsSync(path), await rejected(mp.Client(path))];
    const e = await mp.Listener(path).catch((e) => e);
    got.push(e.code, e.errno, /remove the file, or pass \\{ ifAbandoned: 'replace' \\}/.test(e.message));
    const l = await mp.Listener(path, { ifAbandoned: 'replace' });
    const [a] = await Promise.all([l.accept(), mp.Client(path)]);
    got.push(a.readable);
    l.close();
    // A file that is no socket is nobody's to replace.
    mkdirSync(path);
    got.push(await rejected(mp.Listener(path, { ifAbandoned: 'replace' })), existsSync(path));
    rmSync(path, { recursive: true });
    process.stdout.write(JSON.stringify(got) + '\\n');
    process.exit();`);
  expect(got).toEqual([
    ...[true, 'ERR_MP_CONNECT', 'ERR_MP_LISTEN', 'EADDRINUSE', true],
    ...[true, 'ERR_MP_LISTEN', true],
  ]);
});

test('files go with their listener, however its program or thread ends; not those of another by then', async () => {
  const ends = [
    '',
    'process.exit(3)',
    'throw new Error("on purpose")',
    'process.exitCode = 5; setImmediate(() => {})',
  ];
  for (const end of ends) {
    const got = await runScript(`import * as mp from 'multiproc';
      import { dirname } from 'node:path';
      const l = await mp.Listener(), m = await mp.Listener(dirname(l.address) + '.sock');
      console.log(JSON.stringify([l.address, dirname(l.address), m.address]));
      ${end}`);
    const { existsSync } = await import('node:fs');
    for (const path of JSON.parse(got.stdout)) expect(existsSync(path), describe(got)).toBe(false);
  }
  const got = await runJson(`${socketHead}
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    import { renameSync, unlinkSync, writeFileSync } from 'node:fs';
    const got = [], before = descriptors();
    for (const end of ['natural', 'exit', 'terminate']) {
      const path = join(tmpdir(), 'mp-test-worker-' + process.pid + '.sock');
      const w = new Worker(\`
        const mp = require('multiproc'), { parentPort } = require('node:worker_threads');
        mp.Listener(\${JSON.stringify(path)}).then(async (l) => { parentPort.postMessage((await mp.Listener()).address); if ('\${end}' === 'terminate') l.accept(); if ('\${end}' === 'exit') process.exit(); });\`, { eval: true });
      const [own] = await once(w, 'message');
      if (end === 'terminate') await w.terminate();
      else await once(w, 'exit');
      got.push(existsSync(path), existsSync(own), existsSync(join(own, '..')));
    }
    const path = join(tmpdir(), 'mp-test-other-' + process.pid + '.sock');
    const l = await mp.Listener(path);
    renameSync(path, path + '.old');
    const m = await mp.Listener(path);
    l.close();
    got.push(existsSync(path));
    const [a] = await Promise.all([m.accept(), mp.Client(path)]);
    m.close();
    got.push(existsSync(path), a.readable);
    rmSync(path + '.old');
    out([got]);
    process.exit();`);
  expect(got).toEqual([[...Array(9).fill(false), true, false, true]]);
});

test('a client that connected, wrote and closed before it was accepted can still be read', async () => {
  const got = await runJson(`${socketHead}
    const got = [];
    for (const at of [undefined, tcp]) {
      const l = await mp.Listener(at), c = await mp.Client(l.address);
      await c.send('left'); c.close();
      const a = await l.accept();
      got.push(await a.recv(), await rejected(a.recv()));
      const d = await mp.Client(l.address);
      d.sendSync('again'); d.close();
      const b = l.acceptSync();
      got.push(b.recvSync(), thrown(() => b.recvSync()));
      a.close(); b.close(); l.close();
    }
    out(got);`);
  expect(got).toEqual(Array(4).fill(['left', 'again']).flatMap(([l, a], i) => (i % 2 ? [a] : [l])).flatMap((v) => [v, 'ClosedError ERR_MP_EOF'])); // prettier-ignore
});

test('accepting waits its time, ends with close and with its signal, and lets nobody in meanwhile', async () => {
  const got = await runJson(`${socketHead}
    const before = descriptors();
    const l = await mp.Listener(), stop = new AbortController(), reason = { why: 1 };
    const got = [await rejected(l.accept(0)), await rejected(l.accept(20)), thrown(() => l.acceptSync(20)), thrown(() => l.acceptSync({ timeout: 0 }))];
    const aborted = l.accept({ signal: stop.signal }).catch((e) => e === reason), stays = l.accept();
    stop.abort(reason);
    got.push(await aborted, await l.accept({ signal: stop.signal }).catch((e) => e === reason));
    const c = await mp.Client(l.address), a = await stays;
    // Nobody accepts: this one is connected, but nobody has it yet.
    const d = await mp.Client(l.address);
    await turns();
    const b = await l.accept(0);
    await d.send('d'); got.push(await b.recv());
    const waiting = [rejected(l.accept()), rejected(l.accept({ timeout: 1e9 }))];
    l.close(); l.close(); l[Symbol.dispose]();
    got.push(...await Promise.all(waiting), await rejected(l.accept()), thrown(() => l.acceptSync()));
    got.push(await rejected(l.accept(-1)), await rejected(l.accept('5')));
    for (const x of [a, b, c, d]) x.close();
    await turns();
    got.push(descriptors() - before, process.getActiveResourcesInfo().filter((x) => x === 'Timeout').length);
    out(got);`);
  expect(got).toEqual([
    ...[timeoutError, timeoutError, timeoutError, timeoutError, true, true, 'd'],
    ...[closedError, closedError, closedError, closedError, rangeError, typeError, 0, 0],
  ]);
});

test('iterating: those who prove the key, until the listener is closed', async () => {
  const got = await runJson(`${socketHead}
    const l = await mp.Listener(tcp, { authkey: 'key' });
    const got = [], told = [];
    const { subscribe } = await import('node:diagnostics_channel');
    subscribe('multiproc:connection:refused', ({ address, error }) => told.push(address === l.address, nameOf(error)));
    const clients = (async () => {
      const ends = [];
      for (const authkey of ['key', 'wrong', 'key', 'wrong', 'key']) {
        ends.push(await mp.Client(l.address, { authkey }).then(async (c) => { await c.send('x'); return c.recv(); }, nameOf));
      }
      l.close();
      return ends;
    })();
    for await (const c of l) { await c.send((await c.recv()) + got.push(0)); c.close(); }
    out([got.length, await clients, told]);`);
  expect(got).toEqual([3, ['x1', refused, 'x2', refused, 'x3'], [true, refused, true, refused]]);
});

test('a client waits for room in the line, or until its time is over; then it is not in it', async () => {
  const got = await runJson(`${socketHead}
    const before = descriptors();
    const l = await mp.Listener({ backlog: 1 }), inLine = [];
    for (;;) { const c = await mp.Client(l.address, { timeout: 100 }).catch(nameOf); if (typeof c === 'string') { inLine.push(c); break; } inLine.push(c); }
    const n = inLine.length - 1, stop = new AbortController(), reason = { why: 1 };
    const aborted = mp.Client(l.address, { signal: stop.signal }).catch((e) => e === reason);
    const got = [inLine.at(-1), thrown(() => mp.ClientSync(l.address, { timeout: 50 }))];
    stop.abort(reason);
    got.push(await aborted, await mp.Client(l.address, { signal: stop.signal }).catch((e) => e === reason));
    const later = mp.Client(l.address);
    const accepted = [];
    for (let i = 0; i <= n; i++) accepted.push(await l.accept());
    got.push((await later).closed, await rejected(l.accept(30)));
    for (const c of [...inLine.slice(0, -1), ...accepted, await later, l]) c.close();
    await turns();
    out([...got, n > 0, descriptors() - before]);`);
  expect(got).toEqual([timeoutError, timeoutError, true, true, false, timeoutError, true, 0]);
});

test('failures leave no descriptor behind: refused clients, wrong keys, unknown hosts, timeouts', async () => {
  const got = await runJson(`${socketHead}
    const l = await mp.Listener(tcp, { authkey: 'key', handshakeTimeout: 100 });
    await rejected(mp.Client(['127.0.0.1', 1])); // whatever Node opens for its own good is open now
    await turns();
    const before = descriptors();
    for (let i = 0; i < 20; i++) {
      await rejected(mp.Client(['127.0.0.1', 1]));
      await rejected(mp.Client('/nowhere'));
      await Promise.all([rejected(l.accept()), rejected(mp.Client(l.address, { authkey: 'other' }))]);
      await rejected(mp.Listener(l.address));
      thrown(() => mp.ClientSync(['127.0.0.1', 1]));
    }
    const late = [await rejected(mp.Client(l.address, { authkey: 'key', timeout: 20 })), await rejected(mp.Client(l.address, { authkey: 'key', handshakeTimeout: 20 }))];
    late.push(await rejected(l.accept()), await rejected(l.accept()));
    await turns();
    const left = [late, descriptors() - before];
    l.close();
    out(left);`);
  expect(got).toEqual([[timeoutError, refused, refused, refused], 0]);
});

test('without descriptors for one more client that accept fails, and the client is there later', async () => {
  const got = await runJson(
    `${socketHead}
    import { openSync, closeSync } from 'node:fs';
    const l = await mp.Listener(tcp), c = await mp.Client(l.address);
    await rejected(l.accept(0)).then(() => 0); // nothing is loaded later
    const d = await mp.Client(l.address);
    const held = [];
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    const got = [await rejected(l.accept()), thrown(() => l.acceptSync())];
    for (const fd of held) closeSync(fd);
    const a = await l.accept();
    await d.send('here');
    got.push(await a.recv());
    l.close();
    process.stdout.write(JSON.stringify(got) + '\\n');
    process.exit();`,
  );
  expect(got).toEqual(['ERR_MP_DESCRIPTORS', 'ERR_MP_DESCRIPTORS', 'here']);
});

import { expect, test } from 'vitest';
import { describe } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as tasks from '${new URL('../fixtures/tasks.mjs', import.meta.url).href}';
const out = (value) => console.log(JSON.stringify(value));
const codeOf = async (f) => { try { await f(); return 'no error'; } catch (e) { return [e.name, e.code, e.message]; } };
`;

forEachStartMethod(({ runJson, runScript, method, launcher }) => {
  test('a result, the exit code and the states of a process', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.square, 7);
    const states = [[p.pid, p.exitCode, p.isAlive(), p.name, p.daemon, mp.getStartMethod()]];
    const same = p.start() === p;
    states.push([p.pid > 0, p.exitCode, p.isAlive(), mp.activeChildren().length]);
    states.push(await p.result(), await p.join(), p.exitCode, p.isAlive(), mp.activeChildren().length, same);
    out(states);`);
    expect(got).toEqual([
      [null, null, false, 'Process-1', false, method],
      [true, null, true, 1],
      49,
      0,
      0,
      false,
      0,
      true,
    ]);
  });

  test('joinSync and join at once both see the exit code', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.exitWith, 3).start();
    const joined = p.join();
    out([p.joinSync(), await joined, await p.join(0), p.joinSync(), p.exitCode]);`);
    expect(got).toEqual([3, 3, 3, 3, 3]);
  });

  test('joining is repeatable and times out with null', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.never).start();
    const seen = [p.joinSync(0), p.joinSync({ timeout: 5 }), await p.join(0), await p.join(5)];
    p.kill();
    out([...seen, await p.join(), p.joinSync()]);`);
    expect(got).toEqual([null, null, null, null, -9, -9]);
  });

  test('exit codes: process.exit, signals, uncaught errors, promises that never settle', async () => {
    const got = await runJson(`${head}
    const start = (...a) => new mp.Process({ target: a[0], args: a.slice(1), stdio: ['ignore', 'ignore', 'ignore'] }).start();
    const all = [start(tasks.exitWith, 256), start(tasks.exitWith, -1), start(tasks.killSelf, 'SIGSEGV'),
      start(tasks.throws, 'custom'), start(tasks.unsettled), start(tasks.uncloneable)];
    out([await Promise.all(all.map((p) => p.join())), await codeOf(() => all[4].result())]);`);
    expect(got).toEqual([
      [0, 255, -11, 1, 13, 0],
      [
        'ProcessError',
        'ERR_MP_UNSETTLED',
        "Process-5 had nothing left to do while its target's promise was still pending",
      ],
    ]);
  });

  test('a process that dies before its target has finished rejects with WorkerDiedError', async () => {
    const got = await runJson(`${head}
    const died = async (p) => { try { await p.result() } catch (e) { return [e.name, e.code, e.pid === p.pid, e.exitCode, e.signal, e.message.replace(/\\d+/, 'N')] } };
    const a = new mp.Process({ target: tasks.exitWith, args: [3], name: 'quitter' }).start();
    const b = new mp.Process(tasks.never).start(); b.kill();
    out([await died(a), await died(b)]);`);
    expect(got[0]).toEqual([
      'WorkerDiedError',
      'ERR_MP_WORKER_DIED',
      true,
      3,
      null,
      'quitter (pid N) ended with exit code 3 before its target had finished',
    ]);
    expect(got[1].slice(2, 5)).toEqual([true, null, 'SIGKILL']);
  });

  test('terminate, kill and interrupt send their signals, and do nothing once it has ended', async () => {
    const got = await runJson(`${head}
    const codes = [];
    for (const end of ['terminate', 'kill', 'interrupt']) {
      const p = new mp.Process(tasks.never).start();
      p[end]();
      codes.push(await p.join());
      p[end]();
    }
    out(codes);`);
    expect(got).toEqual([-15, -9, -2]);
  });

  test('calls that do not fit the state are clear errors', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.never);
    const calls = [() => p.join(), () => p.joinSync(), () => p.result(), () => p.terminate(), () => p.kill(), () => p.interrupt(), () => p.sentinel];
    const early = []; for (const c of calls) early.push((await codeOf(c)).slice(0, 2).join());
    p.start();
    const twice = await codeOf(() => p.start()), running = await codeOf(() => p.close()), daemon = await codeOf(() => { p.daemon = true });
    p.kill(); p.joinSync(); p.close(); p.close();
    const late = []; for (const c of [...calls, () => p.isAlive(), () => p.exitCode, () => p.pid, () => p.start()]) late.push((await codeOf(c)).slice(0, 2).join());
    const q = new mp.Process(tasks.never); q.close();
    out([[...new Set(early)], twice, running, daemon, [...new Set(late)], await codeOf(() => q.start())]);`);
    expect(got).toEqual([
      ['ProcessError,ERR_MP_NOT_STARTED'],
      ['ProcessError', 'ERR_MP_STARTED', 'Process.start(): Process-1 was started before; make a new one'],
      ['ProcessError', 'ERR_MP_RUNNING', 'Process.close(): Process-1 still runs; end or join it first'],
      ['ProcessError', 'ERR_MP_STARTED', 'Process.daemon: Process-1 has started; set it before'],
      ['ClosedError,ERR_MP_CLOSED'],
      ['ClosedError', 'ERR_MP_CLOSED', 'Process.start(): the handle of Process-2 is closed'],
    ]);
  });

  test('terminate() takes options, and says so', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.never).start(); const wrong = [];
    for (const o of [null, 5, true, [], { tree: 1 }]) wrong.push((await codeOf(() => p.terminate(o))).slice(1).join(' '));
    const alive = p.isAlive(); p.terminate({ tree: undefined });
    out([wrong, alive, await p.join()]);`);
    const what = 'ERR_MP_TYPE Process.terminate():';
    expect(got).toEqual([
      [
        ...['null', '5', 'true', '[Array]'].map((o) => `${what} expects options with tree, not ${o}`),
        `${what} tree must be a boolean, not 1`,
      ],
      true,
      -15,
    ]);
  });

  test('windowsHide is an option everywhere, and checked', async () => {
    const got = await runJson(`${head}
    const made = (windowsHide) => () => new mp.Process({ target: tasks.square, args: [3], windowsHide }).start().result();
    out([await made(true)(), await made(false)(), await made(undefined)(), await codeOf(made(1)), await codeOf(made('yes'))]);`);
    expect(got.slice(0, 3)).toEqual([9, 9, 9]);
    expect(got.slice(3)).toEqual([
      ['TypeError', 'ERR_MP_TYPE', 'new Process(): windowsHide must be a boolean, not 1'],
      ['TypeError', 'ERR_MP_TYPE', 'new Process(): windowsHide must be a boolean, not "yes"'],
    ]);
  });

  test('result: timeout, abort, and wrong waits', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.never).start();
    const abort = new AbortController();
    const aborted = p.result({ signal: abort.signal }).catch((e) => e.message);
    const joining = p.join({ signal: abort.signal }).catch((e) => e.message);
    abort.abort(new Error('my reason'));
    const errors = [];
    for (const wait of [-1, NaN, '5', { timeout: -1 }, { signal: 5 }]) errors.push((await codeOf(() => p.result(wait)))[0], (await codeOf(() => p.join(wait)))[0]);
    const seen = [await codeOf(() => p.result(5)), await codeOf(() => p.result({ timeout: 0 })), await aborted, await joining,
      await p.join({ signal: AbortSignal.abort(new Error('before')) }).catch((e) => e.message), [...new Set(errors)]];
    p.kill();
    out(seen);`);
    expect(got).toEqual([
      ['TimeoutError', 'ERR_MP_TIMEOUT', 'Process.result(): Process-1 gave no result within 5 ms'],
      ['TimeoutError', 'ERR_MP_TIMEOUT', 'Process.result(): Process-1 gave no result within 0 ms'],
      'my reason',
      'my reason',
      'before',
      ['RangeError', 'TypeError'],
    ]);
  });

  test('the result comes when the target settles, the end when its event loop runs dry', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process({ target: tasks.serves, stdio: ['ignore', 'pipe', 'inherit'] }).start();
    const result = await p.result(), alive = p.isAlive();
    p.terminate();
    let text = ''; for await (const chunk of p.stdout) text += chunk;
    out([result, alive, text, await p.join()]);`);
    expect(got).toEqual([true, true, 'closing\n', 0]);
  });

  test('asyncDispose ends a process, also a stubborn one, and closes it', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process({ target: tasks.stubborn, stdio: ['ignore', 'pipe', 'inherit'] }).start();
    await new Promise((resolve) => p.stdout.once('data', resolve));
    await p[Symbol.asyncDispose]();
    await p[Symbol.asyncDispose]();
    out([await codeOf(() => p.join()), mp.activeChildren().length, await new mp.Process()[Symbol.asyncDispose]()]);`);
    expect(got[0][0]).toBe('ClosedError');
  });

  test('inspect shows what Python shows', async () => {
    const { stdout } = await runScript(`${head}
    import { inspect } from 'node:util';
    const p = new mp.Process({ target: tasks.never, daemon: true });
    const show = () => console.log(inspect(p).replace(/=\\d+/g, '=N'));
    show(); p.start(); show(); p.terminate(); p.joinSync(); show(); p.close(); show(); console.log(inspect(mp.currentProcess()).replace(/=\\d+/g, '=N'));`);
    expect(stdout.split('\n')).toEqual([
      "<Process name='Process-1' parent=N initial daemon>",
      "<Process name='Process-1' pid=N parent=N started daemon>",
      "<Process name='Process-1' pid=N parent=N stopped exitcode=-SIGTERM daemon>",
      "<Process name='Process-1' parent=N closed daemon>",
      "<Process name='MainProcess' pid=N parent=N started>",
      '',
    ]);
  });

  test('60 processes in turn leave no descriptor', async () => {
    const got = await runJson(
      `${head}
    import { readdirSync } from 'node:fs';
    const fds = () => readdirSync('/proc/self/fd').length;
    const one = async (i) => { const p = new mp.Process(tasks.echo, i).start(); if (i % 3 === 0) p.sentinel; if (i % 2) p.joinSync(); await p.result(); await p.join(); p.close(); };
    await one(0); await new Promise(setImmediate);
    const before = fds();
    for (let i = 0; i < 60; i += 4) await Promise.all([one(i), one(i + 1), one(i + 2), one(i + 3)]);
    await new Promise(setImmediate);
    out([before, fds()]);`,
      { timeout: 110_000 },
    );
    expect(got[1]).toBe(got[0]);
  }, 120_000);

  test('a start that fails leaves nothing and says why', async () => {
    const got = await runJson(`${head}
    import { readdirSync } from 'node:fs';
    const fds = () => readdirSync('/proc/self/fd').length;
    const failure = async (o, before = () => {}) => { const p = new mp.Process({ target: tasks.square, ...o }); try { before(); p.start(); return 'started' } catch (e) { return [e.name, e.code, e.errno, e.syscall, p.isAlive()] } };
    new mp.Process(tasks.square, 1).start().joinSync();
    await new Promise(setImmediate);
    const before = fds(), real = process.execPath;
    const got = [
      await failure({ cwd: '/no/such/place' }),
      await failure({ cwd: '/no/such/place', execArgv: ['--import', 'data:text/javascript,'] }),
      await failure({ stdio: [999, 'pipe', 'pipe'] }),
      await failure({ stdio: ['pipe', 'pipe', 'pipe'], execArgv: ['--expose-gc'] }, () => { process.execPath = '/no/such/node' }),
      await failure({ args: [() => 1] }, () => { process.execPath = real }),
    ];
    await new Promise(setImmediate);
    await Promise.all(mp.activeChildren().map((p) => p.join()));
    await new Promise(setImmediate);
    out([...got, fds() - before, mp.activeChildren().length]);`);
    const unsupported = ['ProcessError', 'ERR_MP_UNSUPPORTED', null, null, false];
    const forks = method === 'fork';
    expect(got).toEqual([
      ['ProcessError', 'ERR_MP_START', 'ENOENT', 'chdir', false],
      forks ? unsupported : ['ProcessError', 'ERR_MP_START', 'ENOENT', 'chdir', false],
      ['ProcessError', 'ERR_MP_START', 'EBADF', 'dup2', false],
      forks ? unsupported : ['ProcessError', 'ERR_MP_START', 'ENOENT', 'execve', false],
      forks ? 'started' : ['MultiprocessingError', 'ERR_MP_CLONE', null, null, false],
      0,
      0,
    ]);
  });

  test('texts that no process can be given, and directories that are none, are refused when it is made', async () => {
    const got = await runJson(`${head}
    const refusal = (o) => { try { new mp.Process({ target: tasks.square, ...o }); return 'made' } catch (e) { return [e.name, e.code, e.message] } };
    out([{ env: { A: 'a\\0b' } }, { env: { 'A\\0': 'b' } }, { execArgv: ['--title=\\0'] }, { cwd: '/tmp\\0' }, { cwd: new URL('file:///tmp%00') },
      { cwd: new URL('http://x/') }, { cwd: new URL('file://elsewhere/x') }, { cwd: 7 }].map(refusal));`);
    const nul = 'has a NUL character, which no process can be given';
    expect(got).toEqual(
      [
        `env.A ${nul}`,
        `the name of a variable in env ${nul}`,
        `execArgv ${nul}`,
        `cwd ${nul}`,
        `cwd ${nul}`,
        'cwd must be a path or a file: URL, not "http://x/"',
        expect.stringContaining('is no path'),
        'cwd must be a path or a file: URL, not 7',
      ].map((text: unknown) => [
        'TypeError',
        'ERR_MP_TYPE',
        typeof text === 'string' ? `new Process(): ${text}` : text,
      ]),
    );
  });

  test('a program whose own directory has been removed: no child runs elsewhere unasked', async () => {
    const got = await runJson(
      `${head}
    import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
    const start = (cwd) => { try { return new mp.Process({ target: tasks.directory, cwd }).start().result() } catch (e) { return [e.name, e.code, e.errno] } };
    const all = async () => [await start(), await start('..'), await start('/')];
    const removed = mkdtempSync('/tmp/multiproc-removed-');
    process.chdir(removed); rmdirSync(removed);
    const without = method === 'fork' ? [] : await all();
    // With a server that started elsewhere, and another directory in the place of the old one.
    process.chdir('/'); await mp.run(tasks.square, 1);
    mkdirSync(removed); process.chdir(removed); rmdirSync(removed); mkdirSync(removed);
    const beside = method === 'fork' ? [] : await all();
    rmdirSync(removed); process.chdir('/');
    out([without, beside, await start()]);`.replaceAll('method === ', `'${method}' === `),
    );
    const none = ['ProcessError', 'ERR_MP_START', 'ENOENT'];
    const expected = method === 'fork' ? [] : [none, none, '/'];
    expect(got).toEqual([expected, expected, '/']);
  });

  test('too few descriptors: EMFILE, and nothing is left', async () => {
    const end = await runScript(
      `
    import { spawnSync } from 'node:child_process';
    const r = spawnSync('sh', ['-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath, ...process.argv.slice(2)], { encoding: 'utf8' });
    process.stdout.write(r.stdout); process.stderr.write(r.stderr); process.exitCode = r.status ?? 99;`,
      {
        args: [...launcher, new URL('../fixtures/few-descriptors.mjs', import.meta.url).pathname],
      },
    );
    expect(end.stdout, describe(end)).toBe('ProcessError EMFILE 0 0 9\n');
  });
});

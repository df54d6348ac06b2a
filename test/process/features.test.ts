import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { describe, fixtures, isRunning } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
const out = (value) => console.log(JSON.stringify(value));
`;

forEachStartMethod(({ method, runJson, runScript }) => {
  test('who a process is: names, parent, daemon flag, arguments', async () => {
    const got = await runJson(
      `${head}
    const plain = await new mp.Process(tasks.whoAmI).start().result();
    const named = await new mp.Process({ target: tasks.whoAmI, name: 'ann', daemon: true, cwd: '/', env: { ONLY: 1, PATH: process.env.PATH } }).start().result();
    const inner = await mp.run(tasks.nested);
    out([plain, named, inner, process.pid, mp.parentProcess(), mp.isMainProcess, mp.currentProcess().name]);`,
      { args: ['x', '--y'], execArgv: ['--stack-trace-limit=20'] },
    );
    const [plain, named, inner, pid, parent, main, name] = got;
    expect(plain).toMatchObject({
      name: 'Process-1',
      daemon: false,
      alive: true,
      main: false,
      parent: { name: 'MainProcess', pid, alive: true },
    });
    expect(plain.argv.slice(2)).toEqual(['x', '--y']);
    expect(plain.argv[1]).toMatch(method === 'fork' ? /build\/test-scripts\// : /lib\/entry\/worker\.js$/);
    expect(plain.execArgv).toEqual(['--stack-trace-limit=20']);
    expect(named).toMatchObject({ name: 'ann', daemon: true, cwd: '/', env: { ONLY: '1' } });
    expect(Object.keys(named.env).sort()).toEqual(['ONLY', 'PATH']);
    expect(inner).toEqual(['Process-3', 'Process-3:1']);
    expect([parent, main, name]).toEqual([null, true, 'MainProcess']);
  });

  test('the flags of a creator are inherited, its inspector and its evaluated code are not', async () => {
    const got = await runJson(`
    import { inheritedExecArgv as filter, inheritedNodeOptions as options, hasPreloads } from '${new URL('../../lib/process/exec-args.js', import.meta.url).href}';
    console.log(JSON.stringify([
      filter(['--import', 'tsx', '-e', 'code', '--inspect=0', '--inspect-port', '1', '--max-old-space-size=99', '--test', '--test-name-pattern', 'x', '-r', './a.js', '--watch-path', 'y', '--watch', '-p', '-e', '1', '--input-type=module', '--env-file', '.env', '--env-file=.env', '--expose-gc']),
      options('--inspect --max-old-space-size=9 --inspect-brk=1:2 --import x --inspect-port=0'),
      hasPreloads(['--import=x'], undefined), hasPreloads([], '-r y'), hasPreloads(['--expose-gc'], '--stack-size=9'),
    ]));`);
    expect(got).toEqual([
      ['--import', 'tsx', '--max-old-space-size=99', '-r', './a.js', '--expose-gc'],
      '--max-old-space-size=9 --import x',
      true,
      true,
      false,
    ]);
  });

  test('streams: pipes, descriptors, streams with a descriptor, nothing', async () => {
    const end = await runScript(`${head}
    import { openSync, readFileSync, createWriteStream, unlinkSync } from 'node:fs';
    import { once } from 'node:events';
    const all = async (s) => { let text = ''; for await (const chunk of s) text += chunk; return text; };
    const p = new mp.Process({ target: tasks.copyInput, stdio: 'pipe' }).start();
    p.stdin.end('hello '.repeat(50000));
    const [text, told, result] = await Promise.all([all(p.stdout), all(p.stderr), p.result()]);
    const file = new URL('stdio-' + process.pid, import.meta.url);
    const stream = createWriteStream(file); await once(stream, 'open');
    const q = new mp.Process({ target: tasks.copyInput, stdio: ['ignore', 'ignore', stream] }).start();
    await q.join();
    const written = readFileSync(file, 'utf8'); unlinkSync(file);
    const r = new mp.Process({ target: tasks.copyInput, stdio: [openSync('${new URL('default-arrow.mjs', fixtures).pathname}'), 1, 'ignore'] }).start();
    out([text.length, told, result, await p.join(), written, await r.join(), [q.stdin, q.stdout, q.stderr]]);`);
    const lines = end.stdout.trim().split('\n');
    expect(JSON.parse(lines.at(-1)!), describe(end)).toEqual([
      300000,
      'told',
      'copying',
      0,
      'told',
      0,
      [null, null, null],
    ]);
    expect(lines[0]).toContain('export default');
  });

  test('a relative directory is the starting process’s, wherever others are', async () => {
    const got = await runJson(
      `${head}
    await mp.run(tasks.square, 1); // a server, if there is one, is here
    process.chdir('${fixtures.pathname}');
    const inDirectory = async (cwd) => (await new mp.Process({ target: tasks.directory, cwd }).start().result());
    out([await inDirectory('preload'), await inDirectory('..'), await new mp.Process({ target: tasks.directoryOfChild, args: ['preload'], cwd: '.' }).start().result()]);`,
      { cwd: '/' },
    );
    const here = fixtures.pathname;
    expect(got).toEqual([`${here}preload`, resolve(here, '..'), `${here}preload`]);
  });

  test('a variable may have any name', async () => {
    const got = await runJson(`${head}
    const env = Object.fromEntries([...Object.entries(process.env), ['__proto__', 'x'], ['toString', 'y']]);
    const has = (name) => new mp.Process({ target: tasks.hasVariable, args: [name], env }).start().result();
    out([await has('__proto__'), await has('toString'), await has('none')]);`);
    expect(got).toEqual([true, true, false]);
  });

  test('standard input is empty by default', async () => {
    const end = await runScript(`${head} new mp.Process(tasks.copyInput).start();`, {
      input: 'for the parent',
    });
    expect([end.code, end.stdout, end.stderr]).toEqual([0, '', 'told']);
  });

  test('errors arrive as themselves where their class can be found', async () => {
    const got = await runJson(`${head}
    const thrown = async (kind) => { try { await new mp.Process({ target: tasks.throws, args: [kind], stdio: 'ignore' }).start().result(); } catch (e) { return e; } };
    const custom = await thrown('custom'), builtin = await thrown('builtin'), hidden = await thrown('hidden'), aggregate = await thrown('aggregate');
    const pack = await thrown('package'), abort = await thrown('abort'), local = await thrown('local'), cycle = await thrown('cycle'), node = await thrown('node');
    out([
      [custom instanceof tasks.Custom, custom.name, custom.message, custom.details, custom.cause instanceof RangeError, custom.cause.message, custom.cause.cause, /at throws .*tasks\\.mjs/.test(custom.stack), Object.keys(custom)],
      [builtin.constructor === RangeError, builtin.code, Object.keys(builtin), builtin.weak],
      [hidden instanceof TypeError, hidden.constructor.name, hidden.message],
      [aggregate instanceof AggregateError, aggregate.errors[0] instanceof tasks.Custom, aggregate.errors[1], aggregate.message],
      [pack instanceof mp.TimeoutError, pack.code], [abort instanceof DOMException, abort.name, abort.message, abort.code],
      [local instanceof mp.RemoteError, local.remoteName, local.message, local.code, local.name, /at throws/.test(local.stack)],
      cycle.cause === cycle, [node instanceof TypeError, node.name, node.code],
      await thrown('value'), await thrown('string'), (await thrown('undefined')) === undefined,
    ]);`);
    expect(got).toEqual([
      [true, 'Custom', 'custom 7', { code: 7 }, true, 'below', 'a string', true, ['details']],
      [true, 'E_OUT', ['code', 'weak'], 'WeakMap { <items unknown> }'],
      [true, 'Hidden', 'not exported'],
      [true, true, 'two', 'several'],
      [true, 'ERR_MP_TIMEOUT'],
      [true, 'AbortError', 'stopped', 20],
      [true, 'Local', 'only here', 'E_LOCAL', 'RemoteError', true],
      true,
      [true, 'TypeError', 'ERR_INVALID_URL'],
      { plain: [1] },
      'text',
      true,
    ]);
  });

  test('a result that cannot be sent is an error with its path, and no failure of the process', async () => {
    const end = await runScript(`${head}
    const p = new mp.Process(tasks.uncloneable).start();
    const error = await p.result().catch((e) => e);
    out([error.code, error.message.split(':')[0], await p.join()]);`);
    expect(JSON.parse(end.stdout), describe(end)).toEqual([
      'ERR_MP_CLONE',
      'result.list[1].onDone is a function',
      0,
    ]);
    expect(end.stderr).toBe('');
  });

  test('arguments that cannot be sent are errors at the call, with their path', async () => {
    const got = await runJson(`${head}
    class Job extends mp.Process { onDone = () => {} }
    const refusal = (f) => { try { f().start(); } catch (e) { return [e.code, e.message.split(':')[0]]; } };
    const p = new mp.Process(tasks.echo, { onDone() {} });
    const values = [refusal(() => p), p.isAlive(), p.pid];
    const { DefaultJob } = { DefaultJob: (await import('${new URL('default-class.mjs', fixtures).href}')).default };
    const job = new DefaultJob(1); job.listener = { f() {} };
    out([...values, refusal(() => job), await mp.run(tasks.echo, new Map([[1, [2n.toString()]]]), undefined).then((a) => [a[0].get(1), a.length])]);`);
    // A fork sends none.
    if (method === 'fork') expect(got.slice(0, 2)).toEqual([null, true]);
    else
      expect(got.slice(0, 4)).toEqual([
        ['ERR_MP_CLONE', 'args[0].onDone is a function'],
        false,
        null,
        ['ERR_MP_CLONE', 'this.listener.f is a function'],
      ]);
    expect(got[4]).toEqual([['2'], 2]);
  });

  test('spawnGroup: results in order; the first failure ends the rest', async () => {
    const got = await runJson(
      `${head}
    import * as group from '${new URL('group.mjs', fixtures).href}';
    const results = await mp.spawnGroup(tasks.echo, { count: 3, args: ['a'] });
    const error = await mp.spawnGroup(group.oneFails, { count: 3, args: [1], stdio: 'ignore' }).catch((e) => e);
    const wrong = [];
    for (const o of [{ count: -1 }, { count: 1.5 }, { count: 'x' }]) wrong.push(await mp.spawnGroup(tasks.echo, o).catch((e) => e.name));
    out([results, error.message, mp.activeChildren().length, wrong, await mp.spawnGroup(tasks.echo, { count: 0 })]);`,
    );
    expect(got).toEqual([
      [
        [0, 'a'],
        [1, 'a'],
        [2, 'a'],
      ],
      'number 1 fails',
      0,
      ['RangeError', 'RangeError', 'TypeError'],
      [],
    ]);
  });

  test('the parent as its child sees it: a grandchild notices its death', async () => {
    const end = await runScript(new URL('watch-parent.mjs', fixtures));
    const [survivor, seen] = JSON.parse(end.stdout.trim().split('\n').at(-1)!);
    expect(seen, describe(end)).toEqual([true, false, false, true, false]);
    expect(isRunning(survivor)).toBe(false);
  });

  test('sentinel is readable when the process has ended, before and after', async () => {
    const got = await runJson(`${head}
    import { execFileSync } from 'node:child_process';
    // A pidfd shows POLLIN; epoll and select of other languages see the same.
    const ready = (fd) => execFileSync('python3', ['-c', 'import select; print(len(select.select([0],[],[],0)[0]))'], { stdio: [fd, 'pipe', 'inherit'], encoding: 'utf8' }).trim();
    const p = new mp.Process(tasks.never).start(), q = new mp.Process(tasks.square, 1).start();
    const before = ready(p.sentinel); p.kill(); p.joinSync(); q.joinSync();
    out([before, ready(p.sentinel), ready(q.sentinel), p.sentinel === p.sentinel]);`);
    expect(got).toEqual(['0', '1', '1', true]);
  });
});

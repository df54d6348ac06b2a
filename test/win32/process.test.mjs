// Processes: arguments, results, errors, ends.
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import common from './fixtures/common.cjs';
import * as work from './fixtures/work.mjs';
import { assert, handleCount, mp, runs, test, textOf, until } from './support.mjs';

test('there is one start method, and it is the default', () => {
  assert.deepEqual(mp.getAllStartMethods(), ['spawn']);
  assert.equal(mp.getStartMethod(), 'spawn');
});

test('arguments and results', async () => {
  const given = [
    1,
    'ä "q" \\ 😀',
    { a: [1n, new Date(0)], m: new Map([['k', new Set([1])]]) },
    undefined,
    null,
  ];
  assert.deepEqual(await mp.run(work.echo, ...given), given);
  const buffer = new Uint8Array(3 << 20).fill(7);
  assert.deepEqual((await mp.run(work.echo, buffer))[0], buffer);
});

test('an error has its class, its fields and the stack of the child', async () => {
  const p = new mp.Process({ target: work.failDeeply, stdio: 'ignore' }).start();
  const error = await p.result().catch((e) => e);
  assert.ok(error instanceof work.Odd, String(error));
  assert.equal(error.message, 'it was odd');
  assert.equal(error.detail, 42);
  assert.match(error.stack, /failDeeply.*work\.mjs/s);
  assert.equal(await p.join(), 1);
});

test('exit codes, those of this system, too', async () => {
  for (const [code, told] of [
    [0, 0],
    [3, 3],
    [255, 255],
    [300, 300],
    [-1, 255],
    [70_000, 70_000],
  ]) {
    const p = new mp.Process(work.exitWith, code).start();
    assert.equal(await p.join(), told, `exit(${code})`);
    await assert.rejects(p.result(), { name: 'WorkerDiedError', exitCode: told, signal: null });
  }
});

test('terminate, kill and interrupt end at once, and the exit code says by what', async () => {
  for (const [end, code] of [
    ['terminate', -15],
    ['kill', -9],
    ['interrupt', -2],
  ]) {
    const p = new mp.Process(work.idle).start();
    assert.equal(p.isAlive(), true);
    p[end]();
    assert.equal(await p.join(10_000), code, end);
    assert.equal(p.isAlive(), false);
    p[end]();
    const error = await p.result().catch((e) => e);
    assert.equal(error.signal, { '-15': 'SIGTERM', '-9': 'SIGKILL', '-2': 'SIGINT' }[code]);
  }
});

test('join with a timeout, both forms', async () => {
  const p = new mp.Process(work.idle).start();
  let started = performance.now();
  assert.equal(await p.join(100), null);
  assert.ok(performance.now() - started >= 95);
  started = performance.now();
  assert.equal(p.joinSync(100), null);
  assert.ok(performance.now() - started >= 95);
  await assert.rejects(p.result({ timeout: 20 }), { name: 'TimeoutError' });
  p.kill();
  assert.equal(p.joinSync(10_000), -9);
  assert.equal(await p.join(), -9);
});

test('joinSync without the event loop', () => {
  const p = new mp.Process(work.exitWith, 5).start();
  assert.equal(p.joinSync(), 5);
  assert.equal(p.exitCode, 5);
});

test('the environment: given, non-ASCII, and names without case', async () => {
  const env = { ...process.env, Grüße: 'ÄÖÜ 😀', mp_case: 'lower' };
  const found = await mp
    .run(work.surroundings, 'x')
    .then(() => new mp.Process({ target: work.surroundings, args: ['GRÜSSE'], env }).start().result());
  assert.equal(found.value, undefined);
  const grüße = await new mp.Process({ target: work.surroundings, args: ['Grüße'], env }).start().result();
  assert.equal(grüße.value, 'ÄÖÜ 😀');
  const upper = await new mp.Process({ target: work.surroundings, args: ['MP_CASE'], env }).start().result();
  assert.equal(upper.value, 'lower');
  assert.equal(upper.lower, 'lower');
});

test('the whole environment is what is given, and what no program can do without', async () => {
  process.env.MP_NOT_FOR_CHILDREN = 'x';
  const names = await new mp.Process({ target: work.variables, env: { ONLY: '1' } }).start().result();
  delete process.env.MP_NOT_FOR_CHILDREN;
  const upper = names.map((name) => name.toUpperCase());
  assert.ok(upper.includes('ONLY') && upper.includes('SYSTEMROOT'), upper.join());
  assert.ok(!upper.includes('MP_NOT_FOR_CHILDREN'));
});

test('of variables that differ by case one arrives', async () => {
  const env = { ...process.env, MP_TWICE: 'first', mp_twice: 'second' };
  const names = await new mp.Process({ target: work.variables, env }).start().result();
  assert.equal(names.filter((name) => name.toUpperCase() === 'MP_TWICE').length, 1);
});

test('cwd, and one that is not there', async () => {
  const { cwd } = await new mp.Process({ target: work.surroundings, args: ['x'], cwd: tmpdir() })
    .start()
    .result();
  assert.equal(cwd.toLowerCase(), tmpdir().toLowerCase());
  const wrong = new mp.Process({ target: work.surroundings, args: ['x'], cwd: 'C:\\no\\such\\folder' });
  assert.throws(() => wrong.start(), { code: 'ERR_MP_START', errno: 'ENOENT', syscall: 'chdir' });
});

test('execArgv: a loader of the program, and arguments with quotes, spaces and backslashes', async () => {
  const loader = new URL('./fixtures/loader.mjs', import.meta.url).href;
  const odd = [
    '--title=a "quoted" title',
    '--title=back\\slash\\',
    '--title=\\"both\\\\" \\',
    '--title=a  b\t',
  ];
  const found = await new mp.Process({
    target: work.surroundings,
    args: ['x'],
    execArgv: ['--import', loader, ...odd],
  })
    .start()
    .result();
  assert.deepEqual(found.execArgv, ['--import', loader, ...odd]);
  assert.notEqual(found.loaded, null);
});

test('the arguments of the program, however odd', async () => {
  const odd = ['', 'a b', '"', '\\"', 'x\\', 'x y\\\\', '\t', '%PATH%', '^&|<>', 'ä😀'];
  process.argv.push(...odd);
  const found = await mp.run(work.surroundings, 'x');
  process.argv.splice(-odd.length);
  assert.deepEqual(found.argv.slice(-odd.length), odd);
});

test('a function of CommonJS', async () => {
  assert.equal(await mp.run(common.triple, 14), 42);
});

test('functions of the main module, and a daemon that ends with the program', async () => {
  const main = fileURLToPath(new URL('./fixtures/main.mjs', import.meta.url));
  const program = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => program.on('exit', resolve));
  const [result, pid] = (await textOf(program.stdout)).trim().split(/\s+/);
  assert.equal(result, '42');
  assert.equal(await ended, 0);
  assert.ok(await until(() => !runs(Number(pid)), 1000));
});

test('windowsHide', async () => {
  const p = new mp.Process({ target: work.echo, args: [1], windowsHide: true }).start();
  assert.deepEqual(await p.result(), [1]);
  assert.equal(await p.join(), 0);
});

test('a target that does not exist', async () => {
  const missing = new URL('./fixtures/none.mjs', import.meta.url);
  const p = new mp.Process({ target: { module: missing, export: 'x' }, stdio: 'ignore' }).start();
  await assert.rejects(p.result(), /none\.mjs/);
  assert.equal(await p.join(), 1);
  const unexported = new mp.Process({
    target: { module: new URL('./fixtures/work.mjs', import.meta.url), export: 'nothing' },
    stdio: 'ignore',
  }).start();
  await assert.rejects(unexported.result(), { code: 'ERR_MP_FUNCTION' });
  assert.equal(await unexported.join(), 1);
});

test('a parent is known, and waited for', async () => {
  const p = new mp.Process(work.echo, 1).start();
  assert.ok(mp.activeChildren().includes(p));
  await p.join();
  assert.ok(!mp.activeChildren().includes(p));
  assert.equal(mp.parentProcess(), null);
});

test('spawnGroup', async () => {
  assert.equal(new Set(await mp.spawnGroup(work.pid, { count: 4 })).size, 4);
});

test('50 processes one after another leave no handles', async () => {
  for (let i = 0; i < 5; i++) await mp.run(work.pid); // what is made once
  const before = handleCount();
  for (let i = 0; i < 50; i++) {
    const p = new mp.Process(work.pid).start();
    assert.equal(await p.join(), 0);
    p.close();
  }
  const few = await until(() => handleCount() <= before + 5, 2000);
  assert.ok(few, `${before} handles before, ${handleCount()} after`);
}, 120_000);

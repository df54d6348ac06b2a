import { expect, test } from 'vitest';
import { describe, fixtures } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const fixture = (name: string): string => new URL(name, fixtures).href;
const head = `
import * as mp from 'multiproc';
import * as kinds from '${fixture('exports.mjs')}';
import defaultArrow from '${fixture('default-arrow.mjs')}';
import DefaultJob from '${fixture('default-class.mjs')}';
import { createRequire } from 'node:module';
const require = createRequire('${fixture('x')}');
const out = (value) => console.log(JSON.stringify(value));
const refusal = (target, ...args) => { try { new mp.Process(target, ...args).start(); return 'started'; } catch (e) { return [e.code ?? e.name, e.message]; } };
`;

// A fork has them in its heap.
forEachStartMethod(
  ({ runJson, runScript }) => {
    test('functions are found wherever a module exports them', async () => {
      const got = await runJson(`${head}
    const got = [];
    for (const f of [kinds.declared, kinds.arrow, kinds.asynchronous, kinds.renamed, kinds.made, kinds.default]) got.push(await mp.run(f));
    got.push(await mp.run(defaultArrow, 5), await new DefaultJob(6).start().result());
    out(got);`);
      expect(got).toEqual([
        'declared',
        'arrow',
        'asynchronous',
        'renamed',
        'made',
        'anonymous default',
        ['default arrow', 5],
        7,
      ]);
    });

    test('functions of CommonJS modules, and their error classes', async () => {
      const got = await runJson(`${head}
    const common = require('./common.cjs'), whole = require('./common-whole.cjs');
    const error = await mp.run(common.refuse).catch((e) => e);
    const byAddress = await mp.run({ module: '${fixture('common.cjs')}', export: 'refuse' }).catch((e) => e);
    out([await mp.run(common.twice, 4), await mp.run(whole, 1), await mp.run(whole.part, 2), error instanceof common.Refused, error.why, byAddress instanceof common.Refused]);`);
      expect(got).toEqual([8, ['whole', 1], ['part', 2], true, 'because', true]);
    });

    test('by URL and by module and export', async () => {
      const got = await runJson(`${head}
    import { fileURLToPath } from 'node:url';
    const path = fileURLToPath('${fixture('exports.mjs')}');
    process.chdir(fileURLToPath('${fixture('.')}'));
    out([await mp.run(new URL('${fixture('default-arrow.mjs')}'), 1), await mp.run({ module: path, export: 'declared' }), await mp.run({ module: new URL('${fixture('exports.mjs')}') }),
      await mp.run({ module: './exports.mjs', export: 'arrow' }), await mp.run({ module: 'node:path', export: 'basename' }, '/a/b'), await mp.run({ module: '${fixture('common.cjs')}', export: 'twice' }, 3),
      await mp.run(require('node:path').dirname, '/a/b')]);`);
      expect(got).toEqual([['default arrow', 1], 'declared', 'anonymous default', 'arrow', 'b', 6, '/a']);
    });

    test('functions that no module exports are errors that say where they are', async () => {
      const got = await runJson(`${head}
    function here() {}
    out([here, () => 1, kinds.get(), kinds.holder.method, kinds.declared.bind(null), Math.max, eval('(function evaluated() {})'), new Function('return 1'), class A {}].map((f) => refusal(f)));`);
      const codes = got.map(([code]: [string]) => code);
      expect(new Set(codes)).toEqual(new Set(['ERR_MP_FUNCTION']));
      const messages = got.map(([, message]: [string, string]) => message);
      expect(messages[0]).toMatch(
        /^Function here \(defined at file:.*\.mjs:\d+:\d+\) cannot be found by another process: its module does not export it\. Export it/,
      );
      expect(messages[1]).toMatch(/^An anonymous function \(defined at/);
      expect(messages[2]).toMatch(/^Function unexported \(defined at .*exports\.mjs:\d+:\d+\)/);
      expect(messages[4]).toContain('bind() made it');
      expect(messages[5]).toContain('it is native code');
      expect(messages[6]).toContain('(defined at evaluated code:1:');
      expect(messages[8]).toMatch(/^Class A \(/);
    });

    test('wrong targets and addresses are errors at the call', async () => {
      const got = await runJson(`${head}
    const made = (...a) => { try { new mp.Process(...a); return 'made'; } catch (e) { return e.name + ': ' + e.message; } };
    out([made('text'), made({ target: 5 }), made({ arg: [] }), made({ args: 5 }), made({ name: 5 }), made({ daemon: 1 }), made({ stdio: 'x' }), made({ stdio: [1, 2, 3, 4] }), made({ env: { A: {} } }), made({ cwd: 5 }), made(null),
      refusal({ module: 'a-package' }), refusal({ module: 5 }), refusal({ module: '/x', export: 5 })]);`);
      expect(got.slice(0, 11).every((m: string) => m.startsWith('TypeError: new Process(): '))).toBe(true);
      expect(got[2]).toContain('there is no option "arg"');
      expect(got[11][0]).toBe('ERR_MP_FUNCTION');
      expect(got[11][1]).toContain('import.meta.resolve("a-package")');
      expect([got[12][0], got[13][0]]).toEqual(['ERR_MP_TYPE', 'ERR_MP_TYPE']);
    });

    test('the child says what is wrong with an address', async () => {
      const got = await runJson(`${head}
    const wrong = async (target) => { const e = await new mp.Process({ target, stdio: 'ignore' }).start().result().catch((e) => e); return [e.code, e.message.replace(/file:\\S+\\//, '')]; };
    out([await wrong({ module: '${fixture('exports.mjs')}', export: 'nothing' }), await wrong({ module: '${fixture('tasks.mjs')}', export: 'notAFunction' }), await wrong({ module: '${fixture('missing.mjs')}' })]);`);
      expect(got[0]).toEqual([
        'ERR_MP_FUNCTION',
        expect.stringMatching(
          /^Export "nothing" of exports\.mjs does not exist\. The module exports .*declared/,
        ),
      ]);
      expect(got[1]).toEqual([
        'ERR_MP_FUNCTION',
        'Export "notAFunction" of tasks.mjs is not a function but number',
      ]);
      expect(got[2][0]).toBe('ERR_MODULE_NOT_FOUND');
    });

    test('a function whose source is another in the child is refused', async () => {
      const got = await runJson(`
    import * as mp from 'multiproc';
    import { writeFileSync } from 'node:fs';
    const file = new URL('changing-' + process.pid + '.mjs', import.meta.url);
    writeFileSync(file, 'export function f() { return 1 }');
    const { f } = await import(file);
    writeFileSync(file, 'export function f() { return 2 }');
    const error = await new mp.Process({ target: f, stdio: 'ignore' }).start().result().catch((e) => e);
    (await import('node:fs')).unlinkSync(file);
    console.log(JSON.stringify([error.code, error.message.replace(/file:\\S+/, 'FILE')]));`);
      expect(got).toEqual([
        'ERR_MP_FUNCTION',
        'Export "f" of FILE is another function here than in the process that sent it: their sources differ',
      ]);
    });

    test('a main module in top-level await sends its own functions, classes and errors', async () => {
      const got = await runJson(new URL('main-awaiting.mjs', fixtures));
      expect(got).toEqual([3, true, 'own', [1], [{ deep: 1 }, ['ran'], 'the job', true, true, true]]);
    });

    test('starting a process while being imported for one is an error, never a fork bomb', async () => {
      const end = await runScript(new URL('main-unguarded.mjs', fixtures));
      const [name, code, message] = JSON.parse(end.stdout.trim().split('\n').at(-1)!);
      expect([name, code], describe(end)).toEqual(['ProcessError', 'ERR_MP_UNGUARDED']);
      expect(message).toContain('main-unguarded.mjs is being imported');
      expect(message).toContain('if (mp.isMainProcess)');
    });

    test('guards by process.argv[1], require.main and import.meta.main hold in a child', async () => {
      expect(await runJson(new URL('main-argv-guard.mjs', fixtures), { args: ['a', '-b'] })).toEqual([
        false,
        ['a', '-b'],
        false,
      ]);
      expect(await runJson(new URL('main-common.cjs', fixtures))).toEqual([
        8,
        false,
        false,
        'ERR_MP_FUNCTION',
      ]);
    });

    test("the parent's loaders apply in the child, also in another directory", async () => {
      const cwd = new URL('.', fixtures).pathname;
      const got = await runJson(new URL('typed.mts', fixtures), {
        execArgv: ['--import', './hooks.mjs', '--no-warnings'],
        cwd,
      });
      expect(got).toEqual([
        [5, true, cwd.slice(0, -1)],
        [10, true, '/'],
      ]);
    });

    test('code from the command line cannot be sent, but may send what modules export', async () => {
      const got = await runJson(`
    import { spawnSync } from 'node:child_process';
    const code = \`import * as mp from '\${import.meta.resolve('multiproc')}'; import { declared } from '${fixture('exports.mjs')}'; function own() {}
      let refused; try { new mp.Process(own).start() } catch (e) { refused = e.code }
      console.log(JSON.stringify([await mp.run(declared), refused, await mp.run({ module: '${fixture('main-argv-guard.mjs')}', export: 'argv' })]))\`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code, 'x', 'y'], { encoding: 'utf8' });
    process.stdout.write(stdout); process.stderr.write(stderr);`);
      expect(got).toEqual(['declared', 'ERR_MP_FUNCTION', [false, ['x', 'y'], false]]);
    });

    test('functions can be sent from worker threads', async () => {
      const got = await runJson(`${head}
    import { isMainThread, parentPort, Worker } from 'node:worker_threads';
    if (isMainThread) {
      const worker = new Worker(new URL(import.meta.url));
      worker.on('message', out);
    } else {
      const p = new mp.Process(kinds.declared);
      parentPort.postMessage([await p.start().result(), await p.join(), p.name, mp.isMainProcess, mp.currentProcess().name]);
    }`);
      expect(got).toEqual(['declared', 0, 'Process-1', true, 'MainProcess']);
    });
  },
  ['spawn', 'forkserver'],
);

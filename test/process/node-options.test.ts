import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';
import {
  hasPreloads,
  inheritedExecArgv,
  inheritedNodeOptions,
  joinNodeOptions,
  splitNodeOptions,
} from '../../src/process/exec-args.js';

const preload = (name: string): string => fileURLToPath(new URL(`node-options/${name}`, fixtures));
const directory = preload('');
const major = Number(process.versions.node.split('.')[0]);

test('NODE_OPTIONS is read as Node reads it, and written so that it reads the same', () => {
  const read: [string, string[]][] = [
    ['', []],
    ['  --a   b ', ['--a', 'b']],
    ['"--import=./a b.mjs" -r c', ['--import=./a b.mjs', '-r', 'c']],
    [String.raw`--title="a \"b\" \\c" --x=\d`, [String.raw`--title=a "b" \c`, String.raw`--x=\d`]],
    ['"" --a', ['--a']],
    ['--a\tb', ['--a\tb']],
  ];
  for (const [text, words] of read) {
    expect(splitNodeOptions(text), text).toEqual(words);
    expect(splitNodeOptions(joinNodeOptions(words)), text).toEqual(words);
  }
});

test('what is not for children goes, with its value, however it is written; the rest stays as it is', () => {
  expect(inheritedNodeOptions('--title="a --inspect b"')).toBe('--title="a --inspect b"');
  expect(inheritedNodeOptions('--title="a \\"b" --inspect-port 9333 --stack-size=9')).toBe(
    '"--title=a \\"b" --stack-size=9',
  );
  expect(inheritedNodeOptions('"--inspect_brk=1:2" --input_type=module -r x')).toBe('-r x');
  expect(inheritedExecArgv(['--input_type=module', '--expose_gc', '-e', '1'])).toEqual(['--expose_gc']);
});

test('preloads are found wherever they are', () => {
  for (const option of [
    '"--import=./hook.mjs"',
    '"-r" x',
    '--experimental_loader=./hook.mjs',
    '--config-file=node.config.json',
    '--experimental-config-file=x',
    '--experimental-default-config-file',
  ]) {
    expect(hasPreloads([], option), option).toBe(true);
    expect(hasPreloads(splitNodeOptions(option), undefined), option).toBe(true);
  }
  expect(hasPreloads([], '--title="a --import b" --required=x')).toBe(false);
});

forEachStartMethod(
  ({ runJson }) => {
    test('a loader: its thread does not go with a fork, so that such processes are spawned', async () => {
      const script = `
      import * as mp from 'multiproc';
      import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
      console.log(JSON.stringify((await mp.run(tasks.optionsOfNode))[2]));`;
      const loader = preload('loader.mjs');
      expect(await runJson(script, { env: { NODE_OPTIONS: `"--import=${loader}"` } })).toBe('by a loader');
      // It is run in that thread only.
      expect(await runJson(script, { execArgv: [`--experimental_loader=${loader}`] })).toBe(null);
    });

    test.runIf(major >= 24)('a file of options may hold one', async () => {
      const script = `
        import * as mp from 'multiproc';
        import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
        console.log(JSON.stringify((await mp.run(tasks.optionsOfNode))[2]));`;
      for (const option of [
        '--experimental-config-file=node.config.json',
        '--experimental-default-config-file',
      ])
        expect(await runJson(script, { execArgv: [option], cwd: directory })).toBe('by a loader');
    });

    test('a preload that is named from the working directory is found, wherever the child works', async () => {
      const got = await runJson(
        `
        import * as mp from 'multiproc';
        import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
        console.log(JSON.stringify((await new mp.Process({ target: tasks.optionsOfNode, cwd: '/' }).start().result())[2]));`,
        { env: { NODE_OPTIONS: '"--require=./hook.cjs"' }, cwd: directory },
      );
      expect(got).toBe('by a hook');
    });

    test('children of evaluated code are files; what is quoted reaches them as it is', async () => {
      const got = await runJson(
        `
        import { execFileSync } from 'node:child_process';
        const code = \`import * as mp from 'multiproc'; import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
          console.log(JSON.stringify(await mp.run(tasks.optionsOfNode)))\`;
        const env = { ...process.env, NODE_OPTIONS: '--title="a --inspect b" --no-warnings' };
        process.stdout.write(execFileSync(process.execPath, ['--input_type=module', '--expose-gc', '-e', code], { env, encoding: 'utf8' }));`,
        { cwd: fileURLToPath(new URL('.', import.meta.url)) },
      );
      expect(got).toEqual(['--title="a --inspect b" --no-warnings', ['--expose-gc'], null]);
    });
  },
  ['spawn', 'forkserver'],
);

test.runIf(process.allowedNodeEnvironmentFlags.has('--cpu-prof'))(
  'a profile that NODE_OPTIONS asks for is written by children, too',
  async () => {
    const got = await runJson<string[]>(
      `
      import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
      import { execFileSync } from 'node:child_process';
      const directory = mkdtempSync('/tmp/multiproc-prof-');
      const code = \`import * as mp from 'multiproc'; import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
        await mp.getContext('forkserver').run(tasks.square, 1)\`;
      const env = { ...process.env, NODE_OPTIONS: '"--cpu-prof" --cpu-prof-dir=' + directory };
      execFileSync(process.execPath, ['--input-type=module', '-e', code], { env });
      console.log(JSON.stringify(readdirSync(directory))); rmSync(directory, { recursive: true });`,
    );
    expect(got).toHaveLength(2);
  },
);

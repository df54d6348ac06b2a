import { expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';

const head = `
import * as mp from 'multiproc';
import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
const out = (value) => console.log(JSON.stringify(value));
`;

test('start methods are chosen once', async () => {
  const got = await runJson(`${head}
    const attempt = (m, o) => { try { mp.setStartMethod(m, o); return mp.getStartMethod(); } catch (e) { return [e.code, e.message]; } };
    const force = { force: true };
    out([mp.getAllStartMethods(), ['forkserver', 'forkserver', 'spawn', 'fork', 'other', null].map((m) => attempt(m)),
      attempt('spawn', force), attempt('spawn', force), attempt('other', force), attempt(null, force), attempt('spawn')]);`);
  expect(got[0].toSorted()).toEqual(['forkserver', 'spawn']);
  expect(got[1][0]).toBe('forkserver');
  expect(got[1].slice(1).map(([code]: [string]) => code)).toEqual([
    'ERR_MP_START_METHOD',
    'ERR_MP_START_METHOD',
    'ERR_MP_UNSUPPORTED',
    'ERR_MP_START_METHOD',
    'ERR_MP_START_METHOD',
  ]);
  expect(got.slice(2, 4)).toEqual(['spawn', 'spawn']);
  expect(got[4][0]).toBe('ERR_MP_START_METHOD');
  // Taken back: what is done by default, and another choice.
  expect(got.slice(5)).toEqual(['forkserver', 'spawn']);
});

test('a variable that names no method, or none that is possible here, is an error where it is used', async () => {
  const used = `${head}
    const attempt = (f) => { try { return f(); } catch (e) { return [e.code, e.message]; } };
    out([attempt(() => mp.getStartMethod()), attempt(() => new mp.Process(tasks.square, 1).name)]);`;
  const usedWith = (method: string) => runJson(used, { env: { MULTIPROC_START_METHOD: method } });
  const unknown = await usedWith('threads');
  const impossible = await usedWith('fork');
  const empty = await usedWith('');
  expect(unknown[0]).toEqual([
    'ERR_MP_START_METHOD',
    expect.stringMatching(/^MULTIPROC_START_METHOD: .*"threads"/),
  ]);
  expect(unknown[1]).toEqual(unknown[0]);
  expect(impossible[0]).toEqual([
    'ERR_MP_UNSUPPORTED',
    expect.stringMatching(/^MULTIPROC_START_METHOD: fork/),
  ]);
  expect(impossible[1]).toEqual(impossible[0]);
  expect(empty).toEqual(['forkserver', 'Process-1']);
});

test('variables that no process could have, and lists that are none', async () => {
  const got = await runJson(`${head}
    const attempt = (f) => { try { return f(); } catch (e) { return [e.name, e.code]; } };
    out([...[['a'], new Map([['a', 'b']]), { 'a=b': 'c' }, { '': 'c' }].map((env) => attempt(() => new mp.Process({ env }))),
      attempt(() => mp.setForkserverPreload(null))]);`);
  expect(got).toEqual(Array(5).fill(['TypeError', 'ERR_MP_TYPE']));
});

test('a locale among the variables is the process’s, however it is started', async () => {
  const got = await runJson(`${head}
    mp.setStartMethod('forkserver');
    const target = { module: '${new URL('forked-by.mjs', fixtures).href}', export: 'locale' };
    const { LANGUAGE, LC_ALL, LANG, ...others } = process.env;
    const localeOf = (env) => new mp.Process({ target, env: { ...others, ...env } }).start().result();
    out([await localeOf({ LC_ALL: 'de_DE.UTF-8' }), await localeOf({ LANG: 'fr_FR.UTF-8' })]);`);
  expect(got).toEqual(['de-DE', 'fr-FR']);
});

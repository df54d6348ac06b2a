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
    out([mp.getAllStartMethods(), attempt('forkserver'), attempt('forkserver'), attempt('spawn'), attempt('spawn', { force: true }), attempt('fork'), attempt('other')]);`);
  expect(got[0].toSorted()).toEqual(['forkserver', 'spawn']);
  expect(got.slice(1, 3)).toEqual(['forkserver', 'forkserver']);
  expect(got[4]).toBe('spawn');
  expect([got[3], got[5], got[6]].map(([code]: [string]) => code)).toEqual([
    'ERR_MP_START_METHOD',
    'ERR_MP_UNSUPPORTED',
    'ERR_MP_START_METHOD',
  ]);
});

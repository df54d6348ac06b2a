/** The storm, in short; `npm run storm:process` is the long one. */
import { expect, test } from 'vitest';
import { describe, runScript } from '../support/child.js';

test('processes end in every way while children, parents and servers are killed: nothing hangs, lies or stays', async () => {
  const end = await runScript(new URL('../storm/process.mjs', import.meta.url), {
    args: ['400', '7'],
    execArgv: ['--expose-gc', '--max-semi-space-size=1'],
    timeout: 110_000,
  });
  expect(end.code, describe(end)).toBe(0);
  const seen = JSON.parse(end.stdout);
  expect([seen.problems, seen.starts >= 400]).toEqual([[], true]);
  expect(seen.serversKilled).toBeGreaterThan(0);
  expect(seen.parentsKilled).toBeGreaterThan(0);
  expect(seen.drawn).toBe(40 * 20 * 6);
}, 120_000);

// Errors that fight being read: something readable arrives, and who threw them goes on.
import { expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { head } from '../support/sync.js';

const evil = `${head}
import * as evil from '${new URL('evil-throws.mjs', fixtures).href}';
const says = (e) => (e instanceof Error ? e.constructor.name + ' ' + e.message.slice(0, 40) : typeof e === 'string' ? 'text' : typeof e);
const of = (promise) => promise.then(() => 'nothing', says);
`;

const expected = {
  message: 'RangeError (cannot be read)',
  name: 'RangeError hidden',
  stack: 'RangeError hidden',
  cause: 'RangeError hidden',
  errors: 'RangeError hidden',
  extra: 'RangeError hidden',
  symbolName: 'Error m',
  symbolMessage: 'Error Symbol(n)',
  proxy: 'text',
  openProxy: 'Error proxied',
  inspect: 'text',
  turning: 'text',
  turningExtra: 'Error m',
  deep: 'Error level 19999',
  nameless: 'RemoteError m',
  null: 'object',
};

test('what a task throws arrives, and its worker goes on', async () => {
  const got = await runJson(`${evil}
    if (mp.isMainProcess) {
      const pool = new mp.Pool(1), [pid] = (await pool.ready(), pool.pids), all = {};
      for (const kind in evil.kinds) {
        const ways = [pool.apply(evil.throwIt, [kind]), pool.apply(evil.throwLater, [kind]), pool.map(evil.throwIt, [kind])];
        all[kind] = [...new Set(await Promise.all(ways.map(of)))];
      }
      const returned = [];
      for (const key of ['then', 'other']) returned.push(await of(pool.apply(evil.returnIt, [key])), await of(pool.map(evil.returnIt, [key])));
      out([all, returned, await pool.apply(evil.one), pool.pids[0] === pid]);
      await pool.terminate();
    }`);
  const all = Object.fromEntries(Object.entries(expected).map(([kind, says]) => [kind, [says]]));
  expect(got).toEqual([all, Array(4).fill('RangeError (cannot be read)'), 1, true]);
});

test('what a target throws arrives', { timeout: 60_000 }, async () => {
  const got = await runJson(
    `${evil}
    if (mp.isMainProcess) {
      const all = {};
      for (const kind in evil.kinds) all[kind] = await of(mp.run(evil.throwIt, kind));
      out(all);
    }`,
    { timeout: 50_000 },
  );
  expect(got).toEqual(expected);
});

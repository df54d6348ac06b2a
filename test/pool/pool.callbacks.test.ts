// Callbacks of calls that are asked for later.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { head } from '../support/pools.js';

const processes = head('new mp.Pool(options)');

test('what they throw, or reject with, is a warning', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), warned = [], unhandled = [];
    process.on('warning', (w) => warned.push(w.message)).on('unhandledRejection', (e) => unhandled.push(String(e)));
    await pool.applyAsync(fns.square, [2], { callback: async (x) => { throw new Error('callback ' + x) } });
    await failure(pool.applyAsync(fns.fail, [], { errorCallback: async (e) => { throw e } }));
    await pool.mapAsync(fns.square, [2], { callback: ([x]) => { throw new Error('map ' + x) } });
    await pool.starmapAsync(fns.add, [[1, 2]], { callback: () => Promise.reject(Object.create(null)) });
    await new Promise((r) => setTimeout(r, 20));
    out([warned, unhandled]);
    await pool.terminate();`);
  expect(got).toEqual([['callback 4', 'no', 'map 4', '[Object: null prototype] {}'], []]);
});

test('one that is no function is an error of the call, and nothing is run', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), ran = new mp.Value('i', 0);
    const wrong = ['callback', 'errorCallback'].flatMap((name) => [
      () => pool.applyAsync(fns.count, [ran], { [name]: 1 }), () => pool.mapAsync(fns.count, [ran], { [name]: null }), () => pool.starmapAsync(fns.count, [[ran]], { [name]: 'x' }),
    ]).map((call) => thrown(call)[1]);
    await pool.apply(fns.echo);
    out([wrong, ran.value, pool.stats().completed]);
    await pool.terminate();`);
  expect(got).toEqual([Array(6).fill('ERR_MP_TYPE'), 0, 1]);
});

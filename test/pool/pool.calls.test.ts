// What a pool does for those who call it.
import { expect, test } from 'vitest';
import { forEachPool } from '../support/pools.js';

forEachPool(({ runJson, head, ground }) => {
  test('a task each: values, promises, any arguments, functions by address', async () => {
    const got = await runJson(`${head}
      const pool = make(2);
      const address = { module: new URL('${new URL('../fixtures/pool.mjs', import.meta.url).href}'), export: 'add' };
      out([
        await pool.apply(fns.square, [7]), await pool.apply(fns.later, [5, 'late']), await pool.apply(fns.all), await pool.apply(fns.all, [1, undefined, { a: [2n] + '' }]),
        await pool.apply(address, [1, 2]), await pool.apply(new URL(address.module), ['x']), await pool.apply(fns.default, ['y']), await pool.apply(fns.all, new Set([3, 4])),
        await pool.applyAsync(fns.add, [1, 1]), await pool.apply(fns.echo, [undefined]) === undefined,
      ]);
      await pool.terminate();`);
    expect(got).toEqual([
      49,
      'late',
      [],
      [1, null, { a: '2' }],
      3,
      'default x',
      'default y',
      [3, 4],
      2,
      true,
    ]);
  });

  test('many at once: each has its own result, whatever waits in line', async () => {
    const got = await runJson(`${head}
      const pool = make(2);
      const results = await Promise.all(Array.from({ length: 20_000 }, (_, i) => pool.apply(fns.echo, [i % 3 ? i : { i }])));
      out([results.every((r, i) => i % 3 ? r === i : r.i === i), pool.stats().completed, pool.stats().queued]);
      await pool.terminate();`);
    expect(got).toEqual([true, 20_000, 0]);
  });

  test('arguments are what they were at the call', async () => {
    const got = await runJson(`${head}
      const pool = make(1);
      const list = [0], results = [];
      for (let i = 0; i < 2000; i++) { list[0] = i; results.push(pool.apply(fns.echo, [list])) }
      list[0] = -1;
      out((await Promise.all(results)).every(([x], i) => x === i));
      await pool.terminate();`);
    expect(got).toBe(true);
  });

  test('map, starmap, and their later forms keep the order, whatever the chunks', async () => {
    const got = await runJson(`${head}
      const pool = make(3), n = 1000;
      const expected = Array.from({ length: n }, (_, i) => i * i), same = (list) => String(list) === String(expected);
      const range = function* () { for (let i = 0; i < n; i++) yield i };
      const slowly = async function* () { for (let i = 0; i < n; i++) { if (i % 100 === 0) await null; yield i } };
      const kinds = [Array.from(range()), range(), slowly(), new Set(range()), Float64Array.from(range())];
      const mapped = [];
      for (const kind of kinds) mapped.push(same(await pool.map(fns.square, kind)));
      for (const chunksize of [1, 7, 999, 1000, 5000]) mapped.push(same(await pool.map(fns.square, range(), { chunksize })));
      out([mapped, await pool.map(fns.square, []), await pool.map(fns.square, (async function* () {})()), await pool.starmap(fns.add, [[1, 2], new Set([3, 4])]),
        await pool.mapAsync(fns.square, [3]), await pool.starmapAsync(fns.add, new Map([[1, 2]])), await pool.map(fns.later, [3, 2, 1], { chunksize: 2 })]);
      await pool.terminate();`);
    expect(got).toEqual([Array(10).fill(true), [], [], [3, 7], [9], [3], [null, null, null]]);
  });

  test('imap is lazy, in order, and ends with its loop; imapUnordered gives what is there', async () => {
    const got = await runJson(`${head}
      const pool = make(2), pulled = new mp.Value('i', 0), ended = [];
      const endless = function* () { try { for (let i = 0; ; i++) { pulled.value++; yield i } } finally { ended.push('sync') } };
      const endlessLater = async function* () { try { for (let i = 0; ; i++) yield i } finally { ended.push('async') } };
      const first = [];
      for await (const x of pool.imap(fns.square, endless(), { buffer: 6 })) { first.push(x); if (first.length === 10) break }
      const lead = pulled.value;
      for await (const x of pool.imap(fns.square, endlessLater())) if (x > 50) break;
      const gate = new mp.Event(), some = [];
      for await (const x of pool.imapUnordered(fns.echo, [1, 2, 3, 4])) some.push(x);
      const chunked = [];
      for await (const x of pool.imap(fns.square, [1, 2, 3, 4, 5], { chunksize: 2 })) chunked.push(x);
      await until(() => pool.stats().queued + pool.stats().running === 0);
      out([first, lead >= 10 && lead <= 17, ended, some.sort(), chunked, await pool.apply(fns.square, [2])]);
      await pool.terminate();`);
    expect(got).toEqual([
      [0, 1, 4, 9, 16, 25, 36, 49, 64, 81],
      true,
      ['sync', 'async'],
      [1, 2, 3, 4],
      [1, 4, 9, 16, 25],
      4,
    ]);
  });

  test('imapUnordered does not wait for the slow one; imap does', async () => {
    const got = await runJson(`${head}
      const pool = make(2), gate = new mp.Event(), started = new mp.Semaphore(0);
      const held = pool.apply(fns.hold, [gate, started]);
      await started.acquire({ owned: false });
      const order = [];
      for await (const x of pool.imapUnordered(fns.echo, [1, 2, 3], { chunksize: 1 })) order.push(x);
      gate.set();
      await held;
      out(order.sort());
      await pool.terminate();`);
    expect(got).toEqual([1, 2, 3]);
  });

  test('an AsyncResult: get, wait, ready, successful, callbacks, cancel', async () => {
    const got = await runJson(`${head}
      const pool = make(1), gate = new mp.Event(), started = new mp.Semaphore(0), calls = [], warned = [];
      process.on('warning', (w) => warned.push(w.message));
      const held = pool.applyAsync(fns.holdLater, [gate, started], { callback: () => { calls.push('done'); throw new Error('a callback') } });
      await started.acquire({ owned: false });
      const queued = pool.applyAsync(fns.echo, [1], { errorCallback: (e) => calls.push(e.name) });
      const before = [held.ready(), thrown(() => held.successful())[1], await held.wait(5), (await told(held.get({ timeout: 5 })))[0]];
      const cancelled = [queued.cancel(), queued.cancel(), (await failure(queued)).name];
      const goesOn = held.cancel({ running: false });
      gate.set();
      await held.wait();
      const failed = pool.applyAsync(fns.fail, []);
      await failed.wait();
      out([before, cancelled, goesOn, held.ready(), held.successful(), failed.successful(), calls, warned]);
      await pool.terminate();`);
    expect(got).toEqual([
      [false, 'ERR_MP_STATE', false, 'TimeoutError'],
      [true, false, 'AbortError'],
      false,
      true,
      true,
      false,
      ['AbortError', 'done'],
      ['a callback'],
    ]);
  });

  test('initializer and its arguments, worker state, currentTask()', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 2, initializer: fns.prepare, initargs: [1, { two: 2 }] });
      const slow = make({ processes: 1, initializer: fns.prepareLater, initargs: ['late'] });
      const tallies = await pool.map(fns.tally, Array(50).fill(0), { chunksize: 1 });
      out([await pool.broadcast(fns.prepared), await slow.apply(fns.prepared), (await pool.broadcast(fns.tally)).reduce((a, b) => a + b), tallies.length,
        mp.currentTask(), (await slow.apply(fns.task)), mp.workerState()]);
      await Promise.all([pool.terminate(), slow.terminate()]);`);
    expect(got).toEqual([
      [
        [1, { two: 2 }],
        [1, { two: 2 }],
      ],
      ['late'],
      52,
      50,
      null,
      ['number', 1, false],
      {},
    ]);
  });

  test('a worker runs several async tasks at once, and each knows which it is', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 1, concurrency: 4 }), now = new mp.Value('i', 0), most = new mp.Value('i', 0);
      await Promise.all(Array.from({ length: 12 }, () => pool.apply(fns.inFlight, [now, most, 20])));
      const ids = await Promise.all([3, 2, 1].map((ms) => pool.apply(fns.taskLater, [ms])));
      most.value = 0;
      await pool.starmap(fns.inFlight, Array.from({ length: 12 }, () => [now, most, 20]), { chunksize: 12 });
      out([most.value, ids.every(([a, b]) => a === b), new Set(ids.map(String)).size]);
      await pool.terminate();`);
    expect(got).toEqual([4, true, 3]);
  });

  test('shared arrays go by reference, in and out; large plain ones are whole', async () => {
    const got = await runJson(`${head}
      const pool = make(2), array = new mp.Array('i', 8);
      await pool.starmap(fns.fill, Array.from({ length: 8 }, (_, i) => [array, i, i * i]));
      const large = Float64Array.from({ length: 40_000 }, (_, i) => i), doubled = await pool.apply(fns.doubled, [large]);
      const made = await pool.apply(fns.shared, [1000]);
      out([[...array], doubled.length, doubled[39_999], made.length, made[999], made instanceof mp.Array]);
      await pool.terminate();`);
    expect(got).toEqual([[0, 1, 4, 9, 16, 25, 36, 49], 40_000, 79_998, 1000, 7, true]);
  });

  test('higher priorities first; a task behind a long one is not kept from an idle worker', async () => {
    const got = await runJson(`${head}
      const one = make(1), gate = new mp.Event(), started = new mp.Semaphore(0), order = [];
      const held = one.apply(fns.hold, [gate, started]);
      await started.acquire({ owned: false });
      const filler = Array.from({ length: 600 }, () => one.apply(fns.echo, [0]));
      const low = one.apply(fns.echo, [1], { priority: -1 }).then(() => order.push('low'));
      const high = one.apply(fns.echo, [1], { priority: 5 }).then(() => order.push('high'));
      filler.at(-1).then(() => order.push('filler'));
      gate.set();
      await Promise.all([held, low, high, ...filler]);

      const two = make(2), gate2 = new mp.Event();
      await two.ready();
      const long = two.apply(fns.hold, [gate2, started]);
      await started.acquire({ owned: false });
      const short = await Promise.all(Array.from({ length: 300 }, (_, i) => two.apply(fns.echo, [i])));
      gate2.set();
      await long;
      out([order, short.length]);
      await Promise.all([one.terminate(), two.terminate()]);`);
    expect(got).toEqual([['high', 'filler', 'low'], 300]);
  });

  test('broadcast reaches each worker once; resize, growth and idle workers', async () => {
    const got = await runJson(`${head}
      const pool = make({ min: 1, max: 4, idleTimeout: 50 });
      await pool.ready();
      const small = pool.stats().workers, gate = new mp.Event(), started = new mp.Semaphore(0);
      const held = Array.from({ length: 4 }, () => pool.apply(fns.hold, [gate, started]));
      for (let i = 0; i < 4; i++) await started.acquire({ owned: false });
      const grown = pool.stats().workers, names = new Set(await (gate.set(), Promise.all(held)));
      await until(() => pool.stats().workers === 1);
      pool.resize(3);
      await pool.ready();
      const each = new Set(await pool.broadcast(fns.who));
      pool.resize({ min: 1, max: 1 });
      await until(() => pool.stats().workers === 1);
      out([small, grown, names.size, each.size, await pool.map(fns.square, [1, 2, 3])]);
      await pool.terminate();`);
    expect(got).toEqual([1, 4, 4, 3, [1, 4, 9]]);
  });

  test('progress is told after each chunk', async () => {
    const got = await runJson(`${head}
      const pool = make(2), seen = [];
      await pool.map(fns.square, [1, 2, 3, 4, 5], { chunksize: 2, onProgress: ({ done, total }) => seen.push([done, total]) });
      const unknown = [];
      await pool.map(fns.square, (function* () { yield 1; yield 2 })(), { chunksize: 1, onProgress: ({ done, total }) => unknown.push([done, total ?? null]) });
      const bar = await pool.map(fns.square, [1, 2], { progress: true, onProgress: () => { throw new Error('mine') } }).then(String);
      out([seen.length, seen.at(-1), unknown.at(-1)[0], bar]);
      await pool.terminate();`);
    expect(got).toEqual([3, [5, 5], 2, '1,4']);
  });

  test('the end: close and join finish what was handed in, terminate does not; an idle pool keeps nobody', async () => {
    const got = await runJson(`${head}
      const pool = make(2);
      const results = Array.from({ length: 500 }, (_, i) => pool.apply(fns.echo, [i]));
      const early = (await told(pool.join()))[1];
      pool.close(); pool.close();
      const after = thrown(() => pool.apply(fns.echo, [1]));
      await pool.join();
      const all = (await Promise.all(results)).length;
      const other = make(2);
      await other.ready();
      const pids = other.pids, gate = new mp.Event();
      const held = [1, 2, 3].map(() => told(other.apply(fns.hold, [gate])));
      await other.terminate(); await other.terminate();
      const ends = (await Promise.all(held)).map(([name]) => name);
      const idle = make(1);
      await idle.apply(fns.echo, [1]);
      out([early, after[1], all, ends, ${JSON.stringify(ground)} === 'threads' || pids.every((pid) => !alive(pid)), String(await other.join())]);`);
    expect(got).toEqual([
      'ERR_MP_RUNNING',
      'ERR_MP_STATE',
      500,
      ['ClosedError', 'ClosedError', 'ClosedError'],
      true,
      'undefined',
    ]);
  });
});

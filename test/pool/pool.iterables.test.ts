// Maps over inputs of every kind: how they are pulled, how they end, and what is said of their items.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { forEachPool, head as headOf } from '../support/pools.js';

const helpers = `
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const within = (promise, ms = 8000) => Promise.race([promise, new Promise((_, reject) => setTimeout(reject, ms, new Error("never")).unref())]);
const range = function* (n) { for (let i = 0; i < n; i++) yield i };
const slowly = async function* (n, ms) { for (let i = 0; i < n; i++) { await sleep(ms); yield i } };
const collect = async (results, into = []) => { for await (const x of results) into.push(x); return into };
`;
const processes = headOf('new mp.Pool(options)') + helpers;

forEachPool(
  ({ runJson, head }) => {
    test('close() lets maps that still pull finish, and join() waits for them', async () => {
      const got = await runJson(`${head}${helpers}
        const pool = make(1);
        const mapped = pool.map(fns.square, slowly(5, 30)), taken = pool.imap(fns.square, range(20), { buffer: 2 });
        const first = await taken.next();
        pool.close();
        const refused = thrown(() => pool.imap(fns.square, [1]))[1];
        const joined = within(pool.join()).then(() => 'joined');
        const rest = within(collect(taken));
        out([first.value, refused, await within(mapped), (await rest).length, await joined]);`);
      expect(got).toEqual([0, 'ERR_MP_STATE', [0, 1, 4, 9, 16], 19, 'joined']);
    });

    test('close() while a map pulls: a pool that had no worker yet has one', async () => {
      const got = await runJson(`${head}${helpers}
        const pool = make({ min: 0, max: 2 }), mapped = pool.map(fns.square, slowly(3, 20));
        pool.close();
        out([await within(mapped), String(await within(pool.join()))]);`);
      expect(got).toEqual([[0, 1, 4], 'undefined']);
    });

    test('terminate(), or a broken pool, ends maps over endless inputs and closes those', async () => {
      const got = await runJson(`${head}${helpers}
        const closed = [], ends = [];
        let pulled = 0;
        const endless = function* () { try { for (;;) { pulled++; yield 1 } } finally { closed.push('sync') } };
        const endlessLater = async function* () { try { for (;;) { pulled++; await sleep(1); yield 1 } } finally { closed.push('async') } };
        const pool = make(1);
        const maps = [pool.map(fns.square, endless(), { chunksize: 1 }), pool.map(fns.square, endlessLater())].map((p) => told(p));
        const taken = pool.imap(fns.square, endlessLater());
        await taken.next();
        await sleep(50);
        await pool.terminate();
        const before = pulled;
        await sleep(50);
        for (const [name] of await within(Promise.all([...maps, told(taken.next())]))) ends.push(name);
        const more = pulled - before;
        pulled = 0;
        const broken = make({ processes: 1, initializer: fns.failToPrepare });
        ends.push((await within(told(broken.map(fns.square, endless(), { chunksize: 1 }))))[2]);
        out([ends, more, closed.sort(), pulled < 100]);
        await broken.terminate();`);
      expect(got).toEqual([
        ['ClosedError', 'ClosedError', 'ClosedError', 'cannot prepare'],
        0,
        ['async', 'async', 'sync', 'sync'],
        true,
      ]);
    });

    test('no more items run at once than concurrency says, whatever the chunks', async () => {
      const got = await runJson(`${head}
        const pool = make({ processes: 1, concurrency: 4 }), now = new mp.Value('i', 0), most = new mp.Value('i', 0), peaks = [];
        for (const chunksize of [1, 3, 8, 32]) {
          most.value = 0;
          const ran = pool.starmap(fns.inFlight, Array.from({ length: 32 }, () => [now, most, 10]), { chunksize });
          const beside = Array.from({ length: 4 }, () => pool.apply(fns.inFlight, [now, most, 10]));
          await Promise.all([ran, ...beside]);
          peaks.push(most.value);
        }
        const ids = await pool.map(fns.taskLater, Array(24).fill(2), { chunksize: 6 });
        out([peaks, ids.every(([a, b]) => a === b), new Set(ids.map(String)).size]);
        await pool.terminate();`);
      expect(got).toEqual([[4, 4, 4, 4], true, 4]);
    });
  },
  ['forkserver', 'threads'],
);

test('imap gives what is there while the input is silent, never asks it twice, and heeds timeout and signal', async () => {
  const got = await runJson(`${processes}
    const pool = make(2), lead = [];
    await pool.ready();
    for (const name of ['imap', 'imapUnordered']) {
      // The next item comes when the result of the one before has been taken.
      let taken = () => undefined;
      const input = async function* () { for (let i = 0; i < 8; i++) { const goOn = new Promise((resolve) => (taken = resolve)); yield i; await goOn } };
      await within((async () => { for await (const x of pool[name](fns.echo, input())) { lead.push(x); taken() } })());
    }
    let asked = 0, most = 0;
    const counted = { [Symbol.asyncIterator]: () => { let i = 0; return { async next() { most = Math.max(most, ++asked); await sleep(5); asked--; return { value: i, done: i++ === 20 } } } } };
    const all = await collect(pool.imap(fns.square, counted));
    const silent = async function* () { yield 1; yield 2; await new Promise(() => undefined) };
    const late = [], ended = [], c = new AbortController();
    const keep = setInterval(() => undefined, 1000);
    const one = (await within(told(collect(pool.imap(fns.square, silent(), { timeout: 1500 }), late))))[0];
    const two = (await within(told((async () => { for await (const x of pool.imapUnordered(fns.square, silent(), { signal: c.signal })) if (ended.push(x) === 2) setTimeout(() => c.abort(new Error('enough')), 10) })())))[2];
    const left = pool.imap(fns.square, silent());
    await left.next(); await left.next();
    const pending = left.next();
    await within(left.return());
    clearInterval(keep);
    out([lead.length, all.length, most, one, late, two, ended, await within(pending)]);
    await pool.terminate();`);
  expect(got).toEqual([16, 20, 1, 'TimeoutError', [1, 4], 'enough', [1, 4], { done: true }]);
});

test('imap keeps to its buffer, also with chunks; what came in time is given', async () => {
  const got = await runJson(`${processes}
    const pool = make(2), leads = [];
    for (const [buffer, chunksize] of [[1, 1], [5, 1], [6, 2], [1, 4]]) {
      let pulled = 0, taken = 0, most = 0;
      const input = function* () { for (; pulled < 40;) { most = Math.max(most, pulled + 1 - taken); yield pulled++ } };
      for await (const x of pool.imap(fns.echo, input(), { buffer, chunksize })) { taken++; if (x % 7 === 0) await sleep(2) }
      leads.push(most <= Math.max(buffer, chunksize) + 1);
    }
    const kept = pool.imap(fns.echo, range(50), { buffer: Infinity, timeout: 5000 });
    const timed = pool.imap(fns.later, [1, 1, 60_000], { timeout: 1500 });
    await sleep(1800);
    const some = [];
    const end = (await told(collect({ [Symbol.asyncIterator]: () => timed }, some)))[0];
    pool.close();
    await pool.join();
    out([leads, (await collect(kept)).length, some.length, end]);`);
  expect(got).toEqual([Array(4).fill(true), 50, 2, 'TimeoutError']);
});

test('results before an error of the input, or of an item, come first', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), ends = [];
    const bad = function* () { yield 1; yield 2; yield 3; throw new RangeError('the input') };
    const badLater = async function* () { yield* bad() };
    for (const name of ['imap', 'imapUnordered']) for (const input of [bad, badLater]) for (const chunksize of [1, 2, 5]) {
      const some = [];
      ends.push([(await told(collect(pool[name](fns.square, input(), { chunksize }), some)))[2], String(some)]);
    }
    const some = [];
    const failed = (await told(collect(pool.imap(fns.failAt, range(9), { chunksize: 9 }), some)))[2];
    const mapped = (await told(pool.map(fns.square, bad())))[2];
    out([new Set(ends.map(String)).size, ends[0], failed, some, mapped]);
    await pool.terminate();`);
  expect(got).toEqual([1, ['the input', '1,4,9'], 'item 3', [0, 1, 2], 'the input']);
});

test('closing an input that runs, or throws, keeps nothing back', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), ends = [], warned = [];
    process.on('warning', ({ message }) => warned.push(message));
    for (const at of [100, 6000]) {
      const c = new AbortController(), closed = [];
      const aborting = function* () { try { for (let i = 0; i < 1e5; i++) { if (i === at) c.abort(new Error('enough')); yield i } } finally { closed.push(at) } };
      ends.push((await within(told(pool.map(fns.square, aborting(), { signal: c.signal }))))[2], closed);
    }
    const stubborn = function* () { try { for (;;) yield 20 } finally { throw new Error('finally') } };
    const stubbornLater = async function* () { try { for (;;) yield 20 } finally { throw new Error('finally later') } };
    const c = new AbortController();
    setTimeout(() => c.abort(new Error('over')), 100);
    ends.push((await within(told(pool.map(fns.busy, stubborn(), { signal: c.signal }))))[2]);
    ends.push((await within(told(pool.map(fns.busy, stubbornLater(), { timeout: 100 }))))[0]);
    for await (const x of pool.imap(fns.busy, stubborn())) break;
    await sleep(20);
    out([ends, warned]);
    await pool.terminate();`);
  expect(got).toEqual([
    ['enough', [100], 'enough', [6000], 'over', 'TimeoutError'],
    ['finally', 'finally later', 'finally'],
  ]);
});

test('signals: one aborted between the call and the first result, one that many share; timeout 0', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), warned = [];
    process.on('warning', ({ message }) => warned.push(message));
    const c = new AbortController(), results = pool.imap(fns.square, [1, 2, 3], { signal: c.signal });
    c.abort(new Error('at once'));
    const missed = (await told(collect(results)))[2];
    const before = (await told((async () => collect(pool.imap(fns.square, [1], { signal: c.signal })))()))[2];
    const shared = new AbortController();
    const many = Array.from({ length: 20 }, () => pool.imap(fns.square, [1, 2], { signal: shared.signal }));
    const sum = (await Promise.all(many.map((one) => collect(one)))).flat().length;
    const options = { timeout: 0 };
    const zero = await Promise.all([pool.apply(fns.later, [500], options), pool.map(fns.later, [500], options), pool.imap(fns.later, [500], options).next()].map(async (p) => (await told(p))[0]));
    await sleep(20);
    out([missed, before, sum, zero, warned]);
    await pool.terminate();`);
  expect(got).toEqual(['at once', 'at once', 40, Array(3).fill('TimeoutError'), []]);
});

test('an onProgress that throws, at once or later, is a warning', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), warned = [];
    process.on('warning', ({ message }) => warned.push(message));
    const all = [await pool.map(fns.square, [2], { onProgress: async () => { throw new Error('later') } }), await pool.map(fns.square, [3], { onProgress: () => { throw new Error('at once') } })];
    await sleep(20);
    out([all, warned]);
    await pool.terminate();`);
  expect(got).toEqual([
    [[4], [9]],
    ['later', 'at once'],
  ]);
});

test('items that fail, run or not, keep no others from being done', async () => {
  const got = await runJson(`${processes}
    const pool = make(2), ran = new mp.Value('i', 0), ends = [];
    const items = Array.from({ length: 40 }, (_, i) => [ran, i]);
    for (const fn of [fns.countAndFail, fns.countAndFailLater]) for (const chunksize of [1, 7, 40]) {
      ran.value = 0;
      ends.push([(await told(pool.starmap(fn, items, { chunksize })))[2], ran.value]);
    }
    ran.value = 0;
    const bad = items.map((item, i) => (i === 5 || i === 30 ? [ran, () => 1] : [ran, 1]));
    const refused = [(await told(pool.starmap(fns.count, bad, { chunksize: 20 })))[2].slice(0, 26), ran.value];
    const endless = (await within(told(pool.map(fns.echo, (function* () { for (;;) yield () => 1 })(), { timeout: 50 }))))[0];
    out([new Set(ends.map(String)).size, ends[0], refused, endless]);
    await pool.terminate();`);
  expect(got).toEqual([1, ['item 3', 40], ['items[5][1] is a function:', 38], 'TimeoutError']);
});

test('an aborted chunk does not begin its other items', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), started = new mp.Semaphore(0), heard = new mp.Value('i', 0), [pid] = pool.pids;
    const c = new AbortController(), mapped = told(pool.starmap(fns.heed, Array(9).fill([heard, started]), { chunksize: 9, signal: c.signal }));
    await started.acquire({ owned: false });
    c.abort(new Error('over'));
    const end = (await mapped)[2];
    await pool.apply(fns.echo, [1]);
    out([end, started.tryAcquire({ owned: false }), pool.pids[0] === pid]);
    await pool.terminate();`);
  expect([got[0], got[1] === null || got[1] === false, got[2]]).toEqual(['over', true, true]);
});

test('what cannot be cloned is named by its index in the input', async () => {
  const got = await runJson(`${processes}
    const pool = make(2), xs = Array.from({ length: 10 }, (_, i) => (i === 7 ? { fn: () => 1 } : i)), names = [];
    const name = async (promise) => names.push((await told(promise))[2].split(':')[0]);
    for (const chunksize of [1, 3, 10]) {
      await name(pool.map(fns.echo, xs, { chunksize }));
      await name(collect(pool.imap(fns.echo, xs, { chunksize })));
      await name(pool.map(fns.functionAt, [...range(10)], { chunksize }));
      await name(pool.starmap(fns.echo, xs.map((x) => [x]), { chunksize }));
    }
    const some = [];
    await told(collect(pool.imap(fns.functionAt, range(10), { chunksize: 10 }), some));
    const initargs = [{ fn: () => 1 }];
    out([names, some, thrown(() => make({ initializer: fns.prepare, initargs }))[2].split(':')[0], thrown(() => make({ min: 0, initializer: fns.prepare, initargs: 5 }))[2]]);
    await pool.terminate();`);
  const one = ['items[7].fn', 'items[7].fn', 'results[7].fn', 'items[7][0].fn'].map(
    (at) => `${at} is a function`,
  );
  expect(got).toEqual([
    [...one, ...one, ...one],
    [0, 1, 2, 3, 4, 5, 6],
    'initargs[0].fn is a function',
    'new Pool(): initargs must be a list, not 5',
  ]);
});

test('no more is taken ahead than some chunks for each worker', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), gate = new mp.Event(), taken = [];
    for (const options of [{ chunksize: 1 }, { taskTimeout: 60_000 }]) for (const kind of ['sync', 'async']) {
      let n = 0;
      const c = new AbortController(), sync = function* () { for (;;) { n++; yield gate } }, later = async function* () { yield* sync() };
      const mapped = told(pool.map(fns.holdLater, kind === 'sync' ? sync() : later(), { ...options, signal: c.signal }));
      await sleep(150);
      taken.push(n);
      c.abort(new Error('enough'));
      await mapped;
    }
    out(taken);
    await pool.terminate();`);
  expect(Math.max(...got)).toBeLessThanOrEqual(12);
});

test('options that a call does not take, or that are none, are errors with a code', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), f = fns.square;
    const wrong = [
      () => pool.map(f, [1], { chunkSize: 1 }), () => pool.map(f, [1], { buffer: 1 }), () => pool.map(f, [1], { callback: f }), () => pool.apply(f, [1], { timeOut: 1 }), () => pool.apply(f, [1], { taskTimeout: 1 }),
      () => pool.applyAsync(f, [1], { chunksize: 1 }), () => pool.imap(f, [1], { progress: true }), () => pool.imap(f, [1], { onProgress: f }), () => pool.imap(f, [1], 10), () => pool.imap(f, [1], 'x'), () => pool.imapUnordered(f, [1], null),
      () => pool.apply(f, [1], null), () => pool.applyAsync(f, [1], null), () => pool.map(f, [1], null), () => pool.mapAsync(f, [1], { buffer: 1 }), () => pool.resize(), () => pool.resize(null), () => pool.resize({ max: 1 }),
      () => pool.resize({ min: 1, max: 1, processes: 1 }), () => pool.map(f, { length: 1, 0: 1 }),
    ].map((call) => thrown(call)[1]);
    const later = await pool.mapAsync(f, [3], { callback: () => 1, errorCallback: () => 1, chunksize: 1, timeout: 60_000 });
    out([new Set(wrong).size, wrong[0], thrown(() => pool.map(f, [1], { chunkSize: 1 }))[2], later]);
    await pool.terminate();`);
  expect(got).toEqual([
    1,
    'ERR_MP_TYPE',
    'Pool.map(): there is no option "chunkSize"; there are timeout, signal, priority, chunksize, taskTimeout, onProgress, progress',
    [9],
  ]);
});

test('the executor: workers as needed, inputs lazily and in step, at the call', async () => {
  const got = await runJson(`${processes}
    const executors = [new mp.ProcessPoolExecutor(), new mp.ProcessPoolExecutor({ processes: 3 }), new mp.ProcessPoolExecutor(2)];
    const workers = mp.activeChildren().length, [executor] = executors, ends = [];
    let pulled = 0;
    const endless = function* (name) { try { for (let i = 0; ; i++) { pulled++; yield i } } finally { ends.push(name) } };
    const bounded = executor.map(fns.square, endless('alone'), { buffersize: 4 });
    const first = [];
    for await (const x of bounded) { first.push(x); if (first.length === 3) break }
    const lead = pulled <= 3 + 4;
    const shortest = await collect(executor.map(fns.add, endless('zipped'), [10, 20, 30], { buffersize: 2 }));
    const ran = new mp.Value('i', 0);
    const atOnce = executor.map(fns.count, Array(30).fill(ran));
    await until(() => ran.value === 30);
    const unread = executor.map(fns.square, endless('cancelled'));
    await unread.next();
    await within(Promise.all([executor.shutdown({ cancelFutures: true }), ...executors.slice(1).map((e) => e.shutdown())]));
    const cancelled = (await told(collect(unread)))[0];
    out([workers, first, lead, shortest, (await collect(atOnce)).length, cancelled, ends, thrown(() => new mp.ProcessPoolExecutor(0))[2].split(':')[0], thrown(() => executor.map(fns.square, 5))[1],
      thrown(() => executor.map(fns.square, [1], { bufferSize: 1 }))[1], mp.activeChildren().length]);`);
  expect(got).toEqual([
    0,
    [0, 1, 4],
    true,
    [10, 21, 32],
    30,
    'AbortError',
    ['alone', 'zipped', 'cancelled'],
    'new ProcessPoolExecutor()',
    'ERR_MP_TYPE',
    'ERR_MP_TYPE',
    0,
  ]);
});

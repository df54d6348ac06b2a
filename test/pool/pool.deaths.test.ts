// Workers that fail and die: each task ends, the right way, and the pool has its full strength again.
import { expect, test } from 'vitest';
import { runScript, scriptFile } from '../support/child.js';
import { forEachPool, head as plainHead } from '../support/pools.js';

forEachPool(
  ({ runJson, head }) => {
    test('an error is the one that was thrown, with where', async () => {
      const got = await runJson(`${head}
      const pool = make(1);
      const e = await failure(pool.apply(fns.fail, ['it']));
      const path = [(await told(pool.apply(fns.echo, [{ list: [1, { on: Symbol('x') }] }])))[2], (await told(pool.apply(fns.notCloneable)))[2]];
      out([e instanceof fns.Failure, e.detail, /pool\\.mjs/.test(e.stack), e.cause?.name, /thrown by fail\\(\\) in .*Worker-1 \\(pid \\d+\\)/.test(e.cause?.message), /pool\\.mjs/.test(e.cause?.stack), path]);
      await pool.terminate();`);
      expect(got).toEqual([
        true,
        { why: ['so'] },
        true,
        'RemoteError',
        true,
        true,
        [expect.stringContaining('args[0].list[1].on'), expect.stringContaining('result.deep[1].fn')],
      ]);
    });

    test('items of a map that fail: the others are done, and the first one is thrown', async () => {
      const got = await runJson(`${head}
      const pool = make(2), sum = new mp.Value('i', 0);
      const first = await told(pool.map(fns.failOdd, [0, 2, 4, 5, 6, 7, 8], { chunksize: 1 }));
      const all = await told(pool.starmap(fns.countAll, [[sum, 1], [sum, 2], [null, 0], [sum, 3]], { chunksize: 1 }));
      const input = await told(pool.map(fns.echo, (function* () { yield 1; throw new RangeError('the input') })()));
      const inputLater = await told(pool.map(fns.echo, (async function* () { yield 1; throw new RangeError('the input later') })()));
      const some = [];
      const imapped = await told((async () => { for await (const x of pool.imap(fns.failAt, [1, 2, 3, 4])) some.push(x) })());
      const unordered = await told((async () => { for await (const x of pool.imapUnordered(fns.failAt, [3])) some.push(x) })());
      out([first, all[0], sum.value, input, inputLater, some, imapped, unordered, await pool.apply(fns.echo, [1])]);
      await pool.terminate();`);
      expect(got).toEqual([
        ['RangeError', null, 'item 5'],
        'TypeError',
        6,
        ['RangeError', null, 'the input'],
        ['RangeError', null, 'the input later'],
        [1, 2],
        ['RangeError', null, 'item 3'],
        ['RangeError', null, 'item 3'],
        1,
      ]);
    });

    test('an initializer that fails breaks the pool at once, with its error', async () => {
      const got = await runJson(`${head}
      const pool = make({ processes: 3, initializer: fns.failToPrepare });
      const e = await failure(pool.apply(fns.echo, [1])), later = thrown(() => pool.apply(fns.echo, [1])), ready = (await told(Promise.resolve().then(() => pool.ready())))[2];
      await until(() => pool.stats().workers === 0);
      const exits = make({ processes: 1, initializer: fns.exitInstead });
      const exited = await failure(exits.apply(fns.echo, [1]));
      out([e.message, e instanceof Error, later[2], ready, pool.stats().started, exited.name, exited.exitCode, exits.stats().started <= 5]);
      await Promise.all([pool.terminate(), exits.terminate()]);`);
      expect(got).toEqual([
        'cannot prepare',
        true,
        'cannot prepare',
        'cannot prepare',
        3,
        'WorkerDiedError',
        4,
        true,
      ]);
    });

    test('timeouts and signals: what has not begun is dropped, what runs hears of it, what does not heed is replaced', async () => {
      const got = await runJson(`${head}
      const pool = make({ processes: 1, grace: 100 }), gate = new mp.Event(), started = new mp.Semaphore(0), heard = new mp.Value('i', 0), ran = new mp.Value('i', 0);
      const control = new AbortController();
      const heeding = told(pool.apply(fns.heed, [heard, started], { signal: control.signal }));
      await started.acquire({ owned: false });
      const dropped = told(pool.apply(fns.count, [ran], { timeout: 20 }));
      const inLine = Array.from({ length: 400 }, () => told(pool.apply(fns.count, [ran], { signal: control.signal })));
      const late = await dropped;
      control.abort(new Error('enough'));
      const heeded = await heeding, gone = (await Promise.all(inLine)).filter(([, , message]) => message === 'enough').length;
      const next = await pool.apply(fns.echo, ['next']);

      const stubborn = told(pool.apply(fns.hold, [gate, started], { timeout: 200 }));
      await started.acquire({ owned: false });
      const [name] = await stubborn, before = pool.stats().started;
      const after = await pool.apply(fns.echo, ['after']);
      const aborted = await told(pool.apply(fns.count, [ran], { signal: AbortSignal.abort('no') }));
      const tooLong = await told(pool.map(fns.holdLater, [gate], { taskTimeout: 50 }));
      const whole = await told(pool.map(fns.holdLater, [gate, gate], { timeout: 50 }));
      out([late[0], heeded[2], gone, ran.value, heard.value, next, name, after, pool.stats().started > before, aborted[2], tooLong[2], whole[0]]);
      await pool.terminate();`);
      expect(got).toEqual([
        'TimeoutError',
        'enough',
        400,
        0,
        1,
        'next',
        'TimeoutError',
        'after',
        true,
        'no',
        'holdLater() ran longer than 50 ms',
        'TimeoutError',
      ]);
    });

    test('maxTasksPerChild replaces workers, and loses nothing; a chunk counts as one', async () => {
      const got = await runJson(`${head}
      const pool = make({ processes: 2, maxTasksPerChild: 10 });
      const results = await Promise.all(Array.from({ length: 200 }, (_, i) => pool.apply(fns.echo, [i])));
      const mapped = await pool.map(fns.square, Array.from({ length: 100 }, (_, i) => i), { chunksize: 50 });
      out([results.every((r, i) => r === i), mapped.length, pool.stats().started >= 20]);
      pool.close();
      await pool.join();`);
      expect(got).toEqual([true, 100, true]);
    });
  },
  ['forkserver', 'fork', 'threads'],
);

forEachPool(
  ({ runJson, head }) => {
    test('a dead worker fails what it had started, and nothing else', async () => {
      const got = await runJson(`${head}
        const pool = make(2), gate = new mp.Event(), started = new mp.Semaphore(0);
        const held = [0, 1].map(() => failure(pool.apply(fns.hold, [gate, started])));
        for (let i = 0; i < 2; i++) await started.acquire({ owned: false });
        const queued = Array.from({ length: 600 }, (_, i) => pool.apply(fns.echo, [{ i, large: i === 7 ? new Float64Array(20_000).fill(i) : null }]));
        for (const pid of pool.pids) process.kill(pid, 'SIGKILL');
        const ends = await Promise.all(held), results = await Promise.all(queued);
        out([ends.map((e) => [e.name, e.signal, e.task.name, pool.pids.includes(e.pid)]), results.every(({ i }, n) => i === n), results[7].large[19_999], pool.stats().workers]);
        gate.set();
        await pool.terminate();`);
      expect(got).toEqual([Array(2).fill(['WorkerDiedError', 'SIGKILL', 'hold', false]), true, 7, 2]);
    });

    test('a stopped worker keeps what it runs; the others take what is queued behind', async () => {
      const got = await runJson(`${head}
        const pool = make(2);
        await pool.ready();
        const [stopped] = pool.pids;
        process.kill(stopped, 'SIGSTOP');
        const results = Array.from({ length: 100 }, (_, i) => pool.apply(fns.who).catch((e) => e.signal));
        await until(() => pool.stats().completed >= 99);
        process.kill(stopped, 'SIGKILL');
        const all = await Promise.all(results);
        out([all.length, all.filter((r) => r === 'SIGKILL').length <= 1, all.includes(String(stopped) + ':0')]);
        await pool.terminate();`);
      expect(got).toEqual([100, true, false]);
    });

    test('maxMemoryPerChild replaces a worker after its task', async () => {
      const got = await runJson(`${head}
        const pool = make({ processes: 1, maxMemoryPerChild: 200 << 20 });
        const pids = new Set();
        for (let i = 0; i < 12; i++) pids.add(await pool.apply(fns.grow, [60 << 20]));
        out([pids.size >= 3, pids.size <= 12, await pool.apply(fns.echo, [1])]);
        await pool.terminate();`);
      expect(got).toEqual([true, true, 1]);
    });

    test('a broadcast to a worker that dies says so; the others answer', async () => {
      const got = await runJson(`${head}
        const pool = make(2), turn = new mp.Value('i', 0);
        await pool.ready();
        const e = await failure(pool.broadcast(fns.dieOnce, turn));
        out([e.name, e.signal, (await pool.broadcast(fns.echo, 1)).length >= 1]);
        await pool.terminate();`);
      expect(got).toEqual(['WorkerDiedError', 'SIGKILL', true]);
    });

    test('a worker may have a pool of its own', async () => {
      const got = await runJson(`${head}
        const pool = make(2);
        out(await pool.map(fns.nested, [2, 3], { chunksize: 1 }));
        await pool.terminate();`);
      expect(got).toEqual([4, 9]);
    });
  },
  ['forkserver', 'fork'],
);

test('a parent that is killed leaves no worker, busy or idle', async () => {
  const file = scriptFile(`${plainHead('new mp.Pool(options)')}
    const pool = make(3), gate = new mp.Event(), started = new mp.Semaphore(0);
    const held = [pool.apply(fns.hold, [gate, started]), pool.apply(fns.busy, [60_000])];
    await started.acquire({ owned: false });
    console.log(JSON.stringify(pool.pids));
    setInterval(() => {}, 1000);`);
  const end = await runScript(`
    import { spawn } from 'node:child_process';
    const child = spawn(process.execPath, [${JSON.stringify(file)}], { stdio: ['ignore', 'pipe', 'inherit'] });
    const text = await new Promise((resolve) => child.stdout.once('data', (d) => resolve(String(d))));
    const pids = JSON.parse(text);
    child.kill('SIGKILL');
    const since = performance.now();
    const alive = (pid) => { try { process.kill(pid, 0); return true } catch { return false } };
    while (pids.some(alive)) { if (performance.now() - since > 10_000) throw new Error('they live'); await new Promise((r) => setTimeout(r, 5)) }
    console.log(pids.length);`);
  expect(end.stdout.trim()).toBe('3');
});

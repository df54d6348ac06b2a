// Where pools are, and what happens around them: threads, terminals, other processes that die.
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { describe, eventually, isRunning, runJson, scriptFile } from '../support/child.js';
import { forEachPool, head as headOf } from '../support/pools.js';
import { inTerminal } from '../support/terminal.js';

forEachPool(
  ({ ground, head, runJson }) => {
    // With a pool in the main thread as well, workers that are processes cannot be started in another: ERR_MP_PRELOAD.
    test('a pool in a worker thread; the thread may end before it', async () => {
      const file = (source: string): string =>
        scriptFile(`${head}
        import { parentPort } from 'node:worker_threads';
        ${source}`);
      const whole = file(`
        const pool = make(2);
        parentPort.postMessage([await pool.map(fns.square, [1, 2, 3]), (await failure(pool.apply(fns.exit, [3]))).exitCode, await pool.apply(fns.echo, ['on']), pool.pids]);
        await pool.terminate();`);
      const leaves = file(`
        const pool = make(2), started = new mp.Semaphore(0);
        pool.apply(fns.hold, [new mp.Event(), started]).catch(() => {});
        await started.acquire({ owned: false });
        parentPort.postMessage(pool.pids);
        process.exit();`);
      const got = await runJson(`${head}
        import { Worker } from 'node:worker_threads';
        const run = (file) => new Promise((resolve, reject) => {
          let said;
          new Worker(file).on('message', (m) => (said = m)).on('error', reject).on('exit', () => resolve(said));
        });
        const [squares, code, on, pids] = await run(${JSON.stringify(whole)});
        const left = await run(${JSON.stringify(leaves)});
        const own = ${JSON.stringify(ground)} === 'threads';
        if (!own) await until(() => ![...pids, ...left].some(alive));
        out([squares, code, on, left.length]);`);
      expect(got).toEqual([[1, 4, 9], 3, 'on', 2]);
    });
  },
  ['forkserver', 'spawn', 'threads'], // no thread can be forked
);

forEachPool(
  ({ head, runScript, env, launcher }) => {
    test('a parent that is killed leaves nothing of pools within pools', async () => {
      const end = await runScript(`${head}
        const pool = make(2);
        await pool.ready();
        const below = (await Promise.all([1, 2].map(() => pool.apply(fns.nestedBusy, [1])))).flat();
        out([...pool.pids, ...below]);
        process.kill(process.pid, 'SIGKILL');`);
      const pids = JSON.parse(end.stdout) as number[];
      expect([end.signal, pids.length], describe(end)).toEqual(['SIGKILL', 6]);
      await eventually('all are gone', () => !pids.some(isRunning));
    });

    test('a progress bar in a terminal, whatever becomes of the map', async () => {
      const said = await inTerminal(
        `${head}
        const pool = make(2), control = new AbortController();
        await pool.map(fns.square, Array.from({ length: 20 }, (_, i) => i), { progress: true, chunksize: 5 });
        await pool.map(fns.later, (function* () { yield 1; yield 2 })(), { progress: true, chunksize: 1 });
        const failed = (await told(pool.map(fns.fail, [1, 2], { progress: true, chunksize: 1 })))[0];
        const aborted = pool.map(fns.later, Array(100).fill(10), { progress: true, chunksize: 1, signal: control.signal, onProgress: () => control.abort(new Error('enough')) });
        console.log('ends: ' + failed + ' ' + (await told(aborted))[2]);
        await pool.terminate();`,
        launcher,
        env,
      );
      expect(said).toMatch(/map square .*100 % \| 20 of 20/);
      expect(said).toMatch(/map later .*100 % \| 2 of 2/);
      expect(said).toMatch(/map fail /);
      expect(said).toMatch(/ends: Failure enough\nended 0\n$/);
      const count = (text: string): number => said.split(text).length - 1;
      expect(count('\x1b[?25h'), 'the cursor is shown again').toBe(count('\x1b[?25l'));
    });

    test('Ctrl-C ends a busy pool with its program, and nothing is printed', async () => {
      const said = await inTerminal(
        `${head}
        const pool = make(2), started = new mp.Semaphore(0);
        pool.apply(fns.hold, [new mp.Event(), started]);
        pool.apply(fns.holdLater, [new mp.Event(), started]);
        for (let i = 0; i < 2; i++) await started.acquire({ owned: false });
        console.log('press');`,
        launcher,
        env,
      );
      expect(said).toBe('press\n^Cended -2\n');
    });

    test('Ctrl-C in a program that listens is its own: tasks go on', async () => {
      const said = await inTerminal(
        `${head}
        const pressed = new Promise((resolve) => process.once('SIGINT', resolve));
        const pool = make(2), started = new mp.Semaphore(0), gate = new mp.Event();
        const held = [fns.hold, fns.holdLater].map((fn) => pool.apply(fn, [gate, started]));
        for (let i = 0; i < 2; i++) await started.acquire({ owned: false });
        console.log('press');
        await pressed;
        gate.set();
        const all = (await Promise.all(held)).length;
        await pool.terminate();
        console.log('done ' + all + ' ' + pool.stats().started);`,
        launcher,
        env,
      );
      expect(said).toBe('press\n^Cdone 2 2\nended 0\n');
    });
  },
  ['forkserver', 'spawn', 'fork'],
);

test('a forkserver that is killed under a pool: tasks go on, and a worker that dies is replaced by way of another one', async () => {
  const got = await runJson(
    `${headOf('new mp.Pool(options)')}
    import { readFileSync } from 'node:fs';
    const parentOf = (pid) => Number(/^PPid:\\t(\\d+)/m.exec(readFileSync('/proc/' + pid + '/status', 'latin1'))[1]);
    const pool = make(2), started = new mp.Semaphore(0), gate = new mp.Event();
    await pool.ready();
    const held = pool.apply(fns.hold, [gate, started]);
    await started.acquire({ owned: false });
    const server = parentOf(pool.pids[0]);
    process.kill(server, 'SIGKILL');
    await until(() => !alive(server));
    const results = await pool.map(fns.square, [1, 2, 3]);
    const died = await failure(pool.apply(fns.die));
    const on = await pool.map(fns.square, [4, 5]);
    await pool.ready();
    const servers = new Set(pool.pids.map(parentOf));
    gate.set();
    out([server !== process.pid, results, died.name, on, pool.stats().workers, servers.has(server), (await held).length > 0]);
    await pool.terminate();`,
    { env: { MULTIPROC_START_METHOD: 'forkserver' } },
  );
  expect(got).toEqual([true, [1, 4, 9], 'WorkerDiedError', [16, 25], 2, false, true]);
});

forEachPool(
  ({ ground, head, runJson }) => {
    test('workers have the environment, directory and arguments of the options', async () => {
      const cwd = realpathSync(tmpdir());
      const got = await runJson(`${head}
        const pool = make({ processes: 1, env: { POOL_TEST: 'mine' }, cwd: ${JSON.stringify(cwd)} });
        const first = await pool.apply(fns.surroundings);
        await failure(pool.apply(fns.die));
        const second = await pool.apply(fns.surroundings);
        const flags = ${JSON.stringify(ground)} === 'spawn' ? make({ processes: 1, execArgv: ['--expose-gc'] }) : null;
        out([first, second, flags && await flags.apply(fns.surroundings)]);
        await Promise.all([pool.terminate(), flags?.terminate()]);`);
      const [first, second, flags] = got as Record<string, unknown>[];
      expect(first).toMatchObject({ env: 'mine', cwd, path: null });
      expect(second).toEqual(first);
      if (ground === 'spawn') expect(flags).toMatchObject({ execArgv: ['--expose-gc'], gc: 'function' });
    });
  },
  ['forkserver', 'spawn', 'fork'],
);

forEachPool(({ head, runJson }) => {
  test('who waits for ready() before each task hands in no more than there is room for', async () => {
    const got = await runJson(`${head}
      const pool = make(2), results = [];
      let most = 0;
      for (let i = 0; i < 3000; i++) {
        await pool.ready();
        results.push(pool.apply(fns.echo, [i]));
        most = Math.max(most, pool.stats().queued);
      }
      const same = (await Promise.all(results)).every((x, i) => x === i);
      // Of long tasks, no more than some for each worker: one has room for many only when they have been short.
      const fresh = make(2), gate = new mp.Event(), held = [];
      let handed = 0;
      const handing = (async () => { for (; handed < 500; handed++) { await fresh.ready(); held.push(fresh.apply(fns.holdLater, [gate])) } })();
      await new Promise((r) => setTimeout(r, 300));
      const before = handed;
      gate.set();
      await handing;
      await Promise.all(held);
      out([same, most, before, handed]);
      await Promise.all([pool.terminate(), fresh.terminate()]);`);
    const [same, most, before, handed] = got as [boolean, number, number, number];
    expect([same, handed]).toEqual([true, 500]);
    expect(most).toBeLessThanOrEqual(512);
    expect(before).toBeLessThanOrEqual(32);
  });

  test('resize() with more room than there are workers ends none of them', async () => {
    const got = await runJson(`${head}
      const pool = make(3);
      await pool.ready();
      pool.resize({ min: 1, max: 4 });
      await new Promise((r) => setTimeout(r, 200));
      out([pool.stats().workers, pool.stats().started]);
      await pool.terminate();`);
    expect(got).toEqual([3, 3]);
  });
});

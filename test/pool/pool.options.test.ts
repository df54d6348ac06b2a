// Options, bad input, and what a pool tells of itself.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runJson, runScript } from '../support/child.js';
import { head } from '../support/pools.js';

const processes = head('new mp.Pool(options)');

test('wrong options are errors at the call, and start nothing', async () => {
  const got = await runJson(`${processes}
    const tried = [0, -1, 1.5, 5000, '2', null, [], { processes: 0 }, { max: 2, min: 3 }, { processes: 2, max: 3 }, { unknown: 1 }, { initializer: 1 }, { initargs: [1] },
      { maxTasksPerChild: 0 }, { maxTasksPerChild: '12' }, { maxMemoryPerChild: -1 }, { concurrency: 0 }, { grace: NaN }, { idleTimeout: 'x' }, { context: {} }, { trace: 1 },
      { trace: '/nowhere/run.json' }, { initializer: () => 1 }];
    out([tried.map((options) => thrown(() => make(options)).slice(0, 2)), mp.activeChildren().length, thrown(() => new mp.ThreadPool({ maxMemoryPerChild: 1e9 }))[0]]);`);
  const type = ['TypeError', 'ERR_MP_TYPE'];
  const range = ['RangeError', 'ERR_MP_RANGE'];
  expect(got).toEqual([
    [
      ...[range, range, range, range, type, type, type],
      ...[range, range, type, type, type, type],
      ...[range, type, range, range, range, type, type, type],
      ['Error', 'ENOENT'],
      ['MultiprocessingError', 'ERR_MP_FUNCTION'],
    ],
    0,
    'TypeError',
  ]);
});

test('wrong calls are errors at the call; the pool goes on', async () => {
  const got = await runJson(`${processes}
    const pool = make(1), local = () => 1;
    const wrong = [
      () => pool.apply(), () => pool.apply(5), () => pool.apply('square'), () => pool.apply(local), () => pool.apply(fns.echo, 5), () => pool.apply(fns.echo, [], { timeout: -1 }),
      () => pool.apply(fns.echo, [], { priority: 'high' }), () => pool.apply(fns.echo, [], { signal: {} }), () => pool.map(fns.echo, 5), () => pool.map(fns.echo, null), () => pool.map(fns.echo, [1], { chunksize: 0 }),
      () => pool.map(fns.echo, [1], { chunksize: -1 }), () => pool.map(fns.echo, [1], { chunksize: 1.5 }), () => pool.map(fns.echo, [1], { onProgress: 1 }), () => pool.map(fns.echo, [1], { progress: 1 }),
      () => pool.imap(fns.echo, [1], { buffer: 0 }), () => pool.imap(fns.echo, [1], { chunksize: 0 }), () => pool.resize(0), () => pool.resize('x'), () => pool.applyAsync(fns.echo, [1], { callback: 1 }),
      () => pool.apply({ module: 'no such package', export: 'x' }),
    ].map((call) => thrown(call)[1]);
    const later = [
      (await told(pool.starmap(fns.add, [[1, 2], 5])))[1], (await told(pool.apply({ module: '/nowhere/at/all.mjs', export: 'x' })))[1],
      (await told(pool.apply({ module: new URL('${new URL('../fixtures/pool.mjs', import.meta.url).href}'), export: 'nothing' })))[1], (await told(pool.broadcast(local)))[1],
    ];
    out([wrong, later, await pool.apply(fns.echo, ['on'])]);
    await pool.terminate();`);
  expect(got).toEqual([
    [
      ...['ERR_MP_TYPE', 'ERR_MP_TYPE', 'ERR_MP_TYPE', 'ERR_MP_FUNCTION', 'ERR_MP_TYPE', 'ERR_MP_RANGE'],
      ...['ERR_MP_TYPE', 'ERR_MP_TYPE', 'ERR_MP_TYPE', 'ERR_MP_TYPE', 'ERR_MP_RANGE'],
      ...['ERR_MP_RANGE', 'ERR_MP_RANGE', 'ERR_MP_TYPE', 'ERR_MP_TYPE'],
      ...['ERR_MP_RANGE', 'ERR_MP_RANGE', 'ERR_MP_RANGE', 'ERR_MP_TYPE', 'ERR_MP_TYPE', 'ERR_MP_FUNCTION'],
    ],
    ['ERR_MP_TYPE', 'ERR_MODULE_NOT_FOUND', 'ERR_MP_FUNCTION', 'ERR_MP_FUNCTION'],
    'on',
  ]);
});

test('what it tells: stats, diagnostics, a timeline', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'multiproc-'));
  const file = join(directory, 'run.json');
  try {
    const got = await runJson(`${processes}
      import { subscribe } from 'node:diagnostics_channel';
      const tasks = [], workers = [];
      subscribe('multiproc:pool:task', (m) => tasks.push([m.task, m.durationMs >= 0]));
      subscribe('multiproc:pool:worker', (m) => workers.push([m.what, m.exitCode, m.signal]));
      const pool = make({ processes: 2, trace: ${JSON.stringify(file)} });
      await pool.apply(fns.busy, [30]);
      await failure(pool.apply(fns.exit, [2]));
      await pool.map(fns.square, [1, 2, 3]);
      await pool.ready();
      const s = pool.stats();
      pool.close(); await pool.join();
      out([s.workers, s.busy, s.queued, s.running, s.completed, s.started, s.ended, s.utilisation > 0 && s.utilisation <= 1, s.latency.count > 0, s.latency.max >= 30e6, tasks, workers.filter(([w]) => w === 'ended')]);`);
    expect(got.slice(0, 10)).toEqual([2, 0, 0, 0, 5, 3, 1, true, true, true]);
    expect(got[10]).toEqual(['busy', 'exit', 'square', 'square', 'square'].map((name) => [name, true]));
    expect(got[11]).toContainEqual(['ended', 2, null]);
    const events = JSON.parse(readFileSync(file, 'utf8')) as {
      ph: string;
      name: string;
      dur: number;
      tid: number;
    }[];
    const ran = events.filter(({ ph }) => ph === 'X');
    expect(ran.map(({ name }) => name).sort()).toEqual(['busy', 'exit', 'square', 'square', 'square']);
    expect(ran.find(({ name }) => name === 'busy')!.dur).toBeGreaterThanOrEqual(29_000);
    expect(events.filter(({ ph, name }) => ph === 'M' && name === 'thread_name').length).toBeGreaterThan(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('200 workers', async () => {
  const got = await runJson(
    `${processes}
    const pool = make(200);
    await pool.ready();
    out([new Set(await pool.broadcast(fns.pid)).size, (await pool.map(fns.square, Array.from({ length: 1000 }, (_, i) => i))).at(-1)]);
    await pool.terminate();`,
    { timeout: 55_000 },
  );
  expect(got).toEqual([200, 998_001]);
});

test('the executor: futures, map over several inputs, shutdown', async () => {
  const got = await runJson(`${processes}
    const executor = new mp.ProcessPoolExecutor(2);
    const future = executor.submit(fns.add, 1, 2);
    const failed = await told(executor.submit(fns.fail, 'it'));
    const sums = [];
    for await (const sum of executor.map(fns.add, [1, 2, 3], new Set([10, 20]), { chunksize: 2 })) sums.push(sum);
    const late = await told((async () => { for await (const x of executor.map(fns.later, [5000], ['x'], { timeout: 30 })) sums.push(x) })());
    const gate = new mp.Event(), started = new mp.Semaphore(0);
    const held = [0, 1].map(() => executor.submit(fns.hold, gate, started));
    for (let i = 0; i < 2; i++) await started.acquire({ owned: false });
    const waiting = [0, 1, 2].map(() => told(executor.submit(fns.echo, 1)));
    const over = executor.shutdown({ cancelFutures: true });
    const cancelled = (await Promise.all(waiting)).map(([name]) => name);
    const refused = thrown(() => executor.submit(fns.echo, 1))[1];
    gate.set();
    await over;
    out([await future, failed, sums, late[0], cancelled, (await Promise.all(held)).length, refused, mp.activeChildren().length]);`);
  expect(got).toEqual([
    3,
    ['Failure', null, 'it'],
    [11, 22],
    'TimeoutError',
    ['AbortError', 'AbortError', 'AbortError'],
    2,
    'ERR_MP_STATE',
    0,
  ]);
});

test('contexts have pools of their own; a progress bar appears on terminals only', async () => {
  const end = await runScript(`${processes}
    const { Pool, ProcessPoolExecutor } = mp.getContext('spawn');
    const pool = new Pool(1), other = new mp.Pool({ processes: 1, context: mp.getContext('spawn') }), executor = new ProcessPoolExecutor(1);
    const argv = await pool.apply(fns.startedBy), again = await other.apply(fns.startedBy), third = await executor.submit(fns.startedBy);
    out([pool.constructor.name, argv, again, third, await pool.map(fns.square, [1, 2], { progress: true })]);
    await Promise.all([pool.terminate(), other.terminate(), executor.shutdown()]);`);
  expect(JSON.parse(end.stdout)).toEqual(['Pool', 'spawn', 'spawn', 'spawn', [1, 4]]);
  expect(end.stderr).toBe('');
});

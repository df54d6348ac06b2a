// Every step of a task, and whatever may end it there: the task ends, the right way, and the pool has its full strength again.
import { expect, test } from 'vitest';
import { describe, eventually, isRunning } from '../support/child.js';
import { forEachPool } from '../support/pools.js';

const fixture = (name: string): string => new URL(`../fixtures/${name}`, import.meta.url).href;

forEachPool(({ runJson, runScript, head, ground }) => {
  const died = (how: object): unknown => ({ name: 'WorkerDiedError', code: 'ERR_MP_WORKER_DIED', ...how });
  const exited = (exitCode: number): unknown => died({ exitCode, signal: null });
  const killed = died({ exitCode: null, signal: 'SIGKILL' });

  // What may become of a task at each step, and by what: error, exit, crash.
  //
  //   travelling        the caller writes the arguments: an exit or a crash is its own, below; a worker that dies by then has
  //                     not begun it, and it runs elsewhere ('a dead worker fails what it had started, and nothing else')
  //   decoding          the worker reads them: it may have to load a module
  //   running
  //   result travelling the worker writes the result
  //   result decoding   the caller reads it, and may have to load a module: an exit or a crash is its own, below
  //
  // A crash of a thread is one of the whole program, so there is none that a pool of threads could tell of.
  // [when, how, what is called, with what, what its error is]
  const matrix: [string, string, string, string, unknown][] = [
    [
      'travelling',
      'error',
      'fns.echo',
      '[fns.hostile("error")]',
      { name: 'RangeError', message: 'a getter' },
    ],
    ['travelling', 'error (not cloneable)', 'fns.echo', '[{ deep: [() => 1] }]', { code: 'ERR_MP_CLONE' }],
    ['decoding', 'error', 'fns.call', '[await bad("throw")]', { name: 'RangeError', message: 'not here' }],
    ['decoding', 'exit', 'fns.call', '[await bad("exit")]', exited(6)],
    ['decoding', 'crash', 'fns.call', '[await bad("kill")]', killed],
    ['running', 'error', 'fns.fail', '["it"]', { name: 'Failure', message: 'it' }],
    ['running', 'error later', 'fns.failLater', '["late"]', { name: 'Failure', message: 'late' }],
    ['running', 'error that is no Error', 'fns.throwText', '[]', 'text'],
    ['running', 'error with a function and a cycle', 'fns.throwBadly', '[]', { message: 'has a function' }],
    ['running', 'exit', 'fns.exit', '[3]', exited(3)],
    ['running', 'exit 0', 'fns.exit', '[0]', exited(0)],
    ['running', 'crash', 'fns.die', '[]', killed],
    ['running', 'crash by a fault', 'fns.die', '["SIGSEGV"]', died({ exitCode: null, signal: 'SIGSEGV' })],
    ['running', 'crash later', 'fns.dieLater', '[]', killed],
    ['result travelling', 'error', 'fns.hostile', '["error"]', { name: 'RangeError', message: 'a getter' }],
    ['result travelling', 'error (not cloneable)', 'fns.notCloneable', '[]', { code: 'ERR_MP_CLONE' }],
    ['result travelling', 'exit', 'fns.hostile', '["exit"]', exited(9)],
    ['result travelling', 'crash', 'fns.hostile', '["crash"]', killed],
    [
      'result decoding',
      'error',
      'fns.returnsFunction',
      '[]',
      { name: 'RangeError', message: 'not in the main program' },
    ],
  ];
  const cases = matrix.filter(([, how]) => ground !== 'threads' || !how.startsWith('crash'));

  test.each(cases)(
    'a task that fails %s, by %s: its own error, and all others are done',
    async (_when, _how, fn, args, error) => {
      // A forked worker has the modules that the main program had before; of those it loads now it has none.
      const got = await runJson(`${head}
      const pool = make(2);
      await pool.ready();
      const bad = async (how) => (await import('${fixture('pool-import-')}' + how + '.mjs')).passed;
      const args = ${args};
      const before = Array.from({ length: 50 }, (_, i) => pool.apply(fns.echo, [i]));
      const failed = pool.apply(${fn}, args);
      const after = Array.from({ length: 50 }, (_, i) => pool.apply(fns.echo, [i]));
      const e = await failure(failed);
      const rest = (await Promise.all([...before, ...after])).length;
      await pool.ready();
      out([typeof e === 'object' ? { name: e.name, code: e.code, message: e.message, exitCode: e.exitCode, signal: e.signal } : e, rest, pool.stats().workers, await pool.apply(fns.echo, ['on'])]);
      await pool.terminate();`);
      expect(got).toEqual([typeof error === 'object' ? expect.objectContaining(error) : error, 100, 2, 'on']);
    },
  );

  // The cells in which the caller itself ends: its workers do, busy or idle.
  test.each([
    ['travelling', 'exit', 'fns.echo', '[fns.hostile("exit")]'],
    ['travelling', 'crash', 'fns.echo', '[fns.hostile("crash")]'],
    ['result decoding', 'exit', 'fns.returnsDeadly', '["exit"]'],
    ['result decoding', 'crash', 'fns.returnsDeadly', '["kill"]'],
  ])('a caller that ends with a task %s, by %s: nothing is left', async (_when, how, fn, args) => {
    const end = await runScript(`${head}
      const pool = make(3), started = new mp.Semaphore(0);
      await pool.ready();
      pool.apply(fns.hold, [new mp.Event(), started]);
      pool.apply(fns.busy, [60_000]);
      await started.acquire({ owned: false });
      out([process.pid, ...pool.pids]);
      await pool.apply(${fn}, ${args});
      out('it goes on');`);
    expect(end, describe(end)).toMatchObject(
      how === 'exit' ? { code: 9, signal: null } : { code: null, signal: 'SIGKILL' },
    );
    const pids = JSON.parse(end.stdout) as number[];
    expect(pids.length).toBe(4);
    await eventually('the workers have ended', () => !pids.some(isRunning));
  });
});

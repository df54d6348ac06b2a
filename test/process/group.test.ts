// spawnGroup: all of them, or the first that fails.
import { expect, test } from 'vitest';
import { fixtures } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as group from '${new URL('group.mjs', fixtures).href}';
const out = (value) => console.log(JSON.stringify(value));
const failure = (options, fn = group.member) => mp.spawnGroup(fn, { stdio: ['ignore', 'ignore', 'ignore'], ...options }).then(() => 'fine', (e) => e);
`;

forEachStartMethod(({ runJson }) => {
  test('the first failure ends the others, and says who failed, and where', async () => {
    const got = await runJson(`${head}
      const pids = new mp.Array('i', 4);
      const e = await failure({ count: 4, args: [pids, 'throw', 2] });
      const alive = [...pids].filter((pid) => { try { process.kill(pid, 0); return true; } catch { return false; } });
      out([e.name, e.message, e.index, e.pid === pids[2], /group\\.mjs/.test(e.stack), alive.length, mp.activeChildren().length]);`);
    expect(got).toEqual(['RangeError', 'number 2 fails', 2, true, true, 0, 0]);
  });

  test('a member that is killed, or ends with a code, is a failure as well', async () => {
    const got = await runJson(`${head}
      const pids = new mp.Array('i', 3);
      const told = (e) => [e.name, e.index, e.pid === pids[e.index], e.signal, e.exitCode];
      out([told(await failure({ count: 3, args: [pids, 'kill', 1] })), told(await failure({ count: 3, args: [pids, 'exit', 0] })), told(await failure({ count: 3, args: [pids, 'late', 2] }))]);`);
    expect(got).toEqual([
      ['WorkerDiedError', 1, true, 'SIGKILL', null],
      ['WorkerDiedError', 0, true, null, 5],
      ['WorkerDiedError', 2, true, null, 6],
    ]);
  });

  test('grace lets the others end by themselves; who ignores SIGTERM is killed', async () => {
    const got = await runJson(`${head}
      const pids = new mp.Array('i', 3), ended = new mp.Value('i', 0), failed = new mp.Event();
      const e = await failure({ count: 3, args: [pids, failed, ended], grace: 20_000 }, group.graceful);
      const f = await failure({ count: 2, args: [new mp.Event()] }, group.stubborn);
      out([e.message, ended.value, f.message, mp.activeChildren().length]);`);
    expect(got).toEqual(['first', 2, 'beside a stubborn one', 0]);
  });

  test('an abort ends all, with its reason; a start that fails ends those that run', async () => {
    const got = await runJson(`${head}
      const pids = new mp.Array('i', 3), up = new mp.Semaphore(0);
      const control = new AbortController();
      const running = failure({ count: 3, args: [pids, up], signal: control.signal }, group.forever);
      for (let i = 0; i < 3; i++) await up.acquire({ owned: false });
      control.abort(new Error('enough'));
      const e = await running; const left = mp.activeChildren().length;
      const before = await failure({ count: 3, signal: AbortSignal.abort('no') });
      const { start } = mp.Process.prototype; let starts = 0;
      mp.Process.prototype.start = function () { if (++starts === 3) throw new Error('no more'); return start.call(this); };
      const f = await failure({ count: 5, args: [pids, up] }, group.forever);
      out([e.message, left, before, f.message, f.index, f.pid, starts, mp.activeChildren().length]);`);
    expect(got).toEqual(['enough', 0, 'no', 'no more', 2, null, 3, 0]);
  });

  test('what is thrown may be anything; wrong options are errors at the call', async () => {
    const got = await runJson(`${head}
      const e = await failure({ count: 1 }, group.throwsText);
      const wrong = []; for (const o of [{ count: 1, grace: -1 }, { count: 1, signal: 5 }, { count: NaN }]) wrong.push((await failure(o)).name);
      for (const o of [undefined, null, 5, { count: 1, args: 5 }, { count: 1, daemon: true, detached: true }])
        wrong.push((await mp.spawnGroup(group.member, o).catch((e) => e)).code);
      out([e.code, e.index, e.cause, wrong]);`);
    const type = 'ERR_MP_TYPE';
    expect(got).toEqual([
      'ERR_MP_GROUP',
      0,
      'just text',
      ['RangeError', 'TypeError', 'RangeError', type, type, type, type, type],
    ]);
  });
});

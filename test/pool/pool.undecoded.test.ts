// Results that the caller's process is long in reading: the worker that gave them has nothing to do with that any more.
import { expect, test } from 'vitest';
import { forEachPool } from '../support/pools.js';

forEachPool(({ runJson, head }) => {
  const slowly = `
    const slow = pool.apply(fns.returnsSlowly);
    await until(() => globalThis.load !== undefined);`;

  test('the end of the pool does not wait for them, nor do their callers', async () => {
    const got = await runJson(`${head}
      const pool = make(2);
      ${slowly}
      const others = await pool.apply(fns.echo, ['others']), { queued, running } = pool.stats();
      const [end] = await Promise.all([told(slow), pool.terminate()]);
      load();
      out([others, queued, running, end[0], pool.stats().workers, pool.stats().completed]);`);
    expect(got).toEqual(['others', 0, 1, 'ClosedError', 0, 2]);
  });

  test('a timeout, an abort, a cancel: at once, and the worker is left to the task that it runs by then', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 1, grace: 1 }), control = new AbortController(), gate = new mp.Event(), started = new mp.Semaphore(0);
      const late = told(pool.apply(fns.returnsSlowly, [], { timeout: 1000 }));
      const aborted = told(pool.apply(fns.returnsSlowly, [], { signal: control.signal }));
      const result = pool.applyAsync(fns.returnsSlowly), cancelled = told(result);
      const held = pool.apply(fns.hold, [gate, started]);
      await started.acquire({ owned: false });
      await until(() => globalThis.load !== undefined);
      const cancels = [result.cancel(), result.cancel()];
      control.abort(new Error('enough'));
      const ends = [await late, await aborted, await cancelled];
      await new Promise((r) => setTimeout(r, 50));
      gate.set();
      out([cancels, ends.map(([name, , message]) => name === 'Error' ? message : name), await held === await pool.apply(fns.who), pool.stats().started]);
      load();
      await pool.terminate();`);
    expect(got).toEqual([[true, false], ['TimeoutError', 'enough', 'AbortError'], true, 1]);
  });

  test('a pool that was closed ends when the last of them has been read', async () => {
    const got = await runJson(`${head}
      const pool = make(1);
      ${slowly}
      pool.close();
      const early = await Promise.race([pool.join().then(() => 'ended'), new Promise((r) => setTimeout(r, 50, 'not yet'))]);
      load();
      await pool.join();
      out([early, (await slow)()]);`);
    expect(got).toEqual(['not yet', 1]);
  });
});

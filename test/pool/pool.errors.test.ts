// Errors that are hard to send, and those that nobody catches.
import { expect, test } from 'vitest';
import { runScript } from '../support/child.js';
import { forEachPool, head as headOf } from '../support/pools.js';

forEachPool(({ runJson, head }) => {
  test('an error whose parts throw is an error all the same, and its worker goes on', async () => {
    const got = await runJson(`${head}
      const pool = make(1), ends = {};
      for (const kind of ['message', 'stack', 'property', 'proxy', 'deep', 'result']) {
        ends[kind] = (await told(pool.apply(fns.throwEvil, [kind])))[0];
        if ((await failure(pool.map(fns.throwEvil, [kind]))).name === 'WorkerDiedError') ends[kind] = 'died of it';
      }
      const broken = make({ processes: 1, initializer: fns.throwEvil, initargs: ['proxy'] });
      const e = await failure(broken.apply(fns.echo, [1]));
      out([ends, pool.stats().started, e.name ?? typeof e, broken.stats().started]);
      await Promise.all([pool.terminate(), broken.terminate()]);`);
    const [ends, started, broken, tries] = got as [Record<string, string>, number, string, number];
    expect(
      Object.values(ends).filter((name) => !/^(Type|Range)?Error$/.test(name)),
      JSON.stringify(ends),
    ).toEqual([]);
    expect([started, broken, tries]).toEqual([1, 'string', 1]); // a thrown proxy, which is no error: what can be said of it
  });

  test('stats count what runs as time in use', async () => {
    const got = await runJson(`${head}
      const pool = make(1), gate = new mp.Event(), started = new mp.Semaphore(0);
      await pool.ready();
      const held = pool.apply(fns.hold, [gate, started]);
      await started.acquire({ owned: false });
      const before = pool.stats().utilisation;
      await new Promise((r) => setTimeout(r, 1500));
      const during = pool.stats().utilisation;
      gate.set();
      await held;
      const after = pool.stats().utilisation;
      await new Promise((r) => setTimeout(r, 500));
      out([before < during, during > 0.3 && during <= 1, Math.abs(after - during) < 0.2, pool.stats().utilisation < after]);
      await pool.terminate();`);
    expect(got).toEqual([true, true, true, true]);
  });
});

test.each(['Pool', 'ThreadPool'])('an error in a %s that nobody catches is printed', async (kind) => {
  const end = await runScript(`${headOf(`new mp.${kind}(options)`)}
    const pool = make(1);
    const e = await failure(pool.apply(fns.uncaughtLater));
    out([e.name, e.exitCode, e.cause?.message, pool.stats().workers, await pool.apply(fns.echo, [1])]);
    await pool.terminate();`);
  const cause = kind === 'Pool' ? null : 'nobody catches it';
  expect(JSON.parse(end.stdout)).toEqual(['WorkerDiedError', 1, cause, 1, 1]);
  expect(end.stderr).toMatch(/nobody catches it[\s\S]*pool\.mjs/);
});

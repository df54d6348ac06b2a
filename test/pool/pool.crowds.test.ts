// What only shows when much is asked of a pool at once.
import { expect, test } from 'vitest';
import { runScript } from '../support/child.js';
import { forEachPool, head as plainHead } from '../support/pools.js';

forEachPool(
  ({ runJson, head, ground }) => {
    test('as many async tasks run at once as concurrency says', async () => {
      const script = `${head}
      const pool = make({ processes: 1, concurrency: 60 });
      await pool.ready();
      const [open, started] = [new mp.Event(), new mp.Semaphore(0)];
      const results = Array.from({ length: 80 }, () => pool.apply(fns.holdLater, [open, started]));
      let running = 0;
      const another = () => started.acquire({ timeout: running < 60 ? 10_000 : 200, owned: false });
      while ((await failure(another())).name === 'none') running++;
      open.set();
      out([running, (await Promise.all(results)).length]);
      await pool.terminate();`;
      expect(await runJson(script)).toEqual([60, 80]);
    });

    test('ready() of a pool that needs no worker yet', async () => {
      const script = `${head}
      const pool = make({ min: 0, max: 2 });
      await pool.ready();
      out([pool.stats().workers, await pool.apply(fns.square, [3])]);
      await pool.terminate();`;
      expect(await runJson(script)).toEqual([0, 9]);
    });

    test('a broadcast behind many tasks, to workers that end before their turn', async () => {
      const script = `${head}
      const pool = make({ processes: 2, maxTasksPerChild: 20 });
      await pool.ready();
      const some = (n) => Array.from({ length: n }, (_, i) => pool.apply(fns.echo, [i]));
      const tasks = some(100);
      const answer = pool.broadcast(fns.who);
      tasks.push(...some(100));
      out([new Set(await answer).size, (await Promise.all(tasks)).length]);
      await pool.terminate();`;
      expect(await runJson(script)).toEqual([2, 200]);
    });

    if (ground !== 'threads')
      test('a broadcast to a worker that dies: an error or a result, and the others go on', async () => {
        const script = `${head}
        const pool = make(2);
        await pool.ready();
        const some = (n) => Array.from({ length: n }, (_, i) => pool.apply(fns.echo, [i]));
        const tasks = some(2000);
        const answer = failure(pool.broadcast(fns.who));
        tasks.push(...some(2000));
        process.kill(pool.pids[0], 'SIGKILL');
        const names = new Set((await Promise.allSettled(tasks)).map(({ reason }) => reason?.name ?? 'none'));
        names.add((await answer).name);
        out([...names].filter((name) => name !== 'none' && name !== 'WorkerDiedError'));
        await pool.terminate();`;
        expect(await runJson(script)).toEqual([]);
      });
  },
  ['forkserver', 'threads'],
);

test('many tasks share a signal', async () => {
  const end = await runScript(`${plainHead('new mp.Pool(options)')}
    const pool = make(1);
    await pool.ready();
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const done = Array.from({ length: 50 }, () => pool.apply(fns.square, [2], options));
    await Promise.all(done);
    const tasks = Array.from({ length: 50 }, () => pool.apply(fns.later, [60_000], options));
    controller.abort();
    const reasons = await Promise.allSettled(tasks);
    out(reasons.every(({ reason }) => reason === controller.signal.reason));
    out(await pool.apply(fns.square, [3], { signal: new AbortController().signal }));
    await pool.terminate();`);
  expect([end.code, end.stdout.trim(), end.stderr]).toEqual([0, 'true\n9', '']);
});

test('terminate() when a worker has ended and nobody has noticed', async () => {
  const end = await runScript(`${plainHead('new mp.Pool(options)')}
    const pool = make(2);
    await pool.ready();
    for (const pid of pool.pids) process.kill(pid, 'SIGKILL');
    for (const until = performance.now() + 300; performance.now() < until;); // the loop hears nothing
    await pool.terminate();
    await new Promise((resolve) => setTimeout(resolve, 700)); // longer than the grace after SIGTERM
    out('over');`);
  expect([end.code, end.stdout.trim(), end.stderr]).toEqual([0, '"over"', '']);
});

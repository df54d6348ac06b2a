// Aborts: each running task hears of its own, and nobody else is the worse for it.
import { expect, test } from 'vitest';
import { forEachPool } from '../support/pools.js';

forEachPool(({ runJson, head }) => {
  test('many at once, more than there is room for: all hear, and what runs beside them goes on', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 1, concurrency: 200, grace: 1000 }), heard = new mp.Value('i', 0), gate = new mp.Event(), started = new mp.Semaphore(0);
      const control = new AbortController(), ears = Array.from({ length: 150 }, () => new mp.Value('i', 0));
      const others = Array.from({ length: 10 }, () => pool.apply(fns.holdLater, [gate, started]));
      const heeding = ears.map((ear) => told(pool.apply(fns.heed, [ear, started], { signal: control.signal })));
      for (let i = 0; i < 160; i++) await started.acquire({ owned: false });
      control.abort(new Error('the request was closed by its client before an answer came, which is as long a reason as any'));
      const ends = new Set((await Promise.all(heeding)).map(([, , message]) => message)).size;
      await until(() => ears.every((ear) => ear.value === 1));
      await new Promise((r) => setTimeout(r, 1100));
      gate.set();
      out([ends, (await Promise.all(others)).length, pool.stats().started]);
      await pool.terminate();`);
    expect(got).toEqual([1, 10, 1]);
  });

  test('a worker that does not hear, as it is busy, is replaced after the grace', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 1, concurrency: 200, grace: 100 }), started = new mp.Semaphore(0), control = new AbortController(), ear = new mp.Value('i', 0);
      const ends = Array.from({ length: 150 }, () => told(pool.apply(fns.heed, [ear, started], { signal: control.signal })));
      for (let i = 0; i < 150; i++) await started.acquire({ owned: false });
      const busy = told(pool.apply(fns.hold, [new mp.Event(), started]));
      await started.acquire({ owned: false });
      control.abort(new Error('enough: '.padEnd(100, '.')));
      await Promise.all(ends);
      const [name, , message] = await busy;
      out([name, /because a task went on after its abort/.test(message), await pool.apply(fns.echo, ['on']), pool.stats().started]);
      await pool.terminate();`);
    expect(got).toEqual(['WorkerDiedError', true, 'on', 2]);
  });

  test('reasons and graces of all kinds', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 1, grace: Infinity }), started = new mp.Semaphore(0), warned = [], reasons = [Object.create(null), Symbol('s'), undefined, 'text', new Proxy({}, {})];
      process.on('warning', (w) => warned.push(w.message));
      const same = [];
      for (const reason of reasons) {
        const control = new AbortController(), ear = new mp.Value('i', 0);
        const end = pool.apply(fns.heed, [ear, started], { signal: control.signal }).catch((e) => e);
        await started.acquire({ owned: false });
        control.abort(reason);
        same.push(await end === control.signal.reason);
        await until(() => ear.value === 1);
      }
      out([same, pool.stats().started, warned]);
      await pool.terminate();`);
    expect(got).toEqual([Array(5).fill(true), 1, []]);
  });
});

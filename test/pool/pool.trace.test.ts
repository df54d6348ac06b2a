// The timeline of a pool's tasks, as a file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Link } from '../../lib/pool/link.js';
import type { Task } from '../../lib/pool/task.js';
import { TraceFile } from '../../lib/pool/trace.js';
import { runScript } from '../support/child.js';
import { forEachPool, head as headOf } from '../support/pools.js';

interface Event {
  ph: string;
  name: string;
  ts: number;
  dur: number;
  tid: number;
  args: { name: string };
}

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'multiproc-'));
  file = join(directory, 'run.json');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});
const written = (): Event[] => JSON.parse(readFileSync(file, 'utf8')) as Event[];

test('it is JSON, however long its last event is, and without any', () => {
  const link = { number: 1, worker: { name: 'w', pid: 1 } } as Link;
  for (let length = 65_000; length < 65_600; length += 3) {
    const trace = new TraceFile(file);
    trace.add(link, { fn: { name: 'x'.repeat(length) }, number: 1 } as Task, [0, 1]);
    trace.close();
    expect(written().length).toBe(4);
  }
  new TraceFile(file).close();
  expect(written().map(({ name }) => name)).toEqual(['process_name']);
});

test.each([20, 2000])(
  'on a full disk it ends with one warning; the pool goes on: %i tasks',
  async (count) => {
    const end = await runScript(`${headOf('new mp.Pool(options)')}
    const warned = [];
    process.on('warning', (w) => warned.push(w.message));
    const pool = make({ processes: 1, trace: '/dev/full' });
    const results = await Promise.all(Array.from({ length: ${count} }, (_, i) => pool.apply(fns.square, [i])));
    await pool.terminate();
    await new Promise(setImmediate);
    out([results.length, pool.stats().workers, warned.length, /pool.*\\/dev\\/full: ENOSPC/.test(warned[0])]);`);
    expect([end.code, JSON.parse(end.stdout)]).toEqual([0, [count, 0, 1, true]]);
  },
);

forEachPool(({ runJson, head, ground }) => {
  test('what runs at once has a row each; what died ends at the death; what was decoded late is there', async () => {
    const got = await runJson(`${head}
      const pool = make({ processes: 2, concurrency: 3, trace: ${JSON.stringify(file)} });
      await pool.map(fns.later, [30, 10, 40, 20, 30, 10, 40, 20, 30, 10, 40, 20], { chunksize: 1 });
      const slow = pool.apply(fns.returnsSlowly), failed = await told(pool.apply(fns.fail));
      await until(() => globalThis.load !== undefined);
      load();
      const passed = (await slow)(), started = new mp.Semaphore(0);
      const doomed = told(pool.apply(fns.holdLater, [new mp.Event(), started]));
      await started.acquire({ owned: false });
      await pool.apply(fns.later, [50]);
      const killed = await Promise.all([0, 1].map(() => told(pool.broadcast(fns.${ground === 'threads' ? 'exit' : 'die'}, undefined))));
      out([failed[0], passed, (await doomed)[0], killed.map(([name]) => name)]);
      pool.close();
      await pool.join();`);
    expect(got).toEqual(['Failure', 1, 'WorkerDiedError', ['WorkerDiedError', 'WorkerDiedError']]);
    const events = written();
    const ran = events.filter(({ ph }) => ph === 'X').sort((a, b) => a.ts - b.ts);
    for (const [i, a] of ran.entries())
      for (const b of ran.slice(i + 1))
        if (a.tid === b.tid) expect(b.ts).toBeGreaterThanOrEqual(a.ts + a.dur);
    const rows = events.filter(({ name }) => name === 'thread_name').map(({ args }) => args.name);
    for (const name of ['Worker 1', 'Worker 1 (2)', 'Worker 1 (3)', 'Worker 2']) expect(rows).toContain(name);
    expect(rows).toEqual([...new Set(rows)]);
    expect(rows.filter((name) => name.startsWith('Worker 1')).length).toBe(3);
    expect(ran.map(({ name }) => name)).toEqual(expect.arrayContaining(['fail', 'returnsSlowly']));
    const held = ran.find(({ name }) => name === 'holdLater')!;
    const death = ran.find(({ name }) => name === 'die' || name === 'exit')!;
    expect(held.dur).toBeGreaterThanOrEqual(50_000);
    expect(held.dur).toBeLessThan(10_000_000);
    expect(held.ts).toBeLessThan(death.ts);
  });
});

// Who may start, join and be sent; trees of several start methods.
import { expect, test } from 'vitest';
import { fixtures, runJson as run } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as family from '${new URL('family.mjs', fixtures).href}';
import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
const out = (value) => console.log(JSON.stringify(value));
const failure = (f) => { try { f(); return 'fine'; } catch (e) { return [e.name, e.code, e.message]; } };
const failureLater = (p) => p.then(() => 'fine', (e) => [e.name, e.code, e.message]);
`;

forEachStartMethod(({ method, runJson }) => {
  test('a daemon may start no processes and make no pools; a pool’s worker may, and what it starts', async () => {
    const got = await runJson(`${head}
    const daemon = (how) => new mp.Process({ target: family.starts, args: [how], name: 'ann', daemon: true }).start().result();
    const late = new mp.Process(family.starts); late.daemon = true; const not = new mp.Process({ target: family.starts, daemon: true }); not.daemon = false;
    const said = [await daemon('process'), await daemon('pool'), (await late.start().result())[1], await not.start().result(), await daemon('threads')];
    const pool = new mp.Pool(1); const worker = await pool.apply(family.inWorker); await pool.terminate();
    out([said, worker]);`);
    const [[process, pool, ...others], worker] = got;
    for (const [what, error] of [
      ['Process.start()', process],
      ['new Pool()', pool],
    ] as const) {
      expect(error.slice(0, 2)).toEqual(['ProcessError', 'ERR_MP_DAEMON']);
      expect(error[2]).toMatch(new RegExp(`^${what.replace(/[().]/g, '\\$&')}: ann is a daemon`));
      expect(error[2]).toContain('Start ann without daemon: true');
    }
    expect(others).toEqual(['ERR_MP_DAEMON', 4, 4]);
    expect(worker).toEqual([true, true, 4, 4, 'ERR_MP_DAEMON']);
  });

  test('another process cannot join it: only a fork has the object, which says whose it is', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(tasks.never).start();
    const joins = async () => [await failureLater(p.join(0)), failure(() => p.joinSync(0)), await failureLater(p.result(0)), failure(() => p.terminate()), failure(() => p.sentinel)];
    const refusals = ${method === 'fork'} ? await mp.run(joins) : [failure(() => new mp.Process(tasks.echo, p).start())];
    const alive = [await p.join(0), p.isAlive()]; p.kill();
    out([refusals.map(([, code]) => code), alive, await p.join()]);`);
    const refusals: string[] = method === 'fork' ? Array(5).fill('ERR_MP_STATE') : ['ERR_MP_CLONE'];
    expect(got).toEqual([refusals, [null, true], -9]);
  });
});

test('processes, pools and sockets are of the process that made them: they cannot be sent', async () => {
  const got = await run(`${head}
  const p = new mp.Process(tasks.square, 2), pool = new mp.Pool({ max: 1, min: 0 }), executor = new mp.ProcessPoolExecutor(1);
  const listener = await mp.Listener(['127.0.0.1', 0]), client = mp.Client(listener.address), server = await listener.accept();
  const spawning = mp.getContext('spawn'), forking = mp.getContext('forkserver');
  const refused = (target, ...args) => failure(() => new spawning.Process(target, ...args).start());
  const queue = new mp.Queue(), [end] = mp.Pipe();
  const texts = [
    refused(tasks.echo, p), failure(() => new forking.Process(tasks.echo, 1, { deep: [new (class Job extends mp.Process {})()] }).start()), refused(tasks.echo, new Map([['pool', pool]])), refused(tasks.echo, executor),
    failure(() => queue.putSync({ p })), failure(() => end.sendSync([p])), await failureLater(pool.apply(tasks.echo, [p])),
    failure(() => new family.Keeper().start()), refused(tasks.echo, listener), refused(tasks.echo, server),
    await failureLater(spawning.run(family.givesProcess)), await failureLater(spawning.run(family.givesParent)),
  ];
  await pool.terminate(); await executor.shutdown(); server.close(); (await client).close(); listener.close();
  out(texts.map((t) => t === 'fine' ? t : [t[1], t[2].replace(/: it cannot be sent to another process. It is .*/, '')]));`);
  const texts = got.map(([code, text]: [string, string]) => `${code} ${text}`);
  expect(texts.slice(0, 8)).toEqual([
    'ERR_MP_CLONE args[0] is a Process',
    'ERR_MP_CLONE args[1].deep[0] is a Job',
    'ERR_MP_CLONE args[0].get("pool") is a Pool',
    'ERR_MP_CLONE args[0] is a ProcessPoolExecutor',
    'ERR_MP_CLONE p is a Process',
    'ERR_MP_CLONE [0] is a Process',
    'ERR_MP_CLONE args[0] is a Process',
    'ERR_MP_CLONE this.kept is a Process',
  ]);
  expect(texts[8]).toMatch(/^ERR_MP_CLONE <Listener .*cannot be sent/);
  expect(texts[9]).toMatch(/^ERR_MP_CLONE <Connection .*cannot be sent/);
  expect(texts.slice(10)).toEqual([
    'ERR_MP_CLONE result is a Process',
    'ERR_MP_CLONE result is a ParentProcess',
  ]);
});

test('a tree of several start methods: a lock, a number and a queue are the same for all at once', async () => {
  const got = await run(
    `${head}
    const lock = new mp.Lock(), total = new mp.Value('i', 0), told = new mp.Queue(); const shared = { lock, total, told, rounds: 300 };
    const trees = [['fork', 'forkserver', 'spawn'], ['spawn', 'forkserver'], ['forkserver', 'spawn'], ['fork', 'fork', 'spawn', 'forkserver']];
    const contexts = ['fork', 'forkserver', 'spawn'].map((m) => [mp.getContext(m).getStartMethod(), mp.getContext(m).isMainProcess, mp.getContext(m) === mp.getContext(m)]);
    const names = await Promise.all(trees.map(([first, ...rest]) => mp.getContext(first).run(family.chain, shared, rest)));
    const heard = told.qsize() === 11 ? await told.getMany(11) : [];
    heard.sort((a, b) => a[0].localeCompare(b[0]));
    out([contexts, names, total.value, lock.locked, heard]);`,
    { forkCapable: true },
  );
  const [contexts, names, total, locked, heard] = got;
  expect(contexts).toEqual(['fork', 'forkserver', 'spawn'].map((m) => [m, true, true]));
  expect(names).toEqual([
    ['Process-1', 'Process-1:1', 'Process-1:1:1'],
    ['Process-2', 'Process-2:1'],
    ['Process-3', 'Process-3:1'],
    ['Process-4', 'Process-4:1', 'Process-4:1:1', 'Process-4:1:1:1'],
  ]);
  expect([total, locked]).toEqual([11 * 300, false]);
  const parentOf = (name: string) =>
    name.includes(':') ? name.slice(0, name.lastIndexOf(':')) : 'MainProcess';
  const all: string[] = names.flat();
  expect(heard).toEqual(
    all.toSorted((a, b) => a.localeCompare(b)).map((name) => [name, parentOf(name), false, false]),
  );
});

test('a context knows in a forked process that it is not the main one’s', async () => {
  const got = await run(
    `${head}
    const ctx = mp.getContext('fork'); const { isMainProcess } = ctx;
    out([isMainProcess, await ctx.run(() => [ctx.isMainProcess, mp.isMainProcess, mp.getContext('spawn').isMainProcess]), Object.keys(ctx).includes('isMainProcess')]);`,
    { forkCapable: true },
  );
  expect(got).toEqual([true, [false, false, false], true]);
});

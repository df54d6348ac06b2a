// What a server takes for its own while it loads modules, and what it does with signals, variables and descriptors.
import { expect, test } from 'vitest';
import { describe, eventually, fixtures, isRunning, runJson, runScript } from '../support/child.js';

const url = (name: string) => new URL(name, fixtures).href;
const head = `
import * as mp from 'multiproc';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import * as tasks from '${url('tasks.mjs')}';
const by = (name) => ({ module: '${url('forked-by.mjs')}', export: name });
const out = (value) => console.log(JSON.stringify(value));
const servers = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'latin1').split(' ').filter(Boolean)
  .filter((pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'latin1').includes('entry/forkserver'); } catch { return false; } }).map(Number);
const until = async (f) => { for (;;) { const value = await f(); if (value) return value; await new Promise((resolve) => setTimeout(resolve, 5)); } };
`;
const chosen = `${head} mp.setStartMethod('forkserver');`;

test('modules are loaded while children live, by any thread, and processes renamed', async () => {
  const end = await runScript(`${chosen}
    import { isMainThread, Worker, parentPort } from 'node:worker_threads';
    export const mine = () => process.title;
    if (isMainThread && mp.isMainProcess) {
      const event = new mp.Event(), met = new mp.Barrier(4);
      const children = [0, 1, 2].map((i) => new mp.Process(tasks.waitsFor, met, event, i).start());
      await met.wait();
      const [server] = servers();
      const parents = [await mp.run(by('parent'))];
      mp.setForkserverPreload([new URL('${url('preload/plain.mjs')}')]);
      parents.push(await mp.run(by('parent')));
      const title = await mp.run(mine);
      const worker = new Worker(new URL(import.meta.url));
      parents.push(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)));
      event.set();
      await Promise.all(children.map((p) => p.join()));
      out([parents.every((pid) => pid === server), title]);
    } else if (!isMainThread) {
      parentPort.postMessage(await mp.run(by('parent')));
    }`);
  expect(end.stdout, describe(end)).toBe('[true,"renamed"]\n');
});

test('by default, too, a preload that fails is the error of the first process', async () => {
  const got = await runJson(`${head}
    mp.setForkserverPreload([new URL('${url('preload/fails.mjs')}')]);
    const codes = [];
    for (let i = 0; i < 2; i++) try { new mp.Process(tasks.square, 2).start(); codes.push('started'); } catch (e) { codes.push(e.code); }
    out(codes);`);
  expect(got).toEqual(['ERR_MP_PRELOAD', 'ERR_MP_PRELOAD']);
});

test('a server that loads a module for ever ends with its user', async () => {
  const end = await runScript(`${head}
    mp.setForkserverPreload([new URL('${url('preload/spins.mjs')}')]);
    new mp.Process(tasks.square, 2); // it starts in the background
    const [server] = await until(() => servers()[0] && servers());
    // It spins: it has had more of the processor than a Node needs to start.
    await until(() => Number(readFileSync('/proc/' + server + '/stat', 'latin1').split(') ')[1].split(' ')[11]) > 100);
    console.log(server);
    process.kill(process.pid, 'SIGKILL');`);
  const server = Number(end.stdout);
  expect(server, describe(end)).toBeGreaterThan(0);
  await eventually('the server is gone', () => !isRunning(server));
});

test('a group’s signals end children, which have the actions of any Node, and not their server', async () => {
  const [codes, same, server] = await runJson(`${chosen}
    await mp.run(tasks.square, 1);
    const [server] = servers();
    const codes = [];
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGINT', 'SIGUSR2']) {
      const event = new mp.Event(), met = new mp.Barrier(2);
      const p = new mp.Process(tasks.waitsFor, met, event, 0).start();
      await met.wait();
      let heard = false;
      process.once(signal, () => { heard = true; });
      // SIGUSR2 is one that a server would die of.
      process.kill(signal === 'SIGUSR2' ? p.pid : 0, signal);
      await until(() => heard || signal === 'SIGUSR2');
      if (signal === 'SIGINT') p.interrupt(); // a terminal's and a group's is the main process's to answer
      codes.push(await p.join());
    }
    out([codes, servers()[0] === server && await mp.run(by('parent')) === server, server]);`);
  expect(codes).toEqual([-15, -1, -3, -2, -12]);
  expect(same).toBe(true);
  await eventually('the server has ended', () => !isRunning(server));
});

const quietUsr1 = process.allowedNodeEnvironmentFlags.has('--disable-sigusr1');
for (const execArgv of quietUsr1 ? [[], ['--disable-sigusr1']] : [[]]) {
  test(`SIGUSR1 does nothing to a server and its children: ${execArgv.join() || 'by default'}`, async () => {
    const end = await runScript(
      `${chosen}
      const event = new mp.Event(), met = new mp.Barrier(2);
      const p = new mp.Process(tasks.waitsFor, met, event, 7).start();
      await met.wait();
      const [server] = servers();
      for (const pid of [server, p.pid]) process.kill(pid, 'SIGUSR1');
      await new Promise((resolve) => setTimeout(resolve, 200));
      event.set();
      out([await p.result(), await p.join(), await mp.run(by('parent')) === server]);`,
      { execArgv },
    );
    expect([end.stdout, end.stderr], describe(end)).toEqual(['[7,0,true]\n', '']);
  });
}

test('children have no descriptor of the server’s, whoever lives beside them', async () => {
  const [alone, among, spawned, own] = await runJson(`${chosen}
    const alone = await mp.run(by('kindsOfDescriptors'));
    const event = new mp.Event(), met = new mp.Barrier(6);
    const others = [0, 1, 2, 3, 4].map((i) => new mp.Process(tasks.waitsFor, met, event, i).start());
    await met.wait();
    const among = [];
    for (let i = 0; i < 3; i++) among.push(await mp.run(by('kindsOfDescriptors')));
    const own = readdirSync('/proc/' + servers()[0] + '/fd').map((fd) => { try { return readlinkSync('/proc/' + servers()[0] + '/fd/' + fd); } catch { return ''; } });
    event.set();
    await Promise.all(others.map((p) => p.join()));
    out([alone, among, await mp.getContext('spawn').run(by('kindsOfDescriptors')), own]);`);
  expect(among).toEqual([alone, alone, alone]);
  const pidfd = /pidfd/;
  // The server itself has them, one for each child.
  expect(own.filter((name: string) => pidfd.test(name)).length).toBeGreaterThanOrEqual(5);
  expect(alone.filter((name: string) => pidfd.test(name))).toHaveLength(1); // its parent
  expect(alone.filter((name: string) => name === 'socket')).toHaveLength(1); // its channel
  // Node's own.
  const pipes = (kinds: string[]): number => kinds.filter((name) => name === 'pipe').length;
  expect(pipes(alone)).toBe(pipes(spawned));
});

test('io_uring is off in the server, and the variable as the program has it in its children', async () => {
  for (const variable of ['1', undefined]) {
    const env: Record<string, string> = variable === undefined ? {} : { UV_USE_IO_URING: variable };
    const [own, told, threads] = await runJson(
      `${chosen}
      const told = (await mp.run(tasks.whoAmI)).env.UV_USE_IO_URING ?? null;
      const [server] = servers();
      const own = readFileSync('/proc/' + server + '/environ', 'latin1').split('\\0').filter((entry) => entry.startsWith('UV_USE_IO_URING='));
// A ring for files has a thread of the kernel's; those for epoll are of each loop's own, and made anew by a fork.
      const threads = readdirSync('/proc/' + server + '/task').map((id) => readFileSync('/proc/' + server + '/task/' + id + '/comm', 'latin1'));
      out([own, told, threads.filter((name) => name.startsWith('iou'))]);`,
      { env },
    );
    expect([own, told, threads]).toEqual([['UV_USE_IO_URING=0'], variable ?? null, []]);
  }
});

// Others need a loader, and spawn: see transfer/functions.test.ts.
test.skipIf(!(process.features as { typescript?: unknown }).typescript)(
  'TypeScript that Node runs by itself is forked, preloaded or not',
  async () => {
    const got = await runJson(`${chosen}
      const target = { module: '${url('plain-typed.mts')}', export: 'norm' };
      const before = await mp.run(target, { x: 3, y: 4 });
      mp.setForkserverPreload([new URL(target.module)]);
      const after = await mp.run(target, { x: 6, y: 8 });
      const [server] = servers();
      out([before[0], after[0], before[1] === server, after[1] === server]);`);
    expect(got).toEqual([5, 10, true, true]);
  },
);

test('the exit code that a preloaded module sets is not its children’s', async () => {
  const got = await runJson(`${chosen}
    mp.setForkserverPreload([new URL('${url('preload/exit-code.mjs')}')]);
    out(await new mp.Process(tasks.square, 2).start().join());`);
  expect(got).toBe(0);
});

test('what a preloaded module throws a moment later is an error of the start, too', async () => {
  const got = await runJson(`${chosen}
    mp.setForkserverPreload([new URL('${url('preload/fails-later.mjs')}')]);
    try { new mp.Process(tasks.square, 2).start(); out('started'); } catch (e) { out([e.code, e.message]); }`);
  expect(got).toEqual([
    'ERR_MP_PRELOAD',
    expect.stringMatching(/fails-later\.mjs: RangeError: a moment later/),
  ]);
});

test('a preloaded module that ends the server is named', async () => {
  const end = await runScript(`${chosen}
    mp.setForkserverPreload([new URL('${url('preload/exits.mjs')}')]);
    try { new mp.Process(tasks.square, 2).start(); } catch (e) { out(e.code); }`);
  expect(end.stdout, describe(end)).toBe('"ERR_MP_START"\n');
  expect(end.stderr).toMatch(/exits\.mjs: ends the forkserver that preloads it, with exit code 7/);
});

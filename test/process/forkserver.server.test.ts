// The server: what it loads, what it refuses, and what happens when anybody dies.
import { readFileSync, rmSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describe, eventually, fixtures, isRunning, runJson, runScript } from '../support/child.js';

/** Whether the kernel tells how a process ended to those that are not its parent. */
const [major, minor] = release().split('.').map(Number) as [number, number];
const recorded = major > 6 || (major === 6 && minor >= 15);

const url = (name: string) => new URL(name, fixtures).href;
const head = `
import * as mp from 'multiproc';
import { readFileSync, readdirSync } from 'node:fs';
import * as tasks from '${url('tasks.mjs')}';
mp.setStartMethod('forkserver');
const out = (value) => console.log(JSON.stringify(value));
const servers = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'latin1').split(' ').filter(Boolean)
  .filter((pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'latin1').includes('entry/forkserver'); } catch { return false; } }).map(Number);
const failure = async (f) => { try { await f(); return 'no error'; } catch (e) { return [e.name, e.code, e.message]; } };
`;

for (const [name, why] of [
  ['listens', /sockets that its children would share/],
  ['stays', /the event loop is kept busy \(.*Timeout.*\)/],
  ['unreferenced', /sockets that its children would share/],
  ['threads', /threads that its children would not have/],
  ['fails', /RangeError: this module fails on purpose/],
  ['held', /holds a lock/],
] as const) {
  test(`a preloaded module that does not go with a fork is refused by name: ${name}`, async () => {
    const got = await runJson(`${head}
      mp.setForkserverPreload([new URL('${url(`preload/${name}.mjs`)}')]);
      const p = new mp.Process(tasks.square, 3);
      const before = await failure(() => p.start());
      const again = await failure(() => new mp.Process(tasks.square, 3).start());
      mp.setForkserverPreload([]);
      out([before, p.pid, again, mp.activeChildren().length, await mp.run(tasks.square, 3)]);`);
    expect(got[0].slice(0, 2)).toEqual(['ProcessError', 'ERR_MP_PRELOAD']);
    expect(got[0][2]).toContain(`preload/${name}.mjs`);
    expect(got[0][2]).toMatch(why);
    expect(got[1]).toBe(null);
    expect(got[2][1]).toBe('ERR_MP_PRELOAD');
    expect(got.slice(3)).toEqual([0, 9]); // what was wrong does not last
  });
}

test('a main module that does not go with a fork is loaded by each child instead', async () => {
  const end = await runScript(`${head}
    import { createServer } from 'node:net';
    export const twice = (x) => { server.close(); return 2 * x; };
    const server = createServer().listen(0);
    if (mp.isMainProcess) { out([await mp.run(twice, 4), await mp.run(twice, 5)]); server.close(); }`);
  expect([end.code, end.stdout], describe(end)).toEqual([0, '[8,10]\n']);
});

test('the main module is loaded once, and not at all if no target lives in it', async () => {
  const end = await runScript(`${head}
    process.stdout.write('load ');
    export const mine = (x) => x;
    if (mp.isMainProcess) {
      out([await mp.run(tasks.square, 2), await mp.run(tasks.square, 3)]);
      out(await Promise.all([1, 2, 3].map((x) => mp.run(mine, x))));
    }`);
  expect(end.stdout, describe(end)).toBe('load [4,9]\nload [1,2,3]\n');
});

test('what preloaded modules register for the exit is the server’s, and their shared objects are everybody’s', async () => {
  const file = fileURLToPath(new URL(`../../build/registers-${process.pid}`, import.meta.url));
  const [pids, server, shared] = await runJson(
    `${head}
    mp.setForkserverPreload([new URL('${url('preload/registers.mjs')}')]);
    const at = (name) => ({ module: '${url('preload/registers.mjs')}', export: name });
    const pids = [await mp.run(at('nothing')), await mp.run(at('nothing'))];
    out([pids, servers()[0], await Promise.all([1, 2, 3].map(() => mp.run(at('shares'))))]);`,
    { env: { REGISTERS_FILE: file } },
  );
  expect(new Set(pids).size).toBe(2);
  expect(shared).toEqual(Array(3).fill([true, false]));
  await eventually('the server has ended', () => !isRunning(server));
  expect(readFileSync(file, 'utf8')).toBe(`${server}\n`);
  rmSync(file);
});

test('a server that is killed is replaced; children that run go on', async () => {
  const got = await runJson(`${head}
    const old = new mp.Process(tasks.never).start();
    const [first] = servers();
    process.kill(first, 'SIGKILL');
    const value = await mp.run(tasks.square, 5);
    const alive = old.isAlive(), waited = await old.join(20);
    old.kill();
    const code = await old.join();
    while (servers().length > 1) await new Promise(setImmediate); // the old one, killed, has still to go
    out([value, alive, waited, code, servers().length, servers()[0] !== first]);`);
  expect(got).toEqual([25, true, null, recorded ? -9 : 255, 1, true]);
});

test('a server that is killed while 100 children run: they go on and give their results, and nothing is left', async () => {
  const [results, codes, fresh, active, servers, left, pids] = await runJson(
    `${head}
    await new mp.Process(tasks.square, 1).start().join();
    const fds = readdirSync('/proc/self/fd').length;
    const all = new mp.Barrier(101), event = new mp.Event();
    const children = Array.from({ length: 100 }, (_, i) => new mp.Process(tasks.waitsFor, all, event, i).start());
    await all.wait();
    const [server] = servers();
    process.kill(server, 'SIGKILL');
    // The first ten are killed, and no server is there to tell how they ended.
    for (const p of children.slice(0, 10)) p.kill();
    const next = new mp.Process(tasks.square, 7).start();
    const fresh = await next.result();
    // Its result comes before its end.
    await next.join();
    const other = servers().every((pid) => pid !== server);
    event.set();
    const results = await Promise.all(children.map((p) => p.result().catch((e) => e.name)));
    const joined = await Promise.all(children.map((p) => p.join()));
    const codes = [joined.slice(0, 10), joined.slice(10)].map((part) => [...new Set(part)]);
    const pids = [server, ...children.map((p) => p.pid)];
    const active = mp.activeChildren().length;
    for (const p of children) p.close();
    await new Promise(setImmediate);
    out([results, codes, [fresh, other], active, servers().length, readdirSync('/proc/self/fd').length - fds, pids]);`,
    { timeout: 90_000 },
  );
  expect(results).toEqual([
    ...Array<string>(10).fill('WorkerDiedError'),
    ...Array.from({ length: 90 }, (_, i) => i + 10),
  ]);
  expect(codes).toEqual(recorded ? [[-9], [0]] : [[255], [255]]);
  expect([fresh, active, servers]).toEqual([[49, true], 0, 1]);
  expect(left).toBeLessThanOrEqual(0);
  await eventually('all are gone', () => pids.every((pid: number) => !isRunning(pid)));
});

test('a server that is killed again and again while processes start', async () => {
  const got = await runJson(`${head}
    let started = 0; const codes = new Set();
    const killer = setInterval(() => { for (const pid of servers()) process.kill(pid, 'SIGKILL'); }, 70);
    for (let i = 0; i < 20; i++) {
      try { const p = new mp.Process(tasks.square, i).start(); started++; codes.add(await p.join()); }
      catch (e) { codes.add(e.code); }
    }
    clearInterval(killer);
    await mp.run(tasks.square, 1);
    await Promise.all(mp.activeChildren().map((p) => p.join()));
    while (servers().length > 1) await new Promise(setImmediate); // those killed have still to go
    out([[...codes].every((c) => [0, 255, 'ERR_MP_START'].includes(c)), mp.activeChildren().length, servers().length, readdirSync('/proc/self/fd').length < 60]);`);
  expect(got).toEqual([true, 0, 1, true]);
});

test('a requester that is killed leaves nothing', async () => {
  const end = await runScript(`${head}
    const all = [tasks.never, tasks.busy, tasks.stubborn].map((target) => new mp.Process({ target, stdio: 'ignore' }).start());
    await mp.run(tasks.square, 1);
    console.log([...servers(), ...all.map((p) => p.pid)].join(' '));
    process.kill(process.pid, 'SIGKILL');`);
  const pids = end.stdout.trim().split(' ').map(Number);
  expect(pids, describe(end)).toHaveLength(4);
  await eventually('all are gone', () => pids.every((pid) => !isRunning(pid)));
});

test('a requester that is killed while it starts a process leaves nothing', async () => {
  for (let i = 0; i < 5; i++) {
    const end = await runScript(`${head}
      import { spawn } from 'node:child_process';
      await mp.run(tasks.square, 1);
      console.log(servers().join(' '));
      spawn('sh', ['-c', 'sleep 0.0${i + 1}; kill -9 ' + process.pid], { stdio: 'ignore' });
      for (;;) new mp.Process({ target: tasks.never, stdio: 'ignore' }).start();`);
    expect(end.signal, describe(end)).toBe('SIGKILL');
    const server = Number(end.stdout);
    await eventually('the server, which ends after all its children, is gone', () => !isRunning(server));
  }
});

test('too few processes or descriptors: an error, and the server goes on', async () => {
  const got = await runJson(`${head}
    import { execFileSync } from 'node:child_process';
    await new mp.Process(tasks.square, 1).start().join();
    const limit = (soft) => execFileSync('prlimit', ['--pid', String(servers()[0]), '--nofile=' + soft + ':4096']);
    limit(8);
    const fds = readdirSync('/proc/self/fd').length;
    const few = await failure(() => new mp.Process(tasks.square, 2).start());
    await new Promise(setImmediate);
    const left = readdirSync('/proc/self/fd').length - fds;
    limit(4096);
    out([few, left, await mp.run(tasks.square, 3)]);`);
  expect(got[0].slice(0, 2)).toEqual(['ProcessError', 'ERR_MP_START']);
  expect(got[0][2]).toContain('EMFILE');
  expect(got.slice(1)).toEqual([0, 9]);
});

test('processes with other options of Node, or variables it reads at its start, are spawned', async () => {
  const got = await runJson(`${head}
    const parentOf = async (o) => (await new mp.Process({ target: { module: '${url('forked-by.mjs')}', export: 'parent' }, ...o }).start().result());
    const [server] = (await mp.run(tasks.square, 1), servers());
    out([await parentOf({}) === server, await parentOf({ env: { ...process.env, A: '1' } }) === server, await parentOf({ execArgv: ['--expose-gc'] }) === process.pid,
      await parentOf({ env: { ...process.env, NODE_OPTIONS: '--expose-gc' } }) === process.pid]);`);
  expect(got).toEqual([true, true, true, true]);
});

test('a child uses the server it came from; all of it ends with the program', async () => {
  const got = await runJson(`${head}
    const names = await mp.run(tasks.nested);
    out([names, servers()]);`);
  expect(got[0]).toEqual(['Process-1', 'Process-1:1']);
  expect(got[1]).toHaveLength(1);
  await eventually('the server is gone', () => !isRunning(got[1][0]));
});

test('contexts: the whole package bound to a method', async () => {
  const got = await runJson(`${head}
    const spawning = mp.getContext('spawn'), forking = mp.getContext('forkserver');
    const parent = { module: '${url('forked-by.mjs')}', export: 'parent' }, method = { module: '${url('forked-by.mjs')}', export: 'method' };
    const lock = new spawning.Lock();
    out([spawning.getStartMethod(), spawning === mp.getContext('spawn'), await spawning.run(parent) === process.pid, await forking.run(parent) === servers()[0],
      await spawning.run(method), await forking.run(method), new spawning.Process(tasks.square, 1).name, lock instanceof mp.Lock,
      (await failure(() => spawning.setStartMethod('spawn')))[1], (await failure(() => mp.getContext('fork')))[1], (await failure(() => mp.getContext('x')))[1],
      (await spawning.spawnGroup(tasks.echo, { count: 2 })).flat()]);`);
  expect(got).toEqual([
    'spawn', true, true, true, 'spawn', 'forkserver', 'Process-5', true,
    'ERR_MP_START_METHOD', 'ERR_MP_UNSUPPORTED', 'ERR_MP_START_METHOD', [0, 1],
  ]); // prettier-ignore
});

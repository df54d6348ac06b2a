// What a server and its spare process do with signals, limits, other users and bytes that are not for them.
import { expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';

const url = (name: string) => new URL(name, fixtures).href;
const head = `
import * as mp from 'multiproc';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import * as tasks from '${url('tasks.mjs')}';
const parent = { module: '${url('forked-by.mjs')}', export: 'parent' };
const out = (value) => console.log(JSON.stringify(value));
const childrenOf = (pid) => readFileSync('/proc/' + pid + '/task/' + pid + '/children', 'latin1').split(' ').filter(Boolean).map(Number);
const command = (pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'latin1'); } catch { return ''; } };
const servers = () => childrenOf(process.pid).filter((pid) => command(pid).includes('entry/forkserver'));
const until = async (f) => { for (;;) { const value = await f(); if (value) return value; await new Promise((resolve) => setTimeout(resolve, 5)); } };
/** The process that waits to be asked for. */
const spare = () => until(() => { const all = childrenOf(servers()[0]); return all.length === 1 && all[0]; });
const failure = async (f) => { try { await f(); return 'no error'; } catch (e) { return [e.name, e.code, e.errno]; } };
const channel = () => readdirSync('/proc/self/fd').map(Number).find((fd) => {
  try { return fd > 2 && readlinkSync('/proc/self/fd/' + fd).startsWith('socket:'); } catch { return false; }
});
`;
/** The first process has not only given its result: it is gone, and not taken for the one that waits. */
const chosen = `${head} mp.setStartMethod('forkserver'); await new mp.Process(tasks.square, 1).start().join();`;

test('by default nobody waits for the server: until it is ready processes are spawned', async () => {
  const got = await runJson(`${head}
    const first = new mp.Process({ target: parent }).start();
    const method = mp.getStartMethod();
    const from = await first.result();
    const forked = await until(async () => (await mp.run(parent)) === servers()[0]);
    out([method, mp.getAllStartMethods()[0], from === process.pid || from === servers()[0], forked]);`);
  expect(got).toEqual(['forkserver', 'forkserver', true, true]);
});

test('a server that cannot be had is no error by default', async () => {
  const got = await runJson(`${head}
    await until(async () => (await mp.run(parent)) === servers()[0]);
    process.kill(servers()[0], 'SIGKILL');
    out([await mp.run(tasks.square, 3), await mp.run(tasks.square, 4)]);`);
  expect(got).toEqual([9, 16]);
});

test('the process that waits is taken, and one that was killed is not missed', async () => {
  const got = await runJson(`${chosen}
    const ready = await spare();
    const p = new mp.Process(tasks.square, 3).start();
    const taken = [p.pid === ready, await p.result(), await p.join()];
    const next = await spare();
    process.kill(next, 'SIGKILL');
    const q = new mp.Process(tasks.square, 4).start();
    // It may have been given the work before it died of the signal.
    const code = await q.join();
    out([taken, q.pid === next ? code : code === 0 ? -9 : code, await mp.run(tasks.square, 5)]);`);
  expect(got).toEqual([[true, 9, 0], -9, 25]);
});

test('signals to its group while it waits mean nothing to it, those after its start do', async () => {
  const got = await runJson(`${chosen}
    const ready = await spare();
    let heard = false;
    process.on('SIGINT', () => { heard = true; });
    process.kill(0, 'SIGINT');
    await until(() => heard);
    // It is asleep again: what came is dealt with.
    await until(() => /^ShdPnd:\\s*0+$/m.test(readFileSync('/proc/' + ready + '/status', 'latin1')));
    const p = new mp.Process(tasks.square, 3).start();
    const value = await p.result();
    await spare();
    const q = new mp.Process(tasks.never).start();
    q.terminate();
    out([p.pid === ready, value, await p.join(), await q.join()]);`);
  expect(got).toEqual([true, 9, 0, -15]);
});

test('bytes that are no message cost their sender its channel, and nobody else anything', async () => {
  const got = await runJson(`${chosen}
    const old = new mp.Process(tasks.never).start();
    const [server] = servers();
    for (const bytes of [Buffer.alloc(1), Buffer.alloc(16), Buffer.alloc(5000, 'x')]) {
      await mp.run(tasks.square, 1);
      writeSync(channel(), bytes);
      if ((await mp.run(tasks.square, 2)) !== 4) throw new Error('no process after ' + bytes.length);
    }
    const alive = old.isAlive();
    old.kill();
    const code = await old.join();
    // Its own channel kept the first server, as long as it ran.
    await until(() => !servers().includes(server));
    out([alive, code, servers().length]);`);
  expect(got).toEqual([true, -9, 1]);
});

test('a peer that asks and never reads loses its channel, and keeps nobody waiting', async () => {
  const got = await runJson(`${chosen}
    const floods = { module: '${url('forked-by.mjs')}', export: 'floods' };
    const [server] = servers();
    const flooding = new mp.Process({ target: floods, args: [5000] }).start();
    const sent = await flooding.result();
    out([sent, await mp.run(parent) === server, await flooding.join()]);`);
  expect(got).toEqual([[true, 'EPIPE'], true, 0]);
});

test('a peer of another user is refused: it gets a server of its own, and the first goes on for its own user', async () => {
  const [first, refused, second, untouched, code] = await runJson(`${chosen}
    const who = { module: '${url('forked-by.mjs')}', export: 'parentAndUser' };
    const event = new mp.Event();
    const old = new mp.Process(tasks.waitsFor, new mp.Barrier(1), event, 0).start();
    const [server] = servers();
    const asked = async () => {
      const p = new mp.Process({ target: who }).start();
      await p.join();
      const [parent, user] = await p.result();
      return [parent === server, user];
    };
    const first = await asked();
    const before = await until(() => { const all = childrenOf(server); return all.length === 2 && String(all); });
    // From here on this process is a peer of another user on the first server's socket. Only the superuser can become one.
    const refused = await failure(() => { process.setgid(65533); process.setuid(65533); });
    const second = await asked();
    const untouched = String(childrenOf(server)) === before;
    event.set();
    out([first, refused, second, untouched, await old.join()]);`);
  const user = process.getuid!();
  expect(first).toEqual([true, user]);
  expect(code).toBe(0);
  if (user === 0) expect([refused, second, untouched]).toEqual(['no error', [false, 65533], true]);
  else expect([refused[1], second]).toEqual(['EPERM', [true, user]]);
});

test('what it has written is complete when it ends by process.exit(), however slowly it is read', async () => {
  const bytes = 1 << 20;
  const got = await runJson(`${chosen}
    const end = async () => {
      const target = { module: '${new URL('../storm/targets.mjs', import.meta.url).href}', export: 'writes' };
      const p = new mp.Process({ target, args: [${bytes}], stdio: ['ignore', 'pipe', 'inherit'] }).start();
      let length = 0;
      for await (const chunk of p.stdout) { length += chunk.length; await new Promise(setImmediate); }
      return [length, await p.join()];
    };
    out(await Promise.all([end(), end()]));`);
  expect(got).toEqual(Array(2).fill([bytes, 3]));
});

test('too few processes: EAGAIN, nothing is left, and the server goes on', async () => {
  const got = await runJson(`
    // The limit does not count for the superuser.
    if (process.getuid() === 0) { process.setgid(65533); process.setuid(65533); }
    ${head.replaceAll(/^import \* as (\w+) from (.*);$/gm, 'const $1 = await import($2);').replaceAll(/^import (\{.*\}) from (.*);$/gm, 'const $1 = await import($2);')}
    mp.setStartMethod('forkserver');
    await mp.run(tasks.square, 1);
    const limit = (n) => execFileSync('prlimit', ['--pid', String(servers()[0]), '--nproc=' + n]);
    limit('1:');
    const before = readdirSync('/proc/self/fd').length;
    // One may be ready already.
    const first = await failure(() => new mp.Process(tasks.square, 2).start().join());
    const second = await failure(() => new mp.Process(tasks.square, 2).start().join());
    await new Promise(setImmediate);
    const left = readdirSync('/proc/self/fd').length - before;
    limit('4000:');
    out([second, left <= 0, await mp.run(tasks.square, 3)]);`);
  expect(got).toEqual([['ProcessError', 'ERR_MP_START', 'EAGAIN'], true, 9]);
});

test('a program that gives up privileges has a server without them', async () => {
  const got = await runJson(`${chosen}
    const user = { module: '${url('forked-by.mjs')}', export: 'effectiveUser' };
    const before = await mp.run(user);
    const refused = await failure(() => process.seteuid(65533));
    out([before, refused, await mp.run(user), process.geteuid()]);`);
  const user = process.getuid!();
  expect(got).toEqual(user === 0 ? [0, 'no error', 65533, 65533] : [user, expect.anything(), user, user]);
});

test('what another user of a server names is no error of ours', async () => {
  const got = await runJson(`${chosen}
    const starts = { module: '${url('forked-by.mjs')}', export: 'starts' };
    const theirs = await new mp.Process({ target: starts, args: ['preload/fails.mjs'] }).start().result();
    out([theirs, await mp.run(tasks.square, 3), await mp.run(tasks.square, 4)]);`);
  expect(got).toEqual(['ERR_MP_PRELOAD', 9, 16]);
});

test('nobody waits for what another user of the server has it load, for ever', async () => {
  const got = await runJson(
    `${head}
    await until(async () => { const p = new mp.Process(parent).start(); return servers().includes(await p.result()); });
    const [server] = servers();
    const starts = { module: '${url('forked-by.mjs')}', export: 'starts' };
    const other = new mp.Process({ target: starts, args: ['preload/never.mjs'] }).start();
    const spawned = new (mp.getContext('spawn').Process)(tasks.never).start();
    // Its children's channels are watched by a thread while it loads.
    await until(() => readdirSync('/proc/' + server + '/task').some((id) => readFileSync('/proc/' + server + '/task/' + id + '/comm', 'latin1').trim() === 'mp-users'));
    spawned.terminate({ tree: true });
    const ends = [await spawned.join()];
    const value = await new mp.Process(tasks.square, 3).start().result();
    other.kill();
    out([...ends, value, await other.join()]);`,
    { timeout: 60_000 },
  );
  expect(got).toEqual([-15, 9, -9]);
});

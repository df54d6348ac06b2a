// What a forked process has of its parent's event loop and connections: nothing that acts.
import { expect, test } from 'vitest';
import { runJson as run } from '../support/child.js';

const head = `
import * as mp from 'multiproc';
import dns from 'node:dns'; import { createSocket } from 'node:dgram'; import { Agent, createServer as createHttp, get } from 'node:http'; import net from 'node:net'; import { once } from 'node:events';
mp.setStartMethod('fork');
const out = (value) => { console.log(JSON.stringify(value)); process.exit(); };
const listen = async (server) => { server.listen(0, '127.0.0.1'); await once(server, 'listening'); return server.address().port; };
const asked = (port, options) => new Promise((resolve, reject) => get({ port, host: '127.0.0.1', ...options }, (r) => { let text = ''; r.on('data', (d) => (text += d)).on('end', () => resolve(text)); }).on('error', reject));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;
const runJson = (source: string) => run(head + source, { forkCapable: true });

test('ports, channels and questions of its parent’s do not keep it', async () => {
  const got = await runJson(`
    const child = () => new mp.Process(() => undefined).start();
    const { port1, port2 } = new MessageChannel(); port1.onmessage = () => {};
    const channel = new BroadcastChannel('x'); channel.onmessage = () => {};
    const codes = [await child().join(5000)];
    // Nobody answers.
    const silent = createSocket('udp4').bind(0, '127.0.0.1'); await once(silent, 'listening');
    dns.setServers(['127.0.0.1:' + silent.address().port]); dns.resolve4('example.test', () => {}); dns.lookup('example.test', () => {});
    const connecting = net.connect(9, '10.255.255.1').on('error', () => {});
    const began = performance.now();
    codes.push(await child().join(5000));
    // It can use them, and its own resolver.
    const own = new mp.Process(async () => {
      port2.postMessage('to itself'); const heard = await new Promise((resolve) => (port1.ref(), port1.onmessage = (e) => (port1.close(), resolve(e.data))));
      await new Promise((resolve) => connecting.on('close', resolve).destroy());
      const answering = createSocket('udp4').bind(0, '127.0.0.1'); await once(answering, 'listening');
      answering.on('message', (query, { port }) => { const reply = Buffer.from(query); reply[2] = 0x81; reply[3] = 0x83; answering.send(reply, port, '127.0.0.1'); });
      dns.setServers(['127.0.0.1:' + answering.address().port]);
      const answer = await new Promise((resolve) => dns.resolve4('example.test', (e) => resolve(e.code))); answering.close();
      return [heard, answer];
    }).start();
    out([codes, await own.result(), await own.join(5000)]);`);
  expect(got).toEqual([[0, 0], ['to itself', 'ENOTFOUND'], 0]);
});

test('clients that keep connections make their own: fetch, agents', async () => {
  const got = await runJson(`
    let questions = 0;
    const server = createHttp((request, response) => { questions++; if (request.url !== '/never') response.end(request.url); }); const port = await listen(server);
    const fetched = () => fetch('http://127.0.0.1:' + port + '/fetched').then((r) => r.text());
    const one = new Agent({ keepAlive: true, maxTotalSockets: 1 }), busy = new Agent({ keepAlive: true, maxSockets: 1 });
    const parent = [await fetched(), await asked(port, { path: '/global' }), await asked(port, { path: '/one', agent: one })];
    const never = [1, 2].map(() => asked(port, { path: '/never', agent: busy }).catch(() => {}));
    while (questions < 4) await pause(1);
    const before = questions;
    const child = await mp.run(async () => [await fetched(), await asked(port, { path: '/global' }), await asked(port, { path: '/one', agent: one }), await asked(port, { path: '/busy', agent: busy })]);
    const after = questions; // those of the child, and none that waits in the parent
    out([parent, child, after - before, await fetched(), await asked(port, { path: '/global' }), await asked(port, { path: '/one', agent: one })]);`);
  const answers = ['/fetched', '/global', '/one'];
  expect(got).toEqual([answers, [...answers, '/busy'], 4, ...answers]);
});

test('a connection of its parent’s is closed in it: the other side hears the parent alone, and sees it end', async () => {
  const got = await runJson(`
    let heard = ''; const ended = new mp.Event();
    const server = net.createServer((s) => s.on('data', (d) => (heard += d)).on('end', () => ended.set())); const port = await listen(server);
    const c = net.connect(port, '127.0.0.1'); await once(c, 'connect'); c.write('parent ');
    const up = new mp.Event(), go = new mp.Event();
    const p = new mp.Process(async () => {
      const error = await new Promise((resolve) => { c.on('error', resolve); c.write('child'); });
      up.set(); const closed = await ended.wait(5000);
      return [error.code, error.message, closed, c.destroyed];
    }).start();
    await up.wait(); c.write('again'); await pause(20); c.destroy();
    const [code, message, closed, destroyed] = await p.result();
    out([code, message.includes('is the parent’s'), closed, destroyed, heard]);`);
  expect(got).toEqual(['ERR_MP_STATE', true, true, true, 'parent again']);
});

test('servers can be listened on again, and what is bound; texts of dates move on; timers can be set again', async () => {
  const got = await runJson(`
    const server = createHttp((request, response) => response.end('parent')); const port = await listen(server);
    const first = await fetch('http://127.0.0.1:' + port); await first.text(); const date = first.headers.get('date');
    const timer = setTimeout(() => {}, 20);
    const p = new mp.Process(async () => {
      const mine = createHttp((request, response) => response.end('child')).listen(server); await once(mine, 'listening');
      await pause(1100);
      const fresh = createHttp((request, response) => response.end('fresh')); const own = await listen(fresh);
      const date = (await fetch('http://127.0.0.1:' + own)).headers.get('date');
      fresh.closeAllConnections(); fresh.close(); mine.closeAllConnections(); mine.close();
      clearTimeout(timer);
      return date;
    }).start();
    const q = new mp.Process(() => new Promise((resolve) => { const begun = performance.now(); const t = timer; t._onTimeout = () => resolve(performance.now() - begun >= 15); t.refresh(); })).start();
    const refreshed = await q.result();
    const later = await p.result();
    out([later !== date, refreshed, await p.join(5000)]);`);
  expect(got).toEqual([true, true, 0]);
});

test('an ‘exit’ listener at the natural end cannot fork, as there is no event loop any more; others can', async () => {
  for (const [end, expected] of [
    ['', ['ERR_MP_STATE', 'beforeExit']],
    ['process.exit();', ['ended with 0']],
    ['setTimeout(() => process.exit(), 1);', ['ended with 0']],
    ["process.once('uncaughtException', () => process.exit()); throw new Error('x');", ['ended with 0']],
  ] as const) {
    const got: string = await run(
      `import * as mp from 'multiproc'; import { writeSync } from 'node:fs';
      const { Process } = mp.getContext('fork'); const me = process.pid;
      process.on('exit', () => {
        if (process.pid !== me) return;
        let said;
        try {
          const order = new mp.Value('i', 0);
          const p = new Process(async () => { await null; await new Promise((r) => setTimeout(r, 1)); process.on('exit', () => { order.value = 1; }); }).start();
          said = 'ended with ' + p.joinSync(10000) + (order.value === 1 ? '' : ', without its listeners');
        } catch (error) { said = error.code + ' ' + error.message; }
        writeSync(1, JSON.stringify(said) + '\\n');
      });
      ${end}`,
      { forkCapable: true },
    );
    for (const text of expected) expect(got).toContain(text);
    expect(got).not.toContain('without');
  }
});

test('SIGUSR1 is nothing, as there is no inspector it could open, unless somebody listens for it', async () => {
  const got = await runJson(`
    const heard = []; const listener = () => heard.push('parent');
    const signal = async (pid) => { process.kill(pid, 'SIGUSR1'); await pause(50); };
    // In the program itself Node opens its inspector where it cannot be told not to.
    const quiet = process.allowedNodeEnvironmentFlags.has('--disable-sigusr1');
    if (quiet) await signal(process.pid);
    process.on('SIGUSR1', listener); await signal(process.pid);
    const up = new mp.Event(), go = new mp.Event();
    const p = new mp.Process(async () => {
      process.on('SIGUSR1', () => heard.push('child')); up.set(); await go.wait(); await pause(20);
      process.removeAllListeners('SIGUSR1'); process.kill(process.pid, 'SIGUSR1'); await pause(20);
      return heard;
    }).start();
    const q = new mp.Process(async () => { await go.wait(); return 'alive'; }).start();
    await up.wait(); await signal(p.pid); await signal(q.pid); go.set();
    const of = [await p.result(), await q.result(), await p.join(), await q.join()];
    process.off('SIGUSR1', listener); if (quiet) await signal(process.pid);
    out([of, heard]);`);
  expect(got).toEqual([[['parent', 'child'], 'alive', 0, 0], ['parent']]);
});

test('its target and its hooks run in the async context of its start()', async () => {
  const got = await runJson(`
    import { AsyncLocalStorage } from 'node:async_hooks';
    const storage = new AsyncLocalStorage(); const hooks = []; const store = () => storage.getStore() ?? null;
    mp.onFork({ child: () => hooks.push(store()) });
    const seen = async () => { const first = store(); await null; const second = store(); await pause(2); return [...hooks, first, second, store(), await mp.run(store)]; };
    const all = [await mp.run(seen), await storage.run(1, () => mp.run(seen))];
    all.push(await storage.run(2, async () => { await pause(1); return mp.run(seen); }));
    const made = storage.run(3, () => new mp.Process(seen));
    all.push(await storage.run(4, () => made.start().result()), await mp.run(seen));
    out(all);`);
  expect(got).toEqual([null, 1, 2, 4, null].map((store) => Array(5).fill(store)));
});

test('a loader’s thread is named as what keeps the program from forking', async () => {
  const source = `import * as mp from 'multiproc';
    if (process.argv[2] === 'register') (await import('node:module')).register('data:text/javascript,export const resolve = (a, b, next) => next(a, b)');
    await import('data:text/javascript,export default 1');
    try { new (mp.getContext('fork').Process)(() => 1).start(); console.log('"started"'); } catch (e) { console.log(JSON.stringify([e.code, e.message])); }
    process.exit();`;
  const loader = [
    '--no-warnings',
    '--loader',
    'data:text/javascript,export const resolve = (a, b, next) => next(a, b)',
  ];
  for (const options of [{ args: ['register'] }, { execArgv: loader }]) {
    const [code, message] = await run(source, { forkCapable: true, ...options });
    expect(code).toBe('ERR_MP_THREADS');
    expect(message).toContain('the loader of this program');
    expect(message).toContain('module.registerHooks()');
  }
});

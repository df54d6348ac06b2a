// Connections and listeners in a process that was forked from one that has them.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { socketHead } from '../support/sockets.js';

const head = `${socketHead}
mp.setStartMethod('fork');
`;
const run = (source: string) => runJson(head + source, { forkCapable: true });

test('the child has them, too: it may go on with a connection, and close it without ending the other side', async () => {
  const got = await run(`
    const l = await mp.Listener();
    const [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]);
    await c.send('before');
    const p = new mp.Process(async () => { const v = [await a.recv(), a.recvSync()]; await a.send('from the child'); a.sendSync(v); return a.readable; }).start();
    a.close(); // the child goes on with it
    await c.send('for the child');
    const got = [await c.recv(), await c.recv(), await p.result()];
    got.push(await rejected(c.recv())); // both have closed: the child by its end
    const [b, d] = await Promise.all([l.accept(), mp.Client(l.address)]);
    await mp.run(() => { b.close(); d.close(); });
    await d.send('still');
    got.push(await b.recv());
    l.close();
    out(got);`);
  expect(got).toEqual([
    'from the child',
    ['before', 'for the child'],
    true,
    'ClosedError ERR_MP_EOF',
    'still',
  ]);
});

test('what its parent waits for does not go on in the child, which ends; the parent gets it all', async () => {
  const got = await run(`
    const l = await mp.Listener();
    const [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]);
    const big = Buffer.alloc(3_000_000, 4);
    const waits = [a.recv(), a.recv()], accepting = l.accept(), sending = a.sendBytes(big);
    const inChild = await mp.run(async () => [thrown(() => a.sendSync('in the middle')), a.closed]);
    const received = await c.recvBytes();
    await c.send('hello'); await c.send('again');
    const v = await Promise.all(waits);
    await sending;
    await a.send('fine');
    const d = await mp.Client(l.address);
    await d.send('accepted');
    const b = await accepting;
    out([inChild, received.equals(big), v, await c.recv(), await b.recv()]);
    process.exit();`);
  expect(got).toEqual([['ClosedError ERR_MP_CLOSED', false], true, ['hello', 'again'], 'fine', 'accepted']);
});

test('a listener may be served by many children; its file is not theirs to remove', async () => {
  const got = await run(`
    const l = await mp.Listener({ authkey: 'k' });
    const serve = async () => { for (let n = 0; ; n++) { const c = await l.accept(); const v = await c.recv(); await c.send(process.pid); c.close(); if (v === 'last') return n; } };
    const children = [1, 2, 3].map(() => new mp.Process(serve).start());
    const pids = new Set();
    while (pids.size < 3) { const c = await mp.Client(l.address, { authkey: 'k' }); await c.send('more'); pids.add(await c.recv()); c.close(); }
    // Each takes one "last".
    for (const p of children) { const c = await mp.Client(l.address, { authkey: 'k' }); await c.send('last'); await c.recv(); }
    for (const p of children) await p.join();
    const got = [children.every((p) => pids.has(p.pid)), existsSync(l.address)];
    await mp.run(() => { l.close(); });
    got.push(existsSync(l.address), l.closed);
    const p = new mp.Process(async () => (await mp.Listener()).address).start(), own = await p.result();
    await p.join();
    got.push(existsSync(own), existsSync(join(own, '..')));
    l.close();
    got.push(existsSync(l.address), existsSync(join(l.address, '..')));
    out(got);`);
  expect(got).toEqual([true, true, true, false, false, false, false, false]);
});

test('programs that are started have no copy of them', async () => {
  const got = await runJson(`${socketHead}
    const l = await mp.Listener(tcp), [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]);
    const { execFileSync, spawn } = await import('node:child_process');
    const socketsOf = (list) => list.match(/socket:\\[\\d+\\]/g) ?? [];
    const { readlinkSync } = await import('node:fs');
    const ours = socketsOf(readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } }).join());
    const theirs = socketsOf(execFileSync('sh', ['-c', 'ls -l /proc/self/fd'], { encoding: 'utf8' }));
    const child = spawn('sleep', ['100']);
    c.close();
    const ended = await rejected(a.recv());
    child.kill();
    l.close();
    out([ended, ours.length >= 3, theirs.filter((s) => ours.includes(s))]);`);
  expect(got).toEqual(['ClosedError ERR_MP_EOF', true, []]);
});

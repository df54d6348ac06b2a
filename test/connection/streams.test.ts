// Connections as streams: chunks are messages, in both directions, of Node and of the web.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { socketHead } from '../support/sockets.js';

const head = `${socketHead}
import { pipeline } from 'node:stream/promises';
import { Readable, Writable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
const all = async (s) => { const list = []; for await (const v of s) list.push(v); return list; };
`;

test('values: from a stream into one, to the end; the other direction goes on', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair();
    const values = [1, 'two', { three: 3 }, undefined, false, ''].filter((v) => v !== undefined);
    const received = all(a.toReadable());
    await pipeline(Readable.from(values), c.toWritable());
    const got = [await received, c.writable, c.readable, a.closed, await rejected(c.send(1))];
    await a.send('back');
    got.push(await c.recv());
    const w = a.toWritable();
    w.end('last');
    got.push(await all(c), a.writable);
    out(got);`);
  expect(got).toEqual([
    [1, 'two', { three: 3 }, false, ''],
    ...[false, true, false, 'ClosedError ERR_MP_CLOSED', 'back', ['last'], false],
  ]);
});

test('bytes: any amount through other streams; empty messages are no end', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair(tcp);
    const data = Buffer.alloc(5_000_000, 'some text ');
    const back = (async () => { const parts = []; await pipeline(a.toReadable({ bytes: true }), createGunzip(), async function (s) { for await (const p of s) parts.push(p); }); return Buffer.concat(parts); })();
    await c.sendBytes(Buffer.alloc(0));
    await pipeline(Readable.from([data]), createGzip(), c.toWritable({ bytes: true }));
    out((await back).equals(data));`);
  expect(got).toBe(true);
});

test('back-pressure: a reader who does not read stops the sender, and a writer waits for room', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair();
    const r = a.toReadable(), w = c.toWritable(), big = Buffer.alloc(100_000);
    let written = 0;
    r.once('readable', () => {});
    const writing = (async () => { for (; written < 50; written++) if (!w.write(big)) await new Promise((res) => w.once('drain', res)); w.end(); })();
    let last = -1;
    while (last !== written) { last = written; await new Promise((res) => setTimeout(res, 100)); }
    const stopped = written;
    r.removeAllListeners('readable');
    const n = (await all(r)).length;
    await writing;
    out([stopped < 25, n]);`);
  expect(got).toEqual([true, 50]);
});

test('a stream that is destroyed, or left early, takes no more, and leaves the connection as it was', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair();
    const r = a.toReadable();
    const got = [];
    await c.send(1); await c.send(2);
    for await (const v of r) { got.push(v); break; }
    got.push(r.destroyed);
    const idle = a.toReadable();
    idle.read();
    await turns();
    idle.destroy();
    await turns();
    got.push(a.readable);
    await c.send(3);
    // What was taken ahead by the stream that was left is gone with it.
    const rest = []; do rest.push(await a.recv()); while (rest.at(-1) !== 3);
    const w = c.toWritable();
    w.on('error', () => {});
    w.destroy(new Error('mine'));
    await turns();
    got.push(c.writable, rest.at(-1));
    await c.send('still');
    got.push(await a.recv(), process.getActiveResourcesInfo().filter((x) => x === 'Timeout').length);
    out(got);`);
  expect(got).toEqual([1, true, true, true, 3, 'still', 0]);
});

group.each(['node', 'web'])('errors, as streams of %s', (kind) => {
  test('reach who reads or writes: a message cut off, a peer that is gone, a value that cannot be sent', async () => {
    const got = await runJson(`${head}
      const got = [];
      const reader = (c) => ('${kind}' === 'node' ? c.toReadable() : c.toWeb().readable);
      const write = async (c, values) => ('${kind}' === 'node' ? pipeline(Readable.from(values), c.toWritable()) : new ReadableStream({ start(s) { for (const v of values) s.enqueue(v); s.close(); } }).pipeTo(c.toWeb().writable));
      const l = await mp.Listener(), p = raw(l.address), b = await l.accept();
      p.end(framed('cut off').subarray(0, 6));
      got.push(await rejected(all(reader(b))));
      b.close();
      const [a, c] = await pair();
      c.close();
      got.push(await rejected(write(a, [Buffer.alloc(1e6), 2, 3])), await rejected(all(reader(a))));
      const [d, e] = await pair();
      got.push(await rejected(write(d, [{ f() {} }])));
      l.close();
      out(got);`);
    expect(got).toEqual(['ClosedError ERR_MP_EOF', 'ClosedError ERR_MP_BROKEN_PIPE', 'fine', 'ERR_MP_CLONE']);
  });
});

test('null is a value, which a stream of Node cannot carry: an error that says so; one of the web can', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair();
    await c.send(1); await c.send(null); c.close();
    const seen = [], e = await (async () => { for await (const v of a.toReadable()) seen.push(v); })().catch((e) => e);
    const [b, d] = await pair();
    await d.send(null); d.close();
    out([nameOf(e), /cannot carry null/.test(e.message), await all(b.toWeb().readable)]);`);
  expect(got).toEqual(['TypeError ERR_MP_TYPE', true, [null]]);
});

test('web streams: chunks are messages, the end is an end, a cancelled or aborted one leaves the rest alone', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair();
    const got = [];
    const writer = c.toWeb().writable.getWriter();
    await writer.write('x'); await writer.write({ y: 1 });
    const reader = a.toWeb().readable.getReader();
    got.push((await reader.read()).value, (await reader.read()).value);
    const pending = reader.read();
    await turns();
    await reader.cancel('enough');
    got.push((await pending).done);
    await writer.write('for recv');
    got.push(await a.recv());
    await writer.close();
    got.push(await rejected(a.recv()), c.readable);
    const { writable } = a.toWeb();
    await writable.abort('no');
    await a.send('alive');
    got.push(await c.recv());
    // Bytes through a transform.
    const [p, q] = await pair(tcp);
    const text = new Response(p.toWeb({ bytes: true }).readable.pipeThrough(new DecompressionStream('gzip'))).text();
    await new Blob(['hello '.repeat(1000)]).stream().pipeThrough(new CompressionStream('gzip')).pipeTo(q.toWeb({ bytes: true }).writable);
    got.push((await text).length);
    out(got);`);
  expect(got).toEqual(['x', { y: 1 }, true, 'for recv', 'ClosedError ERR_MP_EOF', true, 'alive', 6000]);
});

test('whatever has get and put can be a stream, too', async () => {
  const got = await runJson(`${head}
    const { toReadable, toWritable } = await import('${new URL('../../lib/connection/streams.js', import.meta.url).href}');
    const items = [1, 2, 3], put = [];
    const queue = { async get() { if (items.length === 0) throw new mp.ShutDownError('over'); return items.shift(); }, async put(v) { put.push(v); } };
    await pipeline(toReadable(queue), toWritable(queue));
    out([put, thrown(() => toReadable(queue, { bytes: true })), thrown(() => toWritable(queue, { bytes: true }))]);`);
  expect(got).toEqual([[1, 2, 3], 'TypeError ERR_MP_TYPE', 'TypeError ERR_MP_TYPE']);
});

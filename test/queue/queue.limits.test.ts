// Queues and pipes where memory, or what they may hold, runs out.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runJson, scriptFile } from '../support/child.js';
import { bodyHead as head } from '../support/sync.js';

test('no memory for a large message: an error of that call, and everything goes on', () => {
  // Files, and so the segment in which all lies, of 1.5 GB at most.
  const script = scriptFile(`${head}
    const q = new mp.Queue(0, { maxBytes: 2 ** 40 }), [a, b] = mp.Pipe();
    const large = new Uint8Array(5 << 20);
    let n = 0, errors = [];
    try { for (; n < 200; n++) q.putSync(large) } catch (e) { errors.push(nameOf(e)) }
    errors.push(thrown(() => a.sendSync(large)), await rejected(q.put(large)), thrown(() => new mp.Queue(0, { ringBytes: 2 ** 30 })), thrown(() => mp.Pipe({ bytes: 2 ** 29 })));
    q.putSync('small'); a.sendSync('small');
    const got = [b.recvSync()];
    for (let i = 0; i < n; i++) if (q.getSync().length !== large.length) got.push(i);
    got.push(q.getSync());
    q.putSync(large); a.sendSync(large);
    out([n > 1 && n < 200, errors, got, q.getSync().length === b.recvSync().length]);`);
  const command = `ulimit -f 1500000; exec ${process.execPath} ${script}`;
  const got = JSON.parse(execFileSync('bash', ['-c', command], { encoding: 'utf8', timeout: 50_000 }));
  expect(got).toEqual([true, Array(5).fill('ERR_MP_MEMORY'), ['small', 'small'], true]);
});

test('a thousand queues and pipes at once, each with a message that has something shared; then none', async () => {
  const got = await runJson(
    `${head}
    const before = native.census(), q0 = new mp.Queue(), value = new mp.Value('i', 1);
    const queues = Array.from({ length: 500 }, () => new mp.Queue(0, { ringBytes: 4096 }));
    const pipes = Array.from({ length: 500 }, () => mp.Pipe({ bytes: 4096 }));
    for (const q of queues) q.putSync({ value, n: 1 });
    for (const [a] of pipes) a.sendSync([value]);
    value.close();
    let sum = 0;
    for (const q of queues) { const { value } = q.getSync(); sum += value.value; value.close() }
    for (const [, b] of pipes) { const [value] = b.recvSync(); sum += value.value; value.close() }
    const more = [];
    for (let i = 0; i < 50; i++) { const q = new mp.Queue(0, { ringBytes: 4096 }), lock = new mp.Lock(); more.push(thrown(() => q.putSync([lock]))); if (more.at(-1) !== 'fine') more.push(thrown(() => q.putSync('plain')) + ' ' + q.getSync()); lock.close(); queues.push(q) }
    const [one, other] = mp.Pipe(); more.push(thrown(() => one.sendSync([q0])), (one.sendSync('plain'), other.recvSync())); pipes.push([one, other]);
    for (const q of queues) q.close();
    for (const [a, b] of pipes) { a.close(); b.close() }
    const q = new mp.Queue(), lock = new mp.Lock();
    q.putSync(lock); q.getSync().close(); lock.close(); q.close(); q0.close();
    out([sum, [...new Set(more)].sort(), native.census().objects - before.objects]);`,
    { timeout: 55_000 },
  );
  expect(got).toEqual([1000, ['ERR_MP_MEMORY', 'fine', 'fine plain', 'plain'], 0]);
});

test('references must fit a record; the error says how many there are, and how many would', async () => {
  const got = await runJson(`${head}
    const values = Array.from({ length: 2047 }, () => new mp.Value('i', 0)), inner = new mp.Queue(0, { ringBytes: 4096 });
    const q = new mp.Queue(0, { ringBytes: 4096 }), [a, b] = mp.Pipe();
    const message = (f) => { try { return f() ?? 'fine' } catch (e) { return e.code + ' ' + e.message } };
    const counted = (list) => { for (const x of list) x.close(); return list.length };
    const got = [message(() => q.putSync(values.slice(0, 126))), counted(q.getSync()), message(() => q.putSync(values.slice(0, 127))), message(() => q.putSync([...values.slice(0, 125), inner])), q.qsize()];
    got.push(message(() => a.sendSync(values.slice(0, 2046))), counted(b.recvSync()), message(() => a.sendSync(values)), b.pollSync());
    out(got);`);
  const refused = (count: number, most: number): unknown =>
    expect.stringMatching(
      `^ERR_MP_CLONE the value has ${count} references .* where a message has room for ${most}: send it in parts`,
    );
  expect(got).toEqual([
    ...['fine', 126, refused(127, 126), refused(127, 126), 0],
    ...['fine', 2046, refused(2047, 2046), false],
  ]);
});

test('a queue that is put into itself is freed when all have closed it', async () => {
  const got = await runJson(`${head}
    const before = native.census().objects;
    for (let i = 0; i < 20; i++) { const q = new mp.Queue(); q.putSync({ q }); q.close() }
    out(native.census().objects - before);`);
  expect(got).toBe(0);
});

test('a getter that takes a large array away makes an error of that call, and everything goes on', async () => {
  const got = await runJson(`${head}
    const q = new mp.Queue(), [a, b] = mp.Pipe(), before = native.census().objects;
    const large = () => new Uint8Array(100_000), code = (f) => { try { f(); return 'fine' } catch (e) { return e.code + ' ' + e.message.split(':')[0] } };
    const detached = (u) => ({ u, get x() { return structuredClone(u, { transfer: [u.buffer] }), 1 } });
    const resized = (u = new Uint8Array(new ArrayBuffer(100_000, { maxByteLength: 200_000 }))) => ({ list: [u], get x() { return u.buffer.resize(10), 1 } });
    q.putSync(large());
    const received = q.getSync({ shared: true }), released = { received, get x() { return mp.release(received), 1 } };
    const got = [code(() => q.putSync(detached(large()))), code(() => a.sendSync(detached(large()))), code(() => q.putSync(resized())), code(() => q.putSync(released)), await rejected(q.put(detached(large())))];
    const counts = [q.qsize(), b.pollSync(), native.census().objects - before];
    q.putSync(large());
    out([got, counts, q.getSync().length]);`);
  const changed = (path: string): string =>
    `ERR_MP_CLONE ${path} is of another length than it was when it was first looked at`;
  expect(got).toEqual([
    [changed('u'), changed('u'), changed('list[0]'), changed('received'), 'ERR_MP_CLONE'],
    [0, false, 0],
    100_000,
  ]);
});

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

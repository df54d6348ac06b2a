// Messages that await would call: the fear is that a sender chooses a function that its receiver runs.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { socketHead } from '../support/sockets.js';

const lib = new URL('../../lib/', import.meta.url).href;
const head = `${socketHead}
import { decodeBytes, encodeToBytes } from '${lib}codec/index.js';
import fs from 'node:fs';
import { call, Thenable } from '${new URL('../fixtures/then.mjs', import.meta.url).href}';
const says = (f) => { try { return f() === undefined ? 'fine' : 'value'; } catch (e) { return e.code + ' ' + e.message; } };
const sent = (value, name = 'v') => says(() => void encodeToBytes(value, name));
/** As nobody's writer would write it: { [key]: node:process's abort }, a list of keys behind it. */
const text = (s) => Buffer.from([8, s.length, ...Buffer.from(s)]);
const abort = Buffer.concat([Buffer.from([33]), text('node:process'), text('abort'), Buffer.from([2])]);
const evil = (key) => Buffer.concat([Buffer.from([0xb0, 11, 4 + abort.length, 0, 0, 0]), abort, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]), text(key)]);
`;

test('a value that a promise would call is refused where it is sent', async () => {
  const got = await runJson(`${head}
    const array = Object.assign([1], { then: call }), hidden = Object.defineProperty({ call }, 'then', { value: call });
    class Instance { then = call; }
    const many = Object.assign(Object.fromEntries(Array.from({ length: 100 }, (_, i) => ['k' + i, i])), { then: call });
    const refused = [{ then: call }, { a: [call], then: call }, array, new Instance(), { get then() { return call; } }, Thenable, many];
    const fine = [{ a: { then: call } }, [{ then: call }], { then: 1, call }, { then: null }, hidden, Object.assign(new Map([[1, call]]), { then: call }), call, new (class { then() {} })()];
    out([[...new Set(refused.map((v) => sent(v)))], sent({ then: call }, ''), fine.map((v) => sent(v))]);`);
  const reason =
    'is a function: who awaits the message would take it for a promise, and call that. Send it under another name';
  expect(got).toEqual([
    [`ERR_MP_CLONE v.then ${reason}`],
    `ERR_MP_CLONE then ${reason}`,
    Array(8).fill('fine'),
  ]);
});

test('a queue refuses it, and is as before; a message with one further inside arrives', async () => {
  const got = await runJson(`${head}
    const q = new mp.Queue(), [a, b] = mp.Pipe();
    const refused = [thrown(() => q.putSync({ then: call })), await rejected(q.put({ then: call })), thrown(() => q.putManySync([1, { then: call }])), thrown(() => a.sendSync({ then: call })), q.getManySync(9), b.pollSync()];
    await q.put({ inner: { then: call } });
    const { inner } = await q.get();
    out([refused, inner.then === call, call.count]);`);
  expect(got).toEqual([[...Array<string>(4).fill('ERR_MP_CLONE'), [1], false], true, 0]);
});

test('bytes that hold one are damaged', async () => {
  const got = await runJson(`${head}
    const aClass = Buffer.concat([Buffer.from([0xb0]), encodeToBytes([0, Thenable], 'v').bytes.subarray(8)]);
    const inside = encodeToBytes([{ then: call }], 'v').bytes;
    out([evil('then'), aClass, evil('than'), inside].map((bytes) => says(() => decodeBytes(bytes))));`);
  expect(got[0]).toMatch(/^ERR_MP_DAMAGED .*who awaits it would call/);
  expect(got.slice(1)).toEqual([got[0], 'value', 'value']);
});

test('no function crosses a socket, in either direction', async () => {
  const got = await runJson(`${head}
    const [a, c] = await pair();
    const refused = [says(() => c.sendSync({ list: [1, fs.existsSync] })), says(() => c.sendSync(() => {}))];
    const received = [];
    // A stranger without a key.
    const l = await mp.Listener(tcp), client = raw(l.address), server = await l.accept();
    for (const bytes of [evil('then'), evil('than'), encodeToBytes([fs.existsSync], 'v').bytes]) client.write(framed(Buffer.from(bytes).toString('latin1')));
    client.write(framed(Buffer.from(encodeToBytes('fine', 'v').bytes).toString('latin1')));
    received.push(await rejected(server.recv()), thrown(() => server.recvSync()), await rejected(server.recv()), await server.recv());
    for (const closable of [a, c, server, l]) closable.close();
    client.destroy();
    out([refused, received]);`);
  expect(got[0][0]).toMatch(
    /^ERR_MP_CLONE value\.list\[1\] is a function: functions cannot be sent over a socket/,
  );
  expect(got[0][1]).toMatch(/^ERR_MP_CLONE value is a function: functions cannot be sent over a socket/);
  expect(got[1]).toEqual(['ERR_MP_DAMAGED', 'ERR_MP_DAMAGED', 'ERR_MP_DAMAGED', 'fine']);
});

test('results of processes and pools never are one: what awaits them in the worker has called it', async () => {
  const got = await runJson(`${head}
    import { giveHolder, giveThenable } from '${new URL('../fixtures/then.mjs', import.meta.url).href}';
    if (mp.isMainProcess) {
      const pool = new mp.Pool(1);
      const all = [];
      for (const run of [(f) => mp.run(f), (f) => pool.apply(f)]) all.push(await run(giveThenable), await rejected(run(giveHolder)), await run(giveThenable));
      all.push(await pool.map(giveThenable, [1, 2]), call.count);
      await pool.terminate();
      out(all);
    }`);
  const [value, refused] = ['called', 'ERR_MP_CLONE'];
  expect(got).toEqual([value, refused, value, value, refused, value, [value, value], 0]);
});

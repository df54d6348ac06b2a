// The face of a connection, over each kind of socket: messages, their ends, waiting in both forms.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { places, socketHead } from '../support/sockets.js';
import { closedError, rangeError, timeoutError, typeError } from '../support/sync.js';

const eof = 'ClosedError ERR_MP_EOF';
const brokenPipe = 'ClosedError ERR_MP_BROKEN_PIPE';

group.each(Object.entries(places))('over a socket by %s', (_kind, place) => {
  test('messages arrive whole, in order and as they were, whatever their size; empty ones are messages', async () => {
    const got = await runJson(`${socketHead}
      const [a, c] = await pair(${place});
      const sizes = [0, 1, 3, 4, 5, 0, 65_531, 65_532, 65_533, 65_536, 65_537, 131_072, 1_048_577, 5_000_000, 0, 7];
      const bytes = (n, i) => Buffer.alloc(n, i + 1);
      const sent = Promise.all(sizes.map((n, i) => c.sendBytes(bytes(n, i))));
      const same = [];
      for (const [i, n] of sizes.entries()) same.push(bytes(n, i).equals(await a.recvBytes()));
      await sent;
      const values = [null, undefined, 5, 'text', [1, , 3], { a: { b: new Date(7) } }, new Map([[1, new Set('x')]]), 2n ** 70n, new Float64Array(3), Buffer.from('b'), new Error('e')];
      const returned = [];
      for (const v of values) { await a.send(v); const { value } = [null, await c.recv()].reduce((o, value) => ({ value })); returned.push(value); }
      const { deepStrictEqual } = await import('node:assert');
      deepStrictEqual(returned.slice(0, -1), values.slice(0, -1));
      out([same.every(Boolean), same.length, returned.at(-1).message]);`);
    expect(got).toEqual([true, 16, 'e']);
  });

  test('its ends: what was sent is received, then EOF, again and again; nobody is there to be sent to', async () => {
    const got = await runJson(`${socketHead}
      const [a, c] = await pair(${place});
      const got = [[a.readable, a.writable, a.closed]];
      await c.send(1); await c.sendBytes(Buffer.alloc(0)); await c.send(3);
      c.close(); c.close(); c[Symbol.dispose]();
      got.push([c.readable, c.writable, c.closed]);
      got.push([await a.poll(), await a.recv(), (await a.recvBytes()).length, a.tryRecv(), await a.poll(), a.pollSync()]);
      for (const f of [() => a.recv(), () => a.recvBytes(), () => a.recvBytesInto(Buffer.alloc(9)), () => a.recv(0)]) got.push(await rejected(f()));
      for (const f of [() => a.recvSync(), () => a.recvBytesSync(), () => a.tryRecv()]) got.push(thrown(f));
      // The first send may still be taken by a network.
      let code; while ((code = await rejected(a.send(2))) === 'fine') await turns();
      got.push(code, thrown(() => a.sendSync(2)), thrown(() => a.trySend(2)), [a.readable, a.writable, a.closed]);
      for (const f of [() => c.send(1), () => c.recv(), () => c.poll(), () => c.sendBytes(Buffer.alloc(1))]) got.push(await rejected(f()));
      got.push(thrown(() => c.tryRecv()), thrown(() => c.pollSync()));
      out(got);`);
    expect(got).toEqual([
      [true, true, false],
      [false, false, true],
      [true, 1, 0, { value: 3 }, true, true],
      ...Array(7).fill(eof),
      ...[brokenPipe, brokenPipe, brokenPipe, [false, false, false]],
      ...Array(6).fill(closedError),
    ]);
  });
});

test('parts of a buffer are sent, by the rules of Python; nonsense is refused before anything is sent', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair(tcp);
    const data = Buffer.from('abcdef'), text = [];
    for (const o of [undefined, {}, { offset: 2 }, { offset: 6 }, { size: 2 }, { offset: 1, size: 0 }, { offset: 5, size: 1 }]) {
      await c.sendBytes(data, o);
      text.push((await a.recvBytes()).toString());
    }
    for (const d of [new Uint16Array([97, 98]), new DataView(data.buffer, data.byteOffset, 3), Uint8Array.from([99]).buffer, new SharedArrayBuffer(1)]) {
      c.sendBytesSync(d);
      text.push(a.recvBytesSync().toString('latin1'));
    }
    const range = [{ offset: -1 }, { offset: 7 }, { size: -1 }, { size: 7 }, { offset: 5, size: 2 }, { offset: 0.5 }, { size: NaN }, { timeout: -1 }];
    const type = [{ offset: '1' }, { size: 1n }, 5, { signal: 1 }];
    const refused = [];
    for (const o of [...range, ...type]) refused.push([await rejected(c.sendBytes(data, o)), o === type[3] ? '${typeError}' : thrown(() => c.sendBytesSync(data, o))]);
    for (const d of ['abc', 5, null, undefined, [1]]) refused.push([await rejected(c.sendBytes(d)), thrown(() => c.sendBytesSync(d))]);
    const odd = [];
    for (const l of [-1, 1.5, NaN]) odd.push(await rejected(a.recvBytes(l)), thrown(() => a.recvBytesSync(l)), thrown(() => a.recvBytesIntoSync(data, l)));
    odd.push(await rejected(a.recvBytesInto(data, 7)), await rejected(a.poll(-1)), thrown(() => a.pollSync(NaN)));
    odd.push(await rejected(a.recvBytes('5')), await rejected(a.recvBytesInto('abc')), await rejected(a.recvBytesInto(new ArrayBuffer(5))), thrown(() => a.recvSync({ signal: AbortSignal.abort() })));
    await c.send('still works');
    out([text, refused, odd, await a.recv()]);`);
  expect(got[0]).toEqual(['abcdef', 'abcdef', 'cdef', '', 'ab', '', 'f', 'a\0b\0', 'abc', 'c', '\0']);
  expect(got[1]).toEqual([
    ...Array(8).fill([rangeError, rangeError]),
    ...Array(9).fill([typeError, typeError]),
  ]);
  expect(got[2]).toEqual([...Array(12).fill(rangeError), ...Array(4).fill(typeError)]);
  expect(got[3]).toBe('still works');
});

test('bytes into a buffer: how many; those that do not fit come with the error, and the next message is next', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair(tcp);
    for (const text of ['one', 'two', '', 'far too long', 'again too long', 'four']) await c.sendBytes(Buffer.from(text));
    const into = new Uint8Array(8), got = [];
    got.push(await a.recvBytesInto(into), a.recvBytesIntoSync(new Uint16Array(into.buffer, 4), 1), await a.recvBytesInto(into, 8));
    got.push(Buffer.from(into).toString());
    const short = (e) => [nameOf(e), e.bytes.toString(), e instanceof mp.BufferTooShortError];
    got.push(await a.recvBytesInto(into).catch(short));
    try { a.recvBytesIntoSync(into, 7); } catch (e) { got.push(short(e)); }
    got.push(await a.recvBytesInto(into, 4), Buffer.from(into).toString());
    out(got);`);
  expect(got).toEqual([
    ...[3, 3, 0, 'one\0\0two'],
    ['BufferTooShortError ERR_MP_BUFFER_TOO_SHORT', 'far too long', true],
    ['BufferTooShortError ERR_MP_BUFFER_TOO_SHORT', 'again too long', true],
    ...[4, 'one\0four'],
  ]);
});

test('a message above maxLength or maxMessage is an error, and the end of receiving; sending goes on', async () => {
  const got = await runJson(`${socketHead}
    const got = [];
    const state = (a) => [a.readable, a.writable];
    let [a, c] = await pair(tcp);
    await c.sendBytes(Buffer.alloc(10)); await c.sendBytes(Buffer.alloc(11));
    got.push((await a.recvBytes(10)).length, await a.poll(), await rejected(a.recvBytes(10)), await rejected(a.recvBytes()), state(a));
    await a.send('back');
    got.push(await c.recv());
    [a, c] = await pair(tcp, { maxMessage: 1000 });
    await c.sendBytes(Buffer.alloc(1000)); await c.sendBytes(Buffer.alloc(1001));
    got.push((await a.recvBytes()).length, await a.poll(), thrown(() => a.recvBytesSync()), thrown(() => a.tryRecv()), state(a));
    out(got);`);
  expect(got).toEqual([
    ...[10, true, 'ERR_MP_TOO_LONG', closedError, [false, true], 'back'],
    ...[1000, true, 'ERR_MP_TOO_LONG', closedError, [false, true]],
  ]);
});

test('poll: nothing, then a message, again and again until it is taken; waits its time, and takes nothing', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair(tcp);
    const got = [await a.poll(), a.pollSync(), await a.poll(0), a.pollSync(0)];
    const timed = async (ms, f) => { const from = performance.now(); return [await f(), performance.now() - from >= ms - 1]; };
    got.push(await timed(20, () => a.poll(20)), await timed(20, () => a.pollSync({ timeout: 20 })));
    const waiting = [a.poll(Infinity), a.poll({ timeout: 1e9 }), a.recv()];
    await turns();
    await c.sendBytes(Buffer.alloc(200_000, 1)); // does not decode
    got.push(await waiting[0], await waiting[1], await rejected(waiting[2]), await a.poll());
    await c.send('x');
    got.push(await a.poll(1e6), await a.poll(), a.pollSync(1e6), a.pollSync(), await a.recv(), await a.poll());
    // Half a message is none yet.
    const l = await mp.Listener(tcp), half = raw(l.address), b = await l.accept();
    half.write(framed('message').subarray(0, 8));
    got.push(await b.poll(50), b.pollSync(1));
    half.write(framed('message').subarray(8));
    got.push(await b.poll(Infinity), (await b.recvBytes()).toString());
    half.destroy(); l.close();
    out(got);`);
  expect(got).toEqual([
    ...[false, false, false, false, [false, true], [false, true]],
    ...[true, true, 'ERR_MP_DAMAGED', false],
    ...[true, true, true, true, 'x', false],
    ...[false, false, true, 'message'],
  ]);
});

test('receivers and senders wait in line, asynchronous and blocking ones together', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair();
    const order = [];
    const note = (name) => (v) => order.push(name + v);
    const first = [a.recv().then(note('a')), a.recv().then(note('b'))];
    for (let i = 1; i <= 4; i++) await c.send(i);
    const here = a.recvSync(); // the two before it come first
    await Promise.all([...first, a.recv().then(note('d'))]);
    // More than sockets hold: the rest waits, and the blocking one waits for it.
    const big = Buffer.alloc(3_000_000, 5), all = [];
    const sends = [c.sendBytes(big), c.sendBytes(Buffer.from('second'))];
    big.fill(6); // sent as it was
    const late = thrown(() => c.sendSync('third', 50));
    const small = c.trySend('fourth');
    for (let i = 0; i < 2; i++) all.push(await a.recvBytes());
    await Promise.all(sends);
    await c.send('last');
    out([here, order.sort(), late, small, all[0].length, all[0].every((b) => b === 5), String(all[1]), await a.recv()]);`);
  expect(got).toEqual([3, ['a1', 'b2', 'd4'], timeoutError, false, 3_000_000, true, 'second', 'last']);
});

test('a receiver that gives up takes nothing with it: not its turn, not half a message', async () => {
  const got = await runJson(`${socketHead}
    const l = await mp.Listener(tcp), peer = raw(l.address), a = await l.accept();
    const got = [await rejected(a.recv(0)), await rejected(a.recv(10)), thrown(() => a.recvSync(10)), thrown(() => a.recvBytesSync(null, 0)), a.tryRecv()];
    const c = new AbortController(), reason = { why: 1 };
    const aborted = a.recvBytes(null, { signal: c.signal }).catch((e) => e === reason), stays = a.recvBytes();
    const big = framed('x'.repeat(300_000));
    peer.write(big.subarray(0, 200_000));
    await turns(20);
    c.abort(reason);
    got.push(await aborted, await a.recvBytes(null, { signal: c.signal }).catch((e) => e === reason), await rejected(a.recv({ timeout: 30 })));
    got.push(await a.poll({ signal: c.signal }).catch((e) => e === reason));
    peer.write(big.subarray(200_000));
    got.push((await stays).length);
    peer.destroy(); l.close();
    out(got);`);
  expect(got).toEqual([
    ...[timeoutError, timeoutError, timeoutError, timeoutError, null],
    ...[true, true, timeoutError, true, 300_000],
  ]);
});

test('a sender that gives up in the middle spoils nothing: its message arrives; one that has not begun does not', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair();
    const big = Buffer.alloc(2_000_000, 7), stop = new AbortController(), reason = { why: 2 };
    const begun = c.sendBytes(big, { timeout: 20 }).catch((e) => [nameOf(e), /its rest goes out/.test(e.message)]);
    const got = [rejected(c.send('never', 10)), c.send('nor this', { signal: stop.signal }).catch((e) => e === reason)];
    stop.abort(reason);
    const results = [await begun, ...await Promise.all(got), await c.send(1, { signal: stop.signal }).catch((e) => e === reason)];
    big.fill(9);
    const message = await a.recvBytes();
    results.push(message.length, message.every((b) => b === 7));
    // A blocking one likewise.
    results.push(thrown(() => c.sendBytesSync(big, { timeout: 20 })));
    big.fill(1);
    await Promise.all([a.recvBytes().then((m) => results.push(m.length, m.every((b) => b === 9))), c.send('end')]);
    results.push(await a.recv());
    out(results);`);
  expect(got).toEqual([
    [timeoutError, true],
    ...[timeoutError, true, true, 2_000_000, true, timeoutError, 2_000_000, true, 'end'],
  ]);
});

test('closing ends who waits to receive; what was sent before still arrives', async () => {
  const got = await runJson(`${socketHead}
    const before = descriptors();
    const [a, c] = await pair();
    const waits = [a.recv(), a.poll(Infinity), a.recvBytes()].map(rejected);
    const big = Buffer.alloc(4_000_000, 3), sent = a.sendBytes(big), last = a.send('last');
    a.close();
    const ended = await Promise.all(waits);
    const m = await c.recvBytes();
    const got = [ended, m.equals(big), await c.recv(), await rejected(c.recv()), await rejected(sent), await rejected(last)];
    c.close();
    // A peer that is gone ends a sender that waits.
    const [b, d] = await pair();
    const stuck = rejected(b.sendBytes(big)), behind = rejected(b.send(1));
    d.close();
    got.push(await stuck, await behind);
    b.close();
    await turns();
    out([...got, descriptors() - before]);`);
  expect(got).toEqual([
    [closedError, closedError, closedError],
    ...[true, 'last', eof, 'fine', 'fine', brokenPipe, brokenPipe, 0],
  ]);
});

test('a message that its sender did not finish is an error that says so, also where messages are iterated over', async () => {
  const got = await runJson(`${socketHead}
    const got = [];
    for (const bytes of [2, 4, 7]) {
      const l = await mp.Listener(tcp), peer = raw(l.address), a = await l.accept();
      const values = [];
      peer.end(Buffer.concat([framed('whole'), framed('cut off').subarray(0, bytes)]));
      got.push((await a.recvBytes()).toString());
      const e = await (async () => { for await (const v of a) values.push(v); })().catch((e) => e);
      got.push(nameOf(e), /in the middle of a message/.test(e.message), values.length, await a.poll(), thrown(() => a.recvSync()));
      a.close(); l.close();
    }
    const [a, c] = await pair();
    for (const v of [1, undefined, null, 'x']) await c.send(v);
    c.close();
    const seen = [];
    for await (const v of a) { seen.push(String(v)); if (v === null) break; }
    for await (const v of a) seen.push(v);
    got.push(seen, a.closed);
    out(got);`);
  expect(got).toEqual([
    ...Array(3).fill(['whole', eof, true, 0, true, eof]).flat(),
    ['1', 'undefined', 'null', 'x'],
    false,
  ]);
});

test('what cannot be sent over a socket is refused by its path, and nothing is sent', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair();
    const text = (f) => { try { f(); return 'fine' } catch (e) { return e.code + ' ' + e.message } };
    const l = await mp.Listener(), lock = new mp.Lock();
    const got = [{ on: { done() {} } }, [0, { lock }], new mp.Value('i', 1), { c }, { l }].map((v) => text(() => c.sendSync(v)));
    got.push(text(() => new mp.Process('ignored', c).start()), text(() => mp.share(c)), c.trySend('fine'), await a.recv());
    // A peer cannot send them either.
    const { encode } = await import('${new URL('../../lib/transfer/codec.js', import.meta.url).href}');
    await c.sendBytes(encode({ lock }, '').bytes);
    await c.sendBytes(Buffer.from('garbage'));
    got.push(await rejected(a.recv()), await rejected(a.recv()));
    l.close(); lock.close();
    out(got);`);
  expect(got[0]).toMatch(/^ERR_MP_CLONE value\.on\.done is a function/);
  expect(got[1]).toMatch(/^ERR_MP_CLONE value\[1\]\.lock is a shared Lock: it cannot be sent over a socket/);
  expect(got[2]).toMatch(/^ERR_MP_CLONE value is a shared Value/);
  expect(got[3]).toMatch(/^ERR_MP_CLONE <Connection with the listener at .*> cannot be sent/);
  expect(got[4]).toMatch(/^ERR_MP_CLONE <Listener at .*> cannot be sent/);
  expect(got[6]).toMatch(/^ERR_MP_CLONE <Connection/);
  expect(got.slice(7)).toEqual([true, 'fine', 'ERR_MP_DAMAGED', 'ERR_MP_DAMAGED']);
});

test('a receiver that always finds something leaves the event loop its turns', async () => {
  const got = await runJson(`${socketHead}
    const [a, c] = await pair();
    let stop = false, turnsSeen = 0, received = 0;
    setTimeout(() => (stop = true), 100);
    const tick = () => { turnsSeen++; if (!stop) setImmediate(tick); };
    setImmediate(tick);
    await Promise.all([
      (async () => { while (!stop) await c.sendBytes(Buffer.alloc(60_000)); c.close(); })(),
      (async () => { try { for (;;) { await a.recvBytes(); received++; } } catch {} })(),
    ]);
    out([stop, turnsSeen > 10, received > 10]);`);
  expect(got).toEqual([true, true, true]);
});

test('a length of eight bytes is a length; one that is claimed allocates nothing', async () => {
  const got = await runJson(`${socketHead}
    const l = await mp.Listener(tcp, { maxMessage: 2 ** 40 });
    const long = (n) => { const b = Buffer.alloc(12, 255); b.writeBigUInt64BE(BigInt(n), 4); return b; };
    const got = [];
    let p = raw(l.address), a = await l.accept();
    p.write(Buffer.concat([long(5), Buffer.from('hello'), long(0), long(100_000), Buffer.alloc(100_000, 1)]));
    got.push((await a.recvBytes()).toString(), (await a.recvBytes()).length, (await a.recvBytes()).every((b) => b === 1));
    const before = process.memoryUsage();
    for (const claim of [Buffer.from([0x7f, 255, 255, 255]), long(2 ** 39)]) {
      p = raw(l.address), a = await l.accept();
      p.end(Buffer.concat([claim, Buffer.alloc(3_000_000)]));
      const e = await a.recvBytes().catch((e) => e);
      got.push(nameOf(e), /in the middle/.test(e.message));
    }
    const after = process.memoryUsage();
    got.push(after.external + after.arrayBuffers - before.external - before.arrayBuffers < 100e6);
    for (const claim of [long(2n ** 60n), Buffer.from([0xff, 255, 255, 0xfe]), long(2 ** 41)]) {
      p = raw(l.address), a = await l.accept();
      p.end(claim);
      got.push(await rejected(a.recvBytes()), a.readable);
      a.close();
    }
    l.close();
    process.stdout.write(JSON.stringify(got) + '\\n');
    process.exit();`);
  expect(got).toEqual([
    ...['hello', 0, true, eof, true, eof, true, true],
    ...['ERR_MP_DAMAGED', false, 'ERR_MP_DAMAGED', false, 'ERR_MP_TOO_LONG', false],
  ]);
});

// Pipes: what comes out at the other end, when their calls wait, whose an end is, and how the other side hears of an end.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import {
  bodyHead as head,
  closedError,
  grounds,
  rangeError,
  timeoutError,
  typeError,
} from '../support/sync.js';

const eof = 'ClosedError ERR_MP_EOF';
const broken = 'ClosedError ERR_MP_BROKEN_PIPE';

group('messages', () => {
  test('values and bytes, of all sizes, both ways, are neither merged nor split', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe({ bytes: 4096 }), wrong = [];
      const sizes = [0, 1, 7, 8, 9, 500, 1000, 1016, 1017, 4096, 5000, 100_000, 3];
      for (const [from, to] of [[a, b], [b, a]]) {
        for (const n of sizes) {
          const bytes = Buffer.alloc(n, n % 251), text = 'é'.repeat(n);
          from.sendBytesSync(bytes); if (!to.recvBytesSync().equals(bytes)) wrong.push(['bytes', n]);
          from.sendSync(text); if (to.recvSync() !== text) wrong.push(['text', n]);
          await from.send({ n, bytes }); const m = await to.recv(); if (m.n !== n || !bytes.equals(m.bytes)) wrong.push(['object', n]);
        }
        // Many at once, and round the ring.
        for (let round = 0; round < 50; round++) {
          for (let i = 0; i < 20; i++) from.sendBytesSync(Buffer.alloc(i * 3, i));
          for (let i = 0; i < 20; i++) if (!to.recvBytesSync().equals(Buffer.alloc(i * 3, i))) wrong.push([round, i]);
        }
      }
      out([wrong, a.tryRecv(), b.tryRecv(), b.pollSync(), [a.readable, a.writable]]);`);
    expect(got).toEqual([[], null, null, false, [true, true]]);
  });

  test('integers of all sizes, and bytes that look like one', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe({ bytes: 4096 }), bad = [];
      const all = [0, -0, 1, -1, 127, 128, -129, 65535, 65536, -65537, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 0.5, NaN];
      for (let i = 0; i < 3000; i++) {
        const v = i < all.length ? all[i] : (Math.imul(i, 2654435761) >>> (i % 31)) * (i % 3 ? 1 : -1);
        a.sendSync(v); a.sendSync([v]);
        const one = b.recvSync(), [other] = b.recvSync();
        if (!Object.is(one, v) || !Object.is(other, v)) bad.push([v, one, other]);
      }
      const bytes = Buffer.from([0xb0, 6, 1, 0, 0, 0]);
      a.sendBytesSync(bytes);
      out([bad, b.recvBytesSync().equals(bytes)]);`);
    expect(got).toEqual([[], true]);
  });

  test('poll says what is there and takes nothing; parts of buffers are sent, and received into others', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe(), data = Buffer.from('0123456789');
      a.sendBytesSync(data, { offset: 2, size: 3 }); a.sendBytesSync(data, { offset: 10 }); await a.sendBytes(new Uint16Array([0x4142]), { offset: 1 });
      const polls = [b.pollSync(), await b.poll(), b.pollSync(5)];
      const target = Buffer.alloc(8, '.');
      const counts = [b.recvBytesIntoSync(target, 4), await b.recvBytesInto(target), b.recvBytesIntoSync(new DataView(target.buffer, target.byteOffset, 8))];
      a.sendBytesSync(data); a.sendBytesSync(data); a.sendSync('next');
      const short = (f) => { try { f() } catch (e) { return [nameOf(e), e.bytes.toString()] } };
      const shorts = [short(() => b.recvBytesIntoSync(target, 1)), short(() => b.recvBytesSync(9))];
      const other = [thrown(() => b.recvBytesSync()), b.recvSync()];
      a.sendBytesSync(data);
      out([polls, counts, target.toString(), shorts, other, String(b.recvSync())]);`);
    const short = ['BufferTooShortError ERR_MP_BUFFER_TOO_SHORT', '0123456789'];
    expect(got).toEqual([
      [true, true, true],
      [3, 0, 1],
      'A...234.',
      [short, short],
      ['ERR_MP_STATE', 'next'],
      '0123456789',
    ]);
  });

  test('shared objects and large arrays go through; nothing of them is left behind', async () => {
    const got = await runJson(`${head}
      const before = native.census().objects, [a, b] = mp.Pipe(), [c, d] = mp.Pipe(false);
      for (let i = 0; i < 30; i++) {
        const value = new mp.Value('i', i), queue = new mp.Queue();
        a.sendSync({ value, queue, big: new Float64Array(10_000).fill(i), nested: [value] });
        value.close(); queue.close();
      }
      let wrong = 0;
      for (let i = 0; i < 30; i++) {
        const { value, queue, big, nested } = b.recvSync();
        if (value.value !== i || nested[0].value !== i || big[9_999] !== i) wrong++;
        value.close(); queue.close();
      }
      const inner = new mp.Value('i', 1);
      a.sendSync({ c }); a.sendSync([inner]); c.close(); inner.close();
      d.sendSync('to whoever has it');
      const end = b.recvSync().c, heard = end.recvSync();
      for (const o of [end, d, a, b]) o.close();              // [inner] goes with the pipe
      out([wrong, heard, native.census().objects - before]);`);
    expect(got).toEqual([0, 'to whoever has it', 0]);
  });

  test('a pipe in itself is let go with its ends', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe();
      a.sendSync(a); a.sendSync(b);
      const again = b.recvSync();
      again.sendSync('through the copy');
      const other = b.recvSync();
      out([other.recvSync(), again === a]);`);
    expect(got).toEqual(['through the copy', false]);
  });
});

group('waiting, and ends', () => {
  test('who sends more than there is room for waits, and is served in order', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe({ bytes: 4096 });
      let n = 0;
      while (a.trySend(n)) n++;
      const late = [rejected(a.send('never', 5)), thrown(() => a.sendSync('never', 5)), a.send(n), a.send({ n: n + 1 }), a.sendBytes(Buffer.from('x'))];
      const first = [await late[0], late[1], a.trySend('past')], seen = [];
      for (let i = 0; i <= n; i++) seen.push(await b.recv());
      const rest = [(await b.recv()).n - n, String(await b.recvBytes())];
      await Promise.all(late);
      out([first, seen.every((v, i) => v === i), rest, b.tryRecv()]);`);
    expect(got).toEqual([[timeoutError, timeoutError, false], true, [1, 'x'], null]);
  });

  test('timeouts, aborts and close() end the calls that wait', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe(), controller = new AbortController();
      const calls = [rejected(b.recv(5)), rejected(b.recv({ signal: controller.signal })), b.poll(5), rejected(b.recvBytes()), thrown(() => b.recvSync({ timeout: 0 })), b.pollSync(5)];
      controller.abort(new RangeError('mine'));
      const early = [await calls[0], await calls[1], await calls[2], calls[4], calls[5]];
      b.close(); b.close();
      out([early, await calls[3], thrown(() => b.recvSync()), await rejected(b.send(1)), b.closed, b.readable]);`);
    expect(got).toEqual([
      [timeoutError, 'RangeError undefined', false, timeoutError, false],
      closedError,
      closedError,
      closedError,
      true,
      false,
    ]);
  });

  test('when the other end is closed, what it sent comes first, then the end of the stream; sending breaks', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe(), [c, d] = mp.Pipe(), [e, f] = mp.Pipe();
      a.sendSync(1); a.sendSync(2); a.close();
      const seen = [];
      for await (const v of b) seen.push(v);
      const waits = [rejected(d.recv()), d.poll(Infinity)];
      let n = 0; while (e.trySend(n)) n++;
      const full = rejected(e.send('no room')), again = mp.open(mp.share(f));
      c.close(); f.close(); await turns();
      const still = e.writable && b.pollSync();
      again.close();
      out([seen, b.pollSync(), thrown(() => b.recvSync()), thrown(() => b.tryRecv()), thrown(() => b.sendSync(1)), await rejected(b.send(1)), thrown(() => b.recvBytesSync()),
        await waits[0], await waits[1], still, await full]);`);
    expect(got).toEqual([[1, 2], true, eof, eof, broken, broken, eof, eof, true, true, broken]);
  });

  test('who waits for room is told of an end that closes at any step of the call', async () => {
    const got = await runJson(`${head}
      const { load } = Atomics, text = 'a message of some length'.repeat(9), heard = [];
      for (const later of [false, true]) {
        for (const step of [1, 2, 3, 4]) {
          const [a, b] = mp.Pipe({ bytes: 4096 });
          while (a.trySend(text));
          let steps = 0;
          Atomics.load = (...args) => {
            const value = load(...args);
            if (++steps === step) b.close();
            return value;
          };
          const sent = later ? rejected(a.send(text, 1000)) : thrown(() => a.sendSync(text, 1000));
          Atomics.load = load;
          heard.push(steps >= step && await sent);
        }
      }
      out(heard);`);
    expect(got).toEqual(Array.from({ length: 8 }, () => broken));
  });

  test('with one direction, each end does one thing', async () => {
    const got = await runJson(`${head}
      const [r, w] = mp.Pipe(false);
      w.sendSync(1);
      out([r.recvSync(), thrown(() => r.sendSync(1)), thrown(() => w.recvSync()), thrown(() => w.pollSync()), [r.readable, r.writable, w.readable, w.writable]]);`);
    expect(got).toEqual([1, 'ERR_MP_STATE', 'ERR_MP_STATE', 'ERR_MP_STATE', [true, false, false, true]]);
  });

  test('bad input is refused by the call', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe(), bytes = Buffer.alloc(4);
      out([
        thrown(() => mp.Pipe(1)), thrown(() => mp.Pipe({ duplex: 1 })), thrown(() => mp.Pipe({ bytes: 5000 })), thrown(() => mp.Pipe({ bytes: '1' })),
        thrown(() => a.sendBytesSync('text')), thrown(() => a.sendBytesSync(bytes, { offset: 5 })), thrown(() => a.sendBytesSync(bytes, { offset: -1 })), thrown(() => a.sendBytesSync(bytes, { size: 5 })), thrown(() => a.sendBytesSync(bytes, { size: 1.5 })),
        await rejected(a.recvBytes(-1)), thrown(() => a.recvBytesIntoSync('x')), thrown(() => a.recvBytesIntoSync(bytes, 5)), thrown(() => a.pollSync(-1)), thrown(() => a.sendSync(Symbol())), thrown(() => a.sendSync({ get x() { a.sendSync(1) } })),
        (a.sendSync('fine'), b.recvSync()), b.pollSync(),
      ]);`);
    const [t, r] = [typeError, rangeError];
    expect(got).toEqual([
      t,
      t,
      r,
      t,
      t,
      r,
      r,
      r,
      r,
      r,
      t,
      r,
      r,
      'ERR_MP_CLONE',
      'ERR_MP_BUSY',
      'fine',
      false,
    ]);
  });
});

group.each(grounds)('with a %s at the other end', (ground) => {
  const begin = `${head}
    const begin = (body, ...args) => start('${ground}', body, ...args);
  `;

  test('ping and pong, blocked and not', async () => {
    const got = await runJson(`${begin}
      const [a, b] = mp.Pipe({ bytes: 4096 });
      const body = async (_, b) => { for (let i = 0; i < 3000; i++) { const m = i % 2 ? b.recvSync() : await b.recv(); if (i % 3) b.sendSync(m); else await b.send(m) } };
      const peer = begin(body, b);
      let wrong = 0;
      for (let i = 0; i < 3000; i++) { const m = i % 5 ? i : { i, s: 'x'.repeat(i % 1500) }; await a.send(m); const back = i % 7 ? await a.recv() : a.recvSync(); if ((back.i ?? back) !== i) wrong++ }
      await peer.done;
      out(wrong);`);
    expect(got).toBe(0);
  });

  test('a stream in one go, larger than the ring: complete, in order, then its end', async () => {
    const got = await runJson(`${begin}
      const [r, w] = mp.Pipe({ duplex: false, bytes: 8192 });
      const ready = count();
      const body = ({ mp }, w, ready) => { ready.add(1); for (let i = 0; i < 20_000; i++) w.sendSync(i % 100 ? i : { i, v: i % 1000 ? null : new mp.Value('i', i) }); w.close() };
      const peer = begin(body, w, ready);
      await until(() => ready.value === 1);
      w.close();
      let n = 0, wrong = 0;
      for await (const m of r) { if ((m.i ?? m) !== n) wrong++; if (m.v) { if (m.v.value !== n) wrong++; m.v.close() } n++ }
      await peer.done;
      out([n, wrong]);`);
    expect(got).toEqual([20_000, 0]);
  });

  test('an end has one user: a second one is told who has it, and gets it when that one has closed it or died', async () => {
    const got = await runJson(`${begin}
      const [a, b] = mp.Pipe(), ready = count();
      const body = async ({ stay, untilCount }, b, ready, closes) => { b.recvSync(); ready.add(1); if (closes) { await untilCount(ready, 2); b.close(); ready.add(1) } await stay() };
      const first = begin(body, b, ready, true);
      a.sendSync(1);
      await until(() => ready.value === 1);
      const busy = [thrown(() => b.recvSync()), await rejected(b.recv()), thrown(() => b.tryRecv())];
      ready.add(1); await until(() => ready.value === 3);
      a.sendSync(2);
      const got = [b.recvSync()];
      b.sendSync('mine'); got.push(a.recvSync());
      const [c, d] = mp.Pipe(), again = count(), second = begin(body, d, again, false);
      c.sendSync(1); c.sendSync('left'); await until(() => again.value === 1);
      const blocked = thrown(() => d.recvSync());
      await second.end();
      out([busy, got, blocked, d.recvSync(), await first.end().then(() => 'ended')]);`);
    expect(got).toEqual([Array(3).fill('ERR_MP_BUSY'), [2, 'mine'], 'ERR_MP_BUSY', 'left', 'ended']);
  });

  test('when the user of the other end dies, who waits is told, although others could still use it', async () => {
    const got = await runJson(`${begin}
      const pairs = [0, 1, 2, 3].map(() => mp.Pipe({ bytes: 4096 })), ready = count();
      const body = async ({ stay }, ends, ready) => { for (const e of ends) { e.sendSync('hello'); e.tryRecv() } ready.add(1); await stay() };
      const peer = begin(body, pairs.map(([, b]) => b), ready);
      await until(() => ready.value === 1);
      const [[a], [c], [e]] = pairs, heard = [a.recvSync(), c.recvSync()];
      let n = 0; while (e.trySend(n)) n++;
      const waits = [rejected(a.recv()), c.poll(Infinity), rejected(e.send('more'))];
      await turns(20);
      await peer.end();
      out([heard, await waits[0], await waits[1], await waits[2], e.recvSync(), thrown(() => e.recvSync())]);`);
    expect(got).toEqual([['hello', 'hello'], eof, true, broken, 'hello', eof]);
  });
});

// What one thread asks for comes in the order in which it asked, and what goes wrong in one call costs no other message.
import { describe as group, expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { bodyHead as head } from '../support/sync.js';

const closed = 'ClosedError ERR_MP_CLOSED';
const patient = new URL('awaiting-at-top.mjs', fixtures).href;

group('a blocking call goes behind the calls that wait already', () => {
  test('puts and sends', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(1), [a, b] = mp.Pipe({ bytes: 4096 }), ready = count();
      q.putSync('full');
      const pad = 'x'.repeat(500);
      let n = 0;
      while (a.trySend(pad)) n++;
      const puts = [q.put('first'), q.put('second')], sends = [a.send('first'), a.send('second')];
      const body = ({ attempt }, q, b, n) => {
        const got = [];
        for (let i = 0; i < 4; i++) got.push(q.getSync());
        for (let i = 0; i < n; i++) b.recvSync();
        for (let i = 0; i < 3; i++) got.push(b.recvSync());
        return got;
      };
      const peer = start('process', body, q, b, n);
      q.putSync('third');
      a.sendSync('third');
      await Promise.all([...puts, ...sends]);
      out(await peer.done);`);
    expect(got).toEqual(['full', 'first', 'second', 'third', 'first', 'second', 'third']);
  });

  test('gets and receives, of values and of bytes', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), [a, b] = mp.Pipe(), [c, d] = mp.Pipe();
      const gets = [q.get(), q.getMany(1)], values = [a.recv(), a.recv()], bytes = c.recvBytes();
      const body = (_, q, b, d) => {
        for (let i = 0; i < 3; i++) q.putSync(i), b.sendSync(i);
        for (const text of ['A', 'B', 'C']) d.sendBytesSync(Buffer.from(text));
      };
      const peer = start('process', body, q, b, d);
      const sync = [q.getSync(), a.recvSync(), String(c.recvBytesSync())];
      const polled = c.pollSync(5000);
      const into = Buffer.alloc(1), size = c.recvBytesIntoSync(into);
      await peer.done;
      out([await Promise.all(gets), await Promise.all(values), String(await bytes), sync, polled, size, String(into)]);`);
    expect(got).toEqual([[0, [1]], [0, 1], 'A', [2, 2, 'B'], true, 1, 'C']);
  });

  test('one that gives up leaves the others waiting, and takes nothing', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), [a, b] = mp.Pipe();
      const waits = [q.get(), a.recv()];
      const gaveUp = [thrown(() => q.getSync(1)), thrown(() => a.recvSync(1)), a.pollSync(1), await a.poll(), a.tryRecv()];
      q.putSync('q'); b.sendSync('p');
      out([gaveUp, await Promise.all(waits), q.qsize(), await a.poll()]);`);
    expect(got).toEqual([
      ['EmptyError ERR_MP_EMPTY', 'TimeoutError ERR_MP_TIMEOUT', false, false, null],
      ['q', 'p'],
      0,
      false,
    ]);
  });

  test('a ring that has gone round many times gives nothing old', async () => {
    const got = await runJson(`${head}
      const [a, b] = mp.Pipe({ bytes: 4096 }), go = new mp.Event();
      const body = async (_, b, go) => {
        for (let i = 0; i < 100; i++) b.sendBytesSync(Buffer.alloc(1000, 'o'));
        await go.wait();
        for (let i = 0; i < 20; i++) b.sendBytesSync(Buffer.alloc(1000, String(i % 10)));
      };
      const peer = start('process', body, b, go);
      for (let i = 0; i < 100; i++) a.recvBytesSync();
      const late = a.recvBytes();
      go.set();
      const seen = [a.recvBytesSync()];
      for (let i = 0; i < 9; i++) { const next = a.recvBytes(); seen.push(a.recvBytesSync(), await next) }
      await peer.done;
      out([String((await late).subarray(0, 1)), seen.map((m) => String(m.subarray(0, 1))).join('')]);`);
    // Of each pair the asynchronous call came first.
    expect(got).toEqual(['0', ['1', '32', '54', '76', '98', '10', '32', '54', '76', '98'].join('')]);
  });
});

group('a getter or iterator that closes what is being put into', () => {
  test('gets an error at that call, and nothing is sent, also when another queue has its place', async () => {
    const got = await runJson(`${head}
      const results = [];
      for (const size of [1, 1e6]) {
        let q = new mp.Queue(), other;
        const value = { get x() { q.close(); other = new mp.Queue(); return 'x'.repeat(size) } };
        results.push(await rejected(q.put(value)), other.qsize());
        other.close();
        q = new mp.Queue();
        results.push(await rejected(q.putMany((function* () { yield 1; q.close(); yield 2 })())));
        q = new mp.Queue();
        results.push(thrown(() => q.putManySync((function* () { try { yield 1 } finally { q.close() } })())));
        let [a, b] = mp.Pipe();
        const sent = { get x() { a.close(); return 'x'.repeat(size) } };
        results.push(thrown(() => a.sendSync(sent)), thrown(() => b.recvSync()));
        [a, b] = mp.Pipe();
        results.push(await rejected(a.send(sent)), await rejected(b.recv()));
      }
      out([results.slice(0, 8), results.slice(8), native.census().objects]);`);
    const each = [
      closed,
      0,
      closed,
      closed,
      closed,
      'ClosedError ERR_MP_EOF',
      closed,
      'ClosedError ERR_MP_EOF',
    ];
    expect(got).toEqual([each, each, expect.any(Number)]);
  });
});

group('many at a time', () => {
  test('values before one that cannot be put are put, and the iterator is closed', async () => {
    const got = await runJson(`${head}
      const results = [];
      let ended = 0;
      function* list(bad) { try { yield 1; yield 2; if (bad instanceof Error) throw bad; yield bad; yield 4 } finally { ended++ } }
      for (const put of ['putMany', 'putManySync']) {
        for (const bad of [new RangeError('mine'), Symbol('no')]) {
          const q = new mp.Queue();
          const error = await (async () => q[put](list(bad)))().then(() => 'fine', nameOf);
          results.push([error, q.getManySync(9), ended]);
        }
      }
      const small = new mp.Queue(1);
      results.push([await rejected(small.putMany(list(3), 5)), thrown(() => small.putManySync(list(3), 5)), ended]);
      const far = new mp.Queue();
      results.push([thrown(() => far.putManySync([...Array(20_000).keys(), () => {}])), far.qsize()]);
      out(results);`);
    const full = 'FullError ERR_MP_FULL';
    expect(got).toEqual([
      ['RangeError undefined', [1, 2], 1],
      ['ERR_MP_CLONE', [1, 2], 2],
      ['RangeError undefined', [1, 2], 3],
      ['ERR_MP_CLONE', [1, 2], 4],
      [full, full, 6],
      ['ERR_MP_CLONE', 20_000],
    ]);
  });

  test('a message that cannot be read costs none of the others', async () => {
    const got = await runJson(`${head}
      const { patient } = await import('${patient}');
      const q = new mp.Queue();
      q.putManySync([1, patient, 3, [patient], patient, patient, 1, patient]);
      const body = async ({ attempt }, q) => {
        const results = [];
        try { q.getManySync(4) } catch (e) { results.push([e.code, e.messages, e.cause?.code]) }
        results.push(attempt(() => q.getSync()), attempt(() => q.getManySync(1)));
        const all = await q.getMany(4);
        return [...results, all[0], all[1](5), q.qsize()];
      };
      out(await start('process', body, q).done);`);
    const lost = 'ERR_MP_FUNCTION';
    expect(got).toEqual([['ERR_MP_UNREADABLE', [1, 3], lost], lost, lost, 1, 5, 0]);
  });
});

test('a waiter that is stopped hides no message from the others', async () => {
  const got = await runJson(`${head}
    const q = new mp.Queue(), ready = count();
    const body = (_, q, ready) => { ready.add(1); return q.getSync() };
    const first = start('process', body, q, ready);
    await until(() => ready.value === 1);
    const { pid } = mp.activeChildren()[0];
    await turns(50); // it is in line first
    const second = start('process', body, q, ready);
    await until(() => ready.value === 2);
    await turns(50);
    process.kill(pid, 'SIGSTOP');
    q.putSync('message');
    const got = await second.done;
    process.kill(pid, 'SIGCONT');
    q.putSync('another');
    out([got, await first.done]);`);
  expect([...got].sort()).toEqual(['another', 'message']);
});

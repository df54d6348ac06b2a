// The calls of queues, in one environment: what they return, when they wait, and what bad input gets.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { bodyHead as head, rangeError, timeoutError, typeError } from '../support/sync.js';

const empty = 'EmptyError ERR_MP_EMPTY';
const full = 'FullError ERR_MP_FULL';
const shut = 'ShutDownError ERR_MP_SHUT_DOWN';
const closed = 'ClosedError ERR_MP_CLOSED';

group('puts and gets', () => {
  test('all forms give the same messages, in order', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue();
      q.putSync(1); await q.put('two'); q.tryPut([3]); await q.putMany([{ four: 4 }, null]); q.putManySync(new Set([6n, undefined]));
      const sizes = [q.qsize(), q.empty(), q.full(), q.maxsize];
      const got = [q.getSync(), await q.get(), q.tryGet(), ...(await q.getMany(2)), ...q.getManySync(9).map(String)];
      out([sizes, got, q.tryGet(), q.empty()]);`);
    expect(got).toEqual([
      [7, false, false, 0],
      [1, 'two', { value: [3] }, { four: 4 }, null, '6', 'undefined'],
      null,
      true,
    ]);
  });

  test('what is put is copied inside the call, whatever happens to it afterwards', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(1), value = { n: 1, list: [1, 2] }, bytes = new Uint8Array(100_000).fill(1);
      q.putSync(value); value.n = 2;
      const late = q.put(value), later = q.put(bytes);      // neither has room yet
      value.list.push(3); bytes.fill(9);
      const got = [q.getSync(), await q.get(), (await q.get())[99_999]];
      await late; await later;
      out(got);`);
    expect(got).toEqual([{ n: 1, list: [1, 2] }, { n: 2, list: [1, 2] }, 1]);
  });

  test('small, long and huge messages keep their order through a ring that is too small for them', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(0, { ringBytes: 4096 });
      const sizes = [1, 500, 1000, 1030, 5000, 70_000, 3, 1_000_000, 10];
      const bodies = [(n) => 'x'.repeat(n), (n) => 'é漢'.repeat(n / 2), (n) => new Uint8Array(n).fill(n), (n) => Array.from({ length: n }, (_, i) => i)];
      const wrong = [];
      for (const make of bodies) {
        const same = (a, b) => a.length === b.length && a[0] === b[0] && a.at(-1) === b.at(-1);
        const puts = Promise.all(sizes.map((n) => q.put(make(n))));
        for (const n of sizes) if (!same(await q.get(), make(n))) wrong.push([String(make), n]);
        await puts;
      }
      out([wrong, q.qsize()]);`);
    expect(got).toEqual([[], 0]);
  });

  test('shared objects arrive as what they are, and live on in the queue when the sender has closed its own', async () => {
    const got = await runJson(`${head}
      const before = native.census().objects;
      const q = new mp.Queue(), other = new mp.Queue(), value = new mp.Value('i', 41), list = new mp.Array('d', [1, 2, 3]);
      const lock = new mp.Lock(), condition = new mp.Condition(lock), [a, b] = mp.Pipe();
      other.putSync(value);                                      // one queue in another
      q.putSync({ value, again: value, list, lock, condition, other, end: b });
      value.close(); list.close(); lock.close(); condition.close(); other.close(); b.close();
      a.sendSync('for the end');
      const m = q.getSync(), inner = m.other.getSync();
      m.value.add(1); m.list[0] = 9;
      const got = [m.again.value, inner.value, [...m.list], m.lock.locked, m.end.recvSync()];
      for (const o of [m.value, m.again, m.list, m.lock, m.condition, m.other, m.end, inner, a]) o.close();
      const left = native.census().objects - before;
      q.close();
      out([got, left, native.census().objects - before]);`);
    expect(got).toEqual([[42, 42, [9, 2, 3], false, 'for the end'], 2, 0]);
  });

  test('messages that nobody gets go with the queue, and what was in them', async () => {
    const got = await runJson(`${head}
      const before = native.census().objects, q = new mp.Queue(), inner = new mp.Queue();
      inner.putSync([new mp.Lock(), new Uint8Array(1 << 20)]);
      for (let i = 0; i < 20; i++) q.putSync({ lock: new mp.Lock(), big: new Float64Array(20_000), inner });
      inner.close(); q.close();
      // Locks that were made here are still open here.
      out(native.census().objects - before);`);
    expect(got).toBe(21);
  });

  test('{ shared: true } gives large arrays where they lie; sent again they are the same memory', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue();
      q.putSync({ a: new Float64Array(100_000).fill(1), small: new Uint8Array(10) });
      const { a, small } = q.getSync({ shared: true });
      const objects = native.census().objects;
      q.putSync(a);
      const added = native.census().objects - objects;
      const b = q.getSync({ shared: true }), copy = (q.putSync(b), q.getSync());
      b[0] = 7;
      out([a.length, small.length, added, a[0], copy[0], copy.length]);`);
    expect(got).toEqual([100_000, 10, 0, 7, 1, 100_000]);
  });

  test('{ shared: true }: memory comes back when the arrays are collected', async () => {
    const got = await runJson(
      `${head}
      const q = new mp.Queue(), before = native.census().objects;
      for (let i = 0; i < 50; i++) { q.putSync(new Uint8Array(1 << 20)); q.getSync({ shared: true }); }
      for (let i = 0; i < 100 && native.census().objects > before; i++) { globalThis.gc(); await turns(2); }
      out(native.census().objects - before);`,
      { execArgv: ['--expose-gc'] },
    );
    expect(got).toBe(0);
  });

  test('release() gives memory that was received so back at once, and leaves everything else as it is', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), before = native.census().objects;
      q.putSync({ a: new Float64Array(100_000), b: new Uint8Array(100_000) });
      const { a, b } = q.getSync({ shared: true }), view = new DataView(a.buffer, 8);
      q.putSync(a);
      const again = q.getSync({ shared: true });
      mp.release(view);
      const gone = [a.length, again.length, thrown(() => view.byteLength), native.census().objects - before];
      mp.release(a); mp.release(b.buffer);
      const own = new Uint8Array(3), bytes = new SharedArrayBuffer(4);
      mp.release(own); mp.release(bytes);
      q.putSync(new Uint8Array(100_000).fill(2));
      const copy = q.getSync(); mp.release(copy);
      out([gone, b.length, native.census().objects - before, own.length, bytes.byteLength, copy[99_999],
        thrown(() => mp.release('a')), thrown(() => mp.release(null)), thrown(() => q.putSync(a))]);`);
    expect(got).toEqual([
      [0, 0, expect.stringMatching(/^TypeError/), 1],
      0,
      0,
      3,
      4,
      2,
      'TypeError ERR_MP_TYPE',
      'TypeError ERR_MP_TYPE',
      expect.stringMatching(/ERR_MP_CLONE/),
    ]);
  });

  test('{ shared: true } in a loop that never gives the event loop a turn: no more than 256 MiB are held, the rest is copied', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), before = native.census().objects, all = [];
      for (let i = 0; i < 72; i++) { q.putSync(new Uint32Array(1 << 20).fill(i)); all.push(q.getSync({ shared: true })); }
      const held = native.census().objects - before, right = all.every((a, i) => a.length === 1 << 20 && a[12345] === i);
      for (const a of all) mp.release(a);
      q.putSync(new Uint32Array(1 << 20));
      mp.release(q.getSync({ shared: true }));
      out([held, right, native.census().objects - before, all.at(-1).length]);`);
    expect(got).toEqual([64, true, 0, 1 << 20]);
  });

  test('a getter that puts, and one that throws, while a value is put: the queue is as it should be', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue();
      q.putSync({ get a() { q.putSync('inner'); return 1 }, b: 2 });
      const bad = thrown(() => q.putSync({ get a() { throw new RangeError('mine') } }));
      q.putManySync([{ get a() { q.putSync('inside'); return 3 } }, 4]);
      out([bad, q.getManySync(9)]);`);
    expect(got).toEqual(['RangeError undefined', ['inner', { a: 1, b: 2 }, 'inside', { a: 3 }, 4]]);
  });
});

test('a getter that sends over a pipe while values are put, and the other way round: each has its own', async () => {
  const got = await runJson(`${head}
    const q = new mp.Queue(), [a, b] = mp.Pipe(), lock = new mp.Lock();
    q.putManySync([{ first: 1 }, { get x() { a.sendSync({ lock }); return 2 } }, { third: 3 }]);
    const many = [q.getManySync(5), b.recvSync().lock.locked];
    let n = 0;
    while (a.trySend('x'.repeat(1000))) n++;
    const late = a.send({ get y() { q.putSync('inner'); return 'outer' }, pad: 'p'.repeat(10_000) });
    for (let i = 0; i < n; i++) b.recvSync();
    await late;
    const { y, pad } = b.recvSync();
    out([many, y, pad.length, q.getSync()]);`);
  expect(got).toEqual([[[{ first: 1 }, { x: 2 }, { third: 3 }], false], 'outer', 10_000, 'inner']);
});

group('waiting', () => {
  test('a get waits for a put, a put for room; who came first is served first', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(1), gets = [q.get(), q.get(), q.getMany(5)];
      await q.put(1); await q.put(2); await q.put(3);
      const first = await Promise.all(gets);
      q.putSync('a');
      const puts = ['b', 'c', 'd'].map((v) => q.put(v)), order = [];
      await turns();
      for (let i = 0; i < 4; i++) order.push(await q.get());
      await Promise.all(puts);
      out([first, order]);`);
    expect(got).toEqual([
      [1, 2, [3]],
      ['a', 'b', 'c', 'd'],
    ]);
  });

  test('timeouts and aborts end a wait, and leave the queue to others', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(1), controller = new AbortController();
      const gets = [rejected(q.get(5)), rejected(q.get({ signal: controller.signal })), q.get(), thrown(() => q.getSync({ timeout: 0 })), thrown(() => q.getManySync(1, 5))];
      controller.abort(new RangeError('mine'));
      const early = [await gets[0], await gets[1]];
      q.putSync('x');
      const value = await gets[2];
      q.putSync('y');
      const aborted = AbortSignal.abort(new RangeError('before'));
      const puts = [await rejected(q.put(1, 0)), await rejected(q.putMany([1, 2], 5)), thrown(() => q.putSync(1, 5)), q.tryPut(1), await rejected(q.put(1, { signal: aborted }))];
      out([early, gets.slice(3), value, puts, q.getSync(), q.qsize()]);`);
    const aborted = 'RangeError undefined';
    expect(got).toEqual([[empty, aborted], [empty, empty], 'x', [full, full, full, false, aborted], 'y', 0]);
  });

  test('close() ends the calls that wait through it; other handles go on', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), again = mp.open(mp.share(q));
      const waits = [rejected(q.get()), again.get()];
      q.close(); q.close();
      const after = [thrown(() => q.putSync(1)), await rejected(q.get()), thrown(() => q.qsize()), thrown(() => mp.share(q))];
      again.putSync('still');
      out([await waits[0], await waits[1], after]);`);
    expect(got).toEqual([closed, 'still', [closed, closed, closed, closed]]);
  });

  test('shutdown tells all who wait; what is left can be got, or is dropped', async () => {
    const got = await runJson(`${head}
      const a = new mp.Queue(1), b = new mp.Queue(1);
      const gets = [rejected(b.get())];
      a.putSync('left');
      const put = rejected(a.put('late'));
      a.shutdown(); b.shutdown();
      const seen = [];
      for await (const v of a) seen.push(v);
      const c = new mp.Queue(); c.putManySync([1, 2, 3]); c.shutdown({ immediate: true }); c.shutdown();
      out([await put, await gets[0], seen, thrown(() => a.putSync(1)), a.tryGet === undefined, thrown(() => a.tryGet()), c.qsize(), thrown(() => c.getSync()), await rejected(c.putMany([1]))]);`);
    expect(got).toEqual([shut, shut, ['left'], shut, false, shut, 0, shut, shut]);
  });

  test('a wait keeps the process alive, an open queue does not', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), late = q.get();
      setTimeout(() => q.putSync('came'), 50).unref();
      new mp.Queue().putSync('nobody gets this');
      process.on('exit', () => out(process.exitCode ?? 'natural end'));
      console.log(await late);`);
    expect(got).toBe('natural end');
  });
});

group('JoinableQueue', () => {
  test('join waits until as many are said to be done as were put', async () => {
    const got = await runJson(`${head}
      const q = new mp.JoinableQueue(), order = [];
      await q.join(); q.joinSync();
      await q.putMany([1, 2]);
      const joined = q.join().then(() => order.push('joined'));
      const early = [await rejected(q.join(5)), thrown(() => q.joinSync({ timeout: 5 })), thrown(() => q.taskDone())];
      q.getSync(); q.taskDone(); await q.get(); await turns(); order.push('one left'); q.taskDone();
      await joined;
      out([early, order, thrown(() => q.taskDone())]);`);
    expect(got).toEqual([
      [timeoutError, timeoutError, 'ERR_MP_STATE'],
      ['one left', 'joined'],
      'ERR_MP_STATE',
    ]);
  });

  test('what an immediate shutdown drops counts as done; what was taken does not', async () => {
    const got = await runJson(`${head}
      const q = new mp.JoinableQueue();
      q.putManySync([1, 2, 3]); q.getSync();
      q.shutdown({ immediate: true });
      const waits = await rejected(q.join(5));
      q.taskDone(); await q.join();
      out([waits, thrown(() => q.taskDone())]);`);
    expect(got).toEqual([timeoutError, 'ERR_MP_STATE']);
  });
});

group('bad input', () => {
  test('is refused by the call, with a message that says what was wrong', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(3);
      out([
        thrown(() => new mp.Queue('3')), thrown(() => new mp.Queue(1.5)), thrown(() => new mp.Queue(NaN)), thrown(() => new mp.Queue(2 ** 31)),
        thrown(() => new mp.Queue(1, 5)), thrown(() => new mp.Queue(1, { ringBytes: 5000 })), thrown(() => new mp.Queue(1, { maxBytes: -1 })), thrown(() => new mp.Queue(1, { maxBytes: '1' })),
        await rejected(q.put(1, -1)), thrown(() => q.putSync(1, NaN)), thrown(() => q.putSync(1, { signal: new AbortController().signal })),
        await rejected(q.getMany(0)), await rejected(q.getMany(1.5)), thrown(() => q.getManySync('1')), await rejected(q.putMany(5)), thrown(() => q.getSync({ shared: 1 })),
        thrown(() => q.shutdown(true)), thrown(() => q.shutdown({ immediate: 1 })), thrown(() => mp.Queue(1)),
        [new mp.Queue(-1).maxsize, new mp.Queue(0).maxsize, new mp.Queue(Infinity).maxsize], q.qsize(),
      ]);`);
    const [t, r] = [typeError, rangeError];
    expect(got).toEqual([
      ...[t, t, t, r, t, r, r, t],
      ...[r, r, t],
      ...[r, r, t, t, t],
      ...[t, t, 'TypeError undefined'],
      [0, 0, 0],
      0,
    ]);
  });

  test('what cannot be cloned is named with its path, and the queue is as before', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), message = (v) => { try { q.putSync(v) } catch (e) { return [e.code, e.message] } };
      out([message({ a: [1, { f: Symbol('s') }] }), message(new WeakMap()), message([Promise.resolve()]), q.qsize(), (q.putSync(1), q.getSync())]);`);
    expect(got).toEqual([
      ['ERR_MP_CLONE', expect.stringContaining('a[1].f is a symbol')],
      ['ERR_MP_CLONE', expect.stringContaining('WeakMap')],
      ['ERR_MP_CLONE', expect.stringContaining('[0] is a Promise')],
      0,
      1,
    ]);
  });

  test('a message above the limit is an error at once; below it waits for room', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(0, { maxBytes: 100_000 }), before = native.census().objects;
      const tooLarge = [thrown(() => q.putSync(new Uint8Array(200_000))), await rejected(q.put('x'.repeat(200_000))), thrown(() => q.tryPut(new Float64Array(50_000)))];
      q.putSync(new Uint8Array(70_000));
      const waits = rejected(q.put(new Uint8Array(70_000), 5)), past = q.tryPut('past it');
      out([tooLarge, await waits, past, q.tryPut('small'), q.getSync().length, q.getSync(), native.census().objects - before]);`);
    const size = 'ERR_MP_MESSAGE_SIZE';
    // One object more: the seat that it waited with.
    expect(got).toEqual([[size, size, size], full, false, true, 70_000, 'small', 1]);
  });
});

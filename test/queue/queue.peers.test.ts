// Queues between processes and between threads: order, completeness, waiting, and those who die.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { bodyHead, grounds } from '../support/sync.js';

group.each(grounds)('among peers that are each a %s', (ground) => {
  const head = `${bodyHead}
    const begin = (body, ...args) => start('${ground}', body, ...args);
  `;

  test('many put, many get, in every form: each message once, those of each in order', async () => {
    const got = await runJson(
      `${head}
      const q = new mp.Queue(7, { ringBytes: 4096 }), each = 1500, ready = count();
      const putter = async ({ turn, untilCount }, q, id, each, ready) => {
        ready.add(1); await untilCount(ready, 6);
        for (let i = 0; i < each; i++) {
          const m = { id, i, fill: 'x'.repeat((i * 37) % 900) };
          if (id === 0) q.putSync(m);
          else if (id === 1) await q.put(m);
          else if (i % 5 === 0) { q.putManySync([m, { ...m, i: i + 1 }, { ...m, i: i + 2 }]); i += 2 }
          else while (!q.tryPut(m)) await turn();
        }
      };
      const getter = async ({ turn, untilCount }, q, way, ready) => {
        ready.add(1); await untilCount(ready, 6);
        const seen = [[], [], []];
        const take = (m) => seen[m.id].push(m.i);
        try {
          for (;;) {
            if (way === 0) take(q.getSync());
            else if (way === 1) take(await q.get());
            else (await q.getMany(4)).forEach(take);
          }
        } catch (e) { if (e.code !== 'ERR_MP_SHUT_DOWN') throw e }
        return seen;
      };
      const getters = [0, 1, 2].map((way) => begin(getter, q, way, ready).done);
      await Promise.all([0, 1, 2].map((id) => begin(putter, q, id, each, ready).done));
      q.shutdown();
      const all = await Promise.all(getters);
      const sorted = all.every((seen) => seen.every((list) => list.every((v, i) => i === 0 || list[i - 1] < v)));
      const totals = [0, 1, 2].map((id) => new Set(all.flatMap((seen) => seen[id])).size);
      out([sorted, totals, all.flat(2).length, native.census().objects]);`,
      { timeout: 55_000 },
    );
    expect(got).toEqual([true, [1500, 1500, 1500], 4500, expect.any(Number)]);
  });

  test('who waits is woken: blocked and not, for messages and for room', async () => {
    const got = await runJson(`${head}
      const there = new mp.Queue(1), back = new mp.Queue(1);
      const body = async (_, there, back) => {
        for (let i = 0; i < 100; i++) {
          const m = i % 2 ? there.getSync() : await there.get();
          if (i % 3) back.putSync(m + 1); else await back.put(m + 1);
        }
      };
      const peer = begin(body, there, back), got = [];
      for (let i = 0; i < 100; i++) { await there.put(i); got.push(i % 7 ? await back.get() : back.getSync()) }
      await peer.done;
      out(got.every((v, i) => v === i + 1));`);
    expect(got).toBe(true);
  });

  test('a message is delivered although its sender ends at once, with what was shared in it', async () => {
    const got = await runJson(`${head}
      const q = new mp.Queue(), objects = native.census().objects;
      const body = ({ mp }, q) => {
        const value = new mp.Value('i', 5), inner = new mp.Queue();
        inner.putSync({ value });
        q.putSync({ value, inner, big: new Float64Array(50_000).fill(2), list: new mp.Array('i', [1, 2]) });
      };
      await begin(body, q).done;
      await until(() => { native.sweep(); return q.qsize() === 1 });
      const m = q.getSync();
      const got = [m.value.value, m.inner.getSync().value.value, m.big.at(-1), [...m.list]];
      out(got);`);
    expect(got).toEqual([5, 5, 2, [1, 2]]);
  });

  test('a queue travels through a queue, and on into a peer', async () => {
    const got = await runJson(`${head}
      const first = new mp.Queue(), second = new mp.JoinableQueue();
      first.putSync({ second });
      const body = async (_, first) => {
        const { second } = await first.get();
        second.putSync('through the second');
        await second.join();
        return second.constructor.name;
      };
      const peer = begin(body, first), got = await second.get();
      second.taskDone();
      out([got, await peer.done]);`);
    expect(got).toEqual(['through the second', 'JoinableQueue']);
  });

  test('an immediate shutdown and a shutdown wake all who wait, everywhere', async () => {
    const got = await runJson(`${head}
      const empty = new mp.Queue(), full = new mp.Queue(1), ready = count();
      full.putSync(0);
      const body = async ({ attempt, rejected }, empty, full, ready, way) => {
        ready.add(1);
        return way === 0 ? attempt(() => empty.getSync()) : way === 1 ? await rejected(empty.get()) : way === 2 ? attempt(() => full.putSync(1)) : await rejected(full.put(1));
      };
      const all = [0, 1, 2, 3].map((way) => begin(body, empty, full, ready, way));
      await until(() => ready.value === 4);
      await turns(20);
      empty.shutdown({ immediate: true }); full.shutdown();
      out([await Promise.all(all.map((p) => p.done)), full.getSync()]);`);
    expect(got).toEqual([Array(4).fill('ShutDownError ERR_MP_SHUT_DOWN'), 0]);
  });

  test('who got a message and ends before taskDone(): join() says so, once, and does not hang', async () => {
    const got = await runJson(`${head}
      const q = new mp.JoinableQueue(), ready = count();
      q.putManySync([1, 2, 3, 4]);
      const body = async ({ stay }, q, ready) => { q.getSync(); q.getSync(); q.taskDone(); await q.get(); ready.set?.(); ready.add(1); await stay() };
      const peer = begin(body, q, ready);
      await until(() => ready.value === 1);
      const joined = q.join().then(() => 'fine', (e) => [e.code, e.message.match(/\\d+ messages?/)[0]]);
      q.getSync(); q.taskDone();
      await peer.end();
      const told = await joined;
      await q.join();
      q.putSync(5); q.getSync(); q.taskDone(); await q.join();
      out(told);`);
    expect(got).toEqual(['ERR_MP_LOST', '2 messages']);
  });
});

group('processes that are killed', () => {
  test('while they wait, blocked or not: messages go to those who live', async () => {
    const got = await runJson(`${bodyHead}
      const q = new mp.Queue(), full = new mp.Queue(1), ready = count();
      full.putSync('first');
      const body = async ({ stay }, q, full, ready, way) => {
        ready.add(1);
        if (way === 0) q.getSync(); else if (way === 1) { q.get(); await stay() } else if (way === 2) full.putSync('dead'); else { full.put('dead'); await stay() }
      };
      const all = [0, 1, 2, 3].map((way) => start('process', body, q, full, ready, way));
      const own = q.get();
      await until(() => ready.value === 4);
      await turns(20);
      await Promise.all(all.map((p) => p.end()));
      q.putSync('for us');
      const got = [await own];
      got.push(full.getSync()); full.putSync('second'); got.push(full.getSync(), full.tryGet(), q.tryGet());
      out(got);`);
    expect(got).toEqual(['for us', 'first', 'second', null, null]);
  });

  test('at random among others: each loses at most its own message, nobody hangs, nothing stays', async () => {
    const got = await runJson(
      `${bodyHead}
      const q = new mp.Queue(20), objects = native.census().objects;
      const putter = ({ mp }, q, id, put) => {
        for (let i = 1; ; i++) {
          q.putSync({ id, i, value: i % 3 ? null : new mp.Value('i', i), big: i % 10 ? null : new Uint8Array(80_000).fill(i) });
          put.value = i;
        }
      };
      const getter = (_, q, got, wrong) => {
        const last = new Map();
        for (;;) {
          const m = q.getSync();
          if (m.i <= (last.get(m.id) ?? 0)) wrong.add(1);
          if (m.value !== null) { if (m.value.value !== m.i) wrong.add(1); m.value.close() }
          if (m.big !== null && m.big[79_999] !== m.i % 256) wrong.add(1);
          last.set(m.id, m.i);
          got.add(1);
        }
      };
      const got = count(), wrong = count();
      let killed = 0, ids = 0, totalPut = 0;
      const running = [];
      const begin = (kind) => {
        const put = new mp.Value('i', 0);
        running.push({ kind, put, peer: kind === 'put' ? start('process', putter, q, ids++, put) : start('process', getter, q, got, wrong), since: got.value + put.value });
      };
      for (const kind of ['put', 'put', 'get', 'get']) begin(kind);
      const rounds = 24;
      for (let round = 0; round < rounds; round++) {
        const before = got.value;
        await until(() => got.value > before + 40);      // it goes on, whoever has died
        const [victim] = running.splice(Math.floor(Math.random() * running.length), 1);
        await victim.peer.end();
        totalPut += victim.put.value;
        killed++;
        begin(victim.kind);
      }
      for (const { peer, put } of running.splice(0)) { await peer.end(); totalPut += put.value; killed++ }
      let left = 0;
      for (let m; (m = q.tryGet()) !== null; left++) m.value.value?.close();
      const lost = totalPut - got.value - left;
      native.sweep();
      out({ wrong: wrong.value, killed, lost, enough: got.value > 24 * 40, fine: Math.abs(lost) <= killed });`,
      { timeout: 58_000 },
    );
    expect(got).toMatchObject({ wrong: 0, fine: true, enough: true, killed: 28 });
  });
});

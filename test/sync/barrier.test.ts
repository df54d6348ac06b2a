// The barrier: how many have to come, what they get, what breaks it, and what mends it.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { bodyHead, closedError, grounds, rangeError, typeError } from '../support/sync.js';

const broken = 'BrokenBarrierError ERR_MP_BROKEN_BARRIER';

test('parties: from 1, a whole number; Barrier(0) is refused, and so is anything else', async () => {
  const got = await runJson(`${bodyHead}
    const got = {};
    got.range = [0, -1, 1.5, NaN, Infinity, 2 ** 20, 2 ** 31, 2 ** 32 + 1].map((n) => thrown(() => new mp.Barrier(n)));
    got.range.push(...[-1, NaN].map((timeout) => thrown(() => new mp.Barrier(2, { timeout }))));
    got.type = ['2', null, undefined, {}, [], true, 2n].map((n) => thrown(() => new mp.Barrier(n)));
    got.type.push(...[5, 'x', null, { action: 5 }, { action: 'f' }, { timeout: '5' }].map((o) => thrown(() => new mp.Barrier(2, o))));
    got.objects = native.census().objects;
    const most = new mp.Barrier(2 ** 20 - 1), one = new mp.Barrier(1, {});
    got.fine = [most.parties, most.nWaiting, most.broken, await one.wait(), one.waitSync(), one.parties];
    const waits = ['5', true, { signal: 5 }], ranges = [NaN, -1, { timeout: -0.5 }];
    got.type.push(...await Promise.all(waits.map((t) => rejected(most.wait(t)))), ...[...waits, { signal: new AbortController().signal }].map((t) => thrown(() => most.waitSync(t))));
    got.range.push(...await Promise.all(ranges.map((t) => rejected(most.wait(t)))), ...ranges.map((t) => thrown(() => most.waitSync(t))));
    got.untouched = [most.nWaiting, most.broken];
    out(got);`);
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.objects).toBe(0);
  expect(got.fine).toEqual([2 ** 20 - 1, 0, false, 0, 0, 1]);
  expect(got.untouched).toEqual([0, false]);
});

test('tasks of one environment are parties like any other; each round is as the first', async () => {
  const got = await runJson(`${bodyHead}
    import { inspect } from 'node:util';
    const b = new mp.Barrier(3), got = [inspect(b)];
    let rounds = 0, early = 0;
    await Promise.all([0, 1, 2].map(async () => {
      for (let i = 0; i < 200; i++) {
        const index = await b.wait();
        if (index === 0) rounds++;
        await b.wait();
        if (rounds !== i + 1) early++;
      }
    }));
    const two = [b.wait(), b.wait()];
    await turns();
    got.push(rounds, early, b.nWaiting, b.parties, inspect(b), b.waitSync());
    got.push((await Promise.all(two)).sort(), b.nWaiting);
    out(got);`);
  expect(got).toEqual([
    ...['<Barrier 0 of 3 waiting>', 200, 0, 2, 3, '<Barrier 2 of 3 waiting>', 2],
    ...[[0, 1], 0],
  ]);
});

test('the action runs once a round, when all have come and before any goes; async ones are waited for', async () => {
  const got = await runJson(`${bodyHead}
    const got = [];
    for (const kind of ['sync', 'async']) {
      let ran = 0, gone = 0, early = 0;
      const sync = () => { if (b.nWaiting !== 3 || gone % 3 !== 0) early++; ran++ };
      const b = new mp.Barrier(3, { action: kind === 'sync' ? sync : async () => { await turns(); sync() } });
      for (let i = 0; i < 20; i++) {
        const indices = await Promise.all([0, 1, 2].map(async () => { const n = await b.wait(); gone++; return n }));
        if (indices.sort().join() !== '0,1,2') early++;
      }
      got.push(ran, early);
      const two = [b.wait(), b.wait()].map(rejected);
      got.push(thrown(() => b.waitSync()), await Promise.all(two), ran, b.broken);
    }
    out(got);`);
  // A blocked thread cannot wait for an async action: that breaks the barrier, and says so where it was run.
  expect(got).toEqual([
    20,
    0,
    'fine',
    ['fine', 'fine'],
    21,
    false,
    20,
    0,
    typeError,
    [broken, broken],
    20,
    true,
  ]);
});

test('an action that throws breaks the barrier: its error to the party that ran it, BrokenBarrierError to the others', async () => {
  const got = await runJson(`${bodyHead}
    const got = [];
    const bad = () => { throw new RangeError('the action') };
    for (const action of [bad, async () => bad(), async () => { await turns(); bad() }]) {
      const b = new mp.Barrier(3, { action });
      got.push((await Promise.all([b.wait(), b.wait(), b.wait()].map(rejected))).sort().map((x) => x.split(' ')[0]), b.broken, b.nWaiting, (await rejected(b.wait())).split(' ')[0]);
      b.reset();
      got.push(b.broken);
      if (action === bad) { const two = [b.wait(), b.wait()].map(rejected); got.push(thrown(() => b.waitSync()), (await Promise.all(two)).length) }
    }
    out(got);`);
  const each = [
    ['BrokenBarrierError', 'BrokenBarrierError', 'RangeError'],
    ...[true, 0, 'BrokenBarrierError', false],
  ];
  expect(got).toEqual([...each, 'RangeError undefined', 2, ...each, ...each]);
});

test('an action may break or reset the barrier it acts for, or close the handle', async () => {
  const got = await runJson(`${bodyHead}
    const got = [];
    for (const call of ['abort', 'reset', 'close']) for (const later of [false, true]) {
      const b = new mp.Barrier(2, { action: later ? async () => { await turns(); b[call]() } : () => b[call]() });
      got.push(await Promise.all([rejected(b.wait()), rejected(b.wait())]), b.closed || b.broken);
      b.close();
    }
    out([got, native.census().objects]);`);
  expect(got).toEqual([
    [
      ...Array(2)
        .fill([[broken, broken], true])
        .flat(),
      ...Array(2)
        .fill([[broken, broken], false])
        .flat(),
      ...Array(2)
        .fill([[closedError, closedError], true])
        .flat(),
    ],
    0,
  ]);
});

test('a timeout breaks it for all, those who come later included, until reset()', async () => {
  const got = await runJson(`${bodyHead}
    const got = [], b = new mp.Barrier(3), short = new mp.Barrier(2, { timeout: 20 });
    const from = performance.now();
    got.push(await Promise.all([rejected(b.wait()), rejected(b.wait(20))]), performance.now() - from >= 20, b.broken, b.nWaiting, await rejected(b.wait()), thrown(() => b.waitSync()));
    b.reset();
    got.push(b.broken, (await Promise.all([b.wait(1e9), b.wait(), b.wait(0)])).sort());
    const waiting = rejected(b.wait());
    got.push(thrown(() => b.waitSync(5)), await waiting, b.broken);
    b.reset();
    got.push(await rejected(b.wait(0)), thrown(() => b.waitSync(0)), b.broken);
    // The default of the barrier, and a call's own.
    got.push(await rejected(short.wait()), thrown(() => short.waitSync()));
    short.reset();
    const long = short.wait(1e9), from2 = performance.now();
    await new Promise((r) => setTimeout(r, 40));
    got.push(await short.wait(), await long);
    out(got);`);
  expect(got).toEqual([
    ...[[broken, broken], true, true, 0, broken, broken],
    ...[false, [0, 1, 2], broken, broken, true, broken, broken, true],
    ...[broken, broken, 1, 0],
  ]);
});

test('abort, reset, a signal, while others wait', async () => {
  const got = await runJson(`${bodyHead}
    const b = new mp.Barrier(3), got = [], reason = { why: 1 }, c = new AbortController();
    const why = (p) => p.catch((e) => (e === reason ? 'reason' : nameOf(e)));
    const two = () => [why(b.wait()), why(b.wait(1e9))];
    let p = two(); await turns(); b.abort(); got.push(await Promise.all(p), b.broken, await why(b.wait())); b.abort();
    b.reset(); got.push(b.broken);
    p = two(); await turns(); b.reset(); got.push(await Promise.all(p), b.broken, b.nWaiting);
    b.reset();
    p = [why(b.wait()), why(b.wait({ signal: c.signal }))]; await turns(); c.abort(reason); got.push(await Promise.all(p), b.broken);
    b.reset();
    got.push(await why(b.wait({ signal: c.signal })), b.broken, b.nWaiting);
    got.push((await Promise.all([b.wait(), b.wait(), b.wait()])).sort());
    // Newcomers while an action runs stand outside; a reset meanwhile is not their end.
    let go;
    const slow = new mp.Barrier(2, { action: () => new Promise((r) => (go = r)) });
    const first = [why(slow.wait()), why(slow.wait())];
    await turns();
    const outside = [why(slow.wait()), why(slow.wait())];
    await turns();
    got.push(slow.nWaiting);
    slow.reset();
    got.push(await Promise.all(first));
    await turns();
    go(); await turns(); go?.();
    got.push((await Promise.all(outside)).sort(), slow.broken);
    out(got);`);
  expect(got).toEqual([
    ...[[broken, broken], true, broken, false, [broken, broken], false, 0],
    ...[[broken, 'reason'], true, 'reason', false, 0, [0, 1, 2]],
    ...[2, [broken, broken], [0, 1], false],
  ]);
});

test('close: its parties leave as if they had never come; then everything is a ClosedError', async () => {
  const got = await runJson(`${bodyHead}
    import { inspect } from 'node:util';
    const b = new mp.Barrier(3), other = mp.open(mp.share(b)), got = [];
    const leaves = [b.wait(), b.wait(1e9)].map(rejected);
    await turns();
    b.close(); b.close(); b[Symbol.dispose]();
    got.push(...await Promise.all(leaves), other.nWaiting, other.broken);
    got.push((await Promise.all([other.wait(), other.wait(), other.wait()])).sort());
    got.push(...[() => b.waitSync(), () => b.reset(), () => b.abort(), () => b.parties, () => b.nWaiting, () => b.broken, () => mp.share(b)].map(thrown), await rejected(b.wait()), inspect(b));
    other.close();
    // While an async action runs: it ends later, and touches nothing that is another's by then.
    let go;
    const acting = new mp.Barrier(1, { action: () => new Promise((_, reject) => (go = reject)) }), pending = rejected(acting.wait());
    await turns();
    acting.close();
    got.push(await pending, native.census().objects);
    const sem = new mp.Semaphore(3), again = new mp.Barrier(1);
    go(new Error('too late')); await turns();
    got.push(sem.value, again.broken, native.census().objects);
    out(got);`);
  expect(got).toEqual([
    ...[closedError, closedError, 0, false, [0, 1, 2], ...Array(8).fill(closedError), '<Barrier closed>'],
    ...[closedError, 0, 3, false, 2],
  ]);
});

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('round after round nobody goes before all have come, and each has an index of its own', async () => {
    const got = await runJson(`${bodyHead}
      const b = new mp.Barrier(4), came = count(), early = count();
      const body = async (_, way, b, came, early) => {
        let sum = 0;
        for (let i = 1; i <= 100; i++) {
          came.add(1);
          sum += 10 ** (way === 0 ? b.waitSync() : await b.wait());
          if (came.value < 4 * i) early.add(1);
          if (way === 1) b.waitSync(); else await b.wait();
          if (came.value > 4 * i) early.add(1);
          await b.wait();
        }
        return sum;
      };
      const all = [0, 1, 2].map((way) => start('${ground}', body, way, b, came, early).done);
      all.push((async () => { let sum = 0; for (let i = 0; i < 100; i++) { came.add(1); sum += 10 ** await b.wait(); await b.wait(); await b.wait() } return sum })());
      const sums = await Promise.all(all);
      out([early.value, sums.reduce((x, y) => x + y), b.nWaiting, b.broken]);`);
    expect(got).toEqual([0, 111100, 0, false]);
  });

  test('a party that dies while it waits is not counted, and another may come in its place', async () => {
    const got = await runJson(`${bodyHead}
      const b = new mp.Barrier(3), got = [];
      const body = async (_, way, b) => (way === 'sync' ? b.waitSync() : await b.wait());
      for (const way of ['sync', 'async']) {
        const stays = start('${ground}', body, way, b), dies = start('${ground}', body, way, b);
        await until(() => b.nWaiting === 2);
        await dies.end();
        await until(() => b.nWaiting === 1);
        const comes = start('${ground}', body, way, b);
        await until(() => b.nWaiting === 2);
        got.push([await b.wait(), await stays.done, await comes.done].sort(), b.broken, await dies.done);
      }
      out(got);`);
    expect(got).toEqual([[0, 1, 2], false, null, [0, 1, 2], false, null]);
  });

  test('the party that runs the action dies in it: the barrier is broken for the others, and mended by reset()', async () => {
    const got = await runJson(`${bodyHead}
      import * as actions from '${new URL('../fixtures/actions.mjs', import.meta.url).href}';
      const b = new mp.Barrier(2, { action: actions.stall }), mine = rejected(b.wait());
      await until(() => b.nWaiting === 1);
      const runner = start('${ground}', (_, b) => b.wait(), b);
      await until(() => b.nWaiting === 2);
      const outside = rejected(b.wait());                   // came while the action ran
      await turns();
      await runner.end();
      const got = [await mine, await outside, b.broken, await rejected(b.wait())];
      b.reset();
      out([...got, b.broken, b.nWaiting]);`);
    expect(got).toEqual([broken, broken, true, broken, false, 0]);
  });

  test('abort, reset and timeouts reach peers that block', async () => {
    const got = await runJson(`${bodyHead}
      const b = new mp.Barrier(4), got = [];
      const body = async ({ attempt, rejected }, way, b) => (way === 'sync' ? attempt(() => b.waitSync()) : await rejected(b.wait()));
      for (const end of ['abort', 'reset', 'timeout']) {
        const all = ['sync', 'async'].map((way) => start('${ground}', body, way, b));
        await until(() => b.nWaiting === 2);
        if (end === 'timeout') got.push(await rejected(b.wait(1))); else b[end]();
        got.push(...await Promise.all(all.map((p) => p.done)), b.broken);
        b.reset();
      }
      out(got);`);
    expect(got).toEqual([broken, broken, true, broken, broken, false, broken, broken, broken, true]);
  });
});

test('an action that travels is a function of a module; it runs in the process that comes last', async () => {
  const got = await runJson(`${bodyHead}
    import * as actions from '${new URL('../fixtures/actions.mjs', import.meta.url).href}';
    const got = [];
    for (const [action, ways] of [[actions.pass, ['sync', 'async']], [actions.fail, ['sync', 'async']], [actions.kill, ['async', 'sync']]]) for (const way of ways) {
      const b = new mp.Barrier(2, { action }), mine = rejected(b.wait());
      await until(() => b.nWaiting === 1);
      const peer = start('process', async ({ attempt, rejected }, way, b) => (way === 'sync' ? attempt(() => b.waitSync()) : await b.wait().catch((e) => e.name)), way, b);
      const theirs = await peer.done;
      got.push([theirs === 0 || theirs === 1 ? 'fine' : theirs, await mine, b.broken]);
    }
    out([got, thrown(() => mp.share(new mp.Barrier(2, { action: () => 1 }))) !== 'fine']);`);
  const failed = ['RangeError', broken, true];
  expect(got).toEqual([
    [
      ...Array(2).fill(['fine', 'fine', false]),
      ...[['RangeError undefined', broken, true], failed],
      ...[
        [null, broken, true],
        [null, broken, true],
      ],
    ],
    true,
  ]);
});

test('a storm: parties are killed at random; the rounds go on with those that take their place', async () => {
  const got = await runJson(
    `${bodyHead}
    const b = new mp.Barrier(3), stop = count(), rounds = Array.from({ length: 4 }, count);
    const body = async (_, round, way, b, stop) => {
      while (stop.value === 0) {
        try { if (way) b.waitSync(1000); else await b.wait(); round.add(1) }
        catch (e) { if (e.name !== 'BrokenBarrierError') throw e; if (stop.value === 0) b.reset() }
      }
    };
    const begin = (i) => start(i % 2 ? 'thread' : 'process', body, rounds[i], (i >> 1) % 2, b, stop);
    const all = rounds.map((_, i) => begin(i));
    for (let i = 0; i < 4; i++) {
      const victim = i % 4, sum = () => rounds.reduce((s, r) => s + r.value, 0), from = sum();
      await until(() => sum() > from + 30);
      await all[victim].end();
      all[victim] = begin(victim);
    }
    stop.value = 1;
    b.abort();
    await Promise.all(all.map((p) => p.done));
    b.reset();
    out([(await Promise.all([b.wait(), b.wait(), b.wait()])).sort(), b.nWaiting, b.broken]);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual([[0, 1, 2], 0, false]);
});

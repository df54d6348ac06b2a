// The event: who waits is woken, by whom, and what does not disturb it.
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { uniqueName } from '../support/names.js';
import { bodyHead, closedError, grounds, rangeError, typeError } from '../support/sync.js';

test('set and clear, as often as one likes; a wait for a set one is over at once, in both forms', async () => {
  const got = await runJson(`${bodyHead}
    import { inspect } from 'node:util';
    const event = new mp.Event(), got = [];
    const look = async () => got.push(event.isSet(), await event.wait(0), event.waitSync(0), inspect(event));
    await look();
    event.set(); event.set();
    await look();
    got.push(await event.wait(), event.waitSync(), await event.wait(1e9), event.waitSync({ timeout: Infinity }));
    event.clear(); event.clear();
    await look();
    got.push(mp.MpEvent === mp.Event);
    event.close();
    out([...got, inspect(event), native.census().objects]);`);
  expect(got).toEqual([
    ...[false, false, false, '<Event clear>'],
    ...[true, true, true, '<Event set>', true, true, true, true],
    ...[false, false, false, '<Event clear>', true, '<Event closed>', 0],
  ]);
});

test('timeouts: false, not before their time; nonsense is refused; an abort ends the wait', async () => {
  const got = await runJson(`${bodyHead}
    import { getEventListeners } from 'node:events';
    const event = new mp.Event(), got = {}, c = new AbortController(), reason = { why: 1 };
    got.waited = [];
    for (const ms of [1, 20]) {
      let from = performance.now();
      const late = await event.wait(ms), a = performance.now() - from >= ms;
      from = performance.now();
      got.waited.push([late, event.waitSync({ timeout: ms }), a, performance.now() - from >= ms]);
    }
    const nonsense = [NaN, -1, { timeout: -0.1 }, -Infinity], wrong = ['5', true, { timeout: 5n }, { signal: 5 }];
    got.range = [...await Promise.all(nonsense.map((t) => rejected(event.wait(t)))), ...nonsense.map((t) => thrown(() => event.waitSync(t)))];
    got.type = [...await Promise.all(wrong.map((t) => rejected(event.wait(t)))), ...[...wrong, { signal: c.signal }].map((t) => thrown(() => event.waitSync(t)))];
    const why = (p) => p.catch((e) => (e === reason ? 'reason' : e.name));
    const two = [why(event.wait({ signal: c.signal })), why(event.wait({ signal: c.signal, timeout: 1e8 }))], stays = event.wait();
    await turns();
    c.abort(reason);
    got.aborted = [...await Promise.all(two), await why(event.wait({ signal: c.signal }))];
    event.set();
    got.aborted.push(await stays, await why(event.wait({ signal: c.signal })), event.isSet());
    got.left = [getEventListeners(c.signal, 'abort').length, process.getActiveResourcesInfo().filter((x) => x === 'Timeout').length];
    for (const x of [5, 'name', null, {}, []]) got.type.push(thrown(() => new mp.Event(x)));
    out(got);`);
  expect(got.waited).toEqual(Array(2).fill([false, false, true, true]));
  expect(new Set(got.range)).toEqual(new Set([rangeError]));
  expect(new Set(got.type)).toEqual(new Set([typeError]));
  expect(got.aborted).toEqual(['reason', 'reason', 'reason', true, 'reason', true]);
  expect(got.left).toEqual([0, 0]);
});

test('close: its waits fail, those of another handle do not; then everything is a ClosedError', async () => {
  const got = await runJson(`${bodyHead}
    const event = new mp.Event(), other = mp.open(mp.share(event)), got = [];
    const pending = [event.wait(), event.wait(1e7)].map(rejected), stays = other.wait();
    await turns();
    event.close(); event.close(); event[Symbol.dispose]();
    got.push(...await Promise.all(pending), await rejected(event.wait()));
    got.push(...[() => event.set(), () => event.clear(), () => event.isSet(), () => event.waitSync(), () => event.name, () => mp.share(event)].map(thrown));
    other.set();
    got.push(await stays);
    other.close();
    out([...got, native.census().objects]);`);
  expect(got).toEqual([...Array(9).fill(closedError), true, 0]);
});

test('every task that waited when it was set is woken, although clear() follows at once; later ones are not', async () => {
  const got = await runJson(`${bodyHead}
    const event = new mp.Event(), got = [];
    for (let round = 0; round < 50; round++) {
      const before = [event.wait(), event.wait(1e7)];
      event.set(); event.clear();
      const after = event.wait(1);
      before.push(event.wait());
      event.set();
      got.push([...await Promise.all(before), event.isSet()].join(), [true, false].includes(await after));
      event.clear();
    }
    out([...new Set(got)]);`);
  expect(got).toEqual(['true,true,true,true', true]);
});

test('a wait whose time is up is true if the event was set before, although our loop was too busy to hear of it', async () => {
  const got = await runJson(`${bodyHead}
    const busy = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); }, got = [];
    for (const event of [new mp.Event(), new mp.Event({ name: '${uniqueName()}' })]) {
      for (const set of [true, false]) {
        const waits = [event.wait(20), event.wait(30)];
        if (set) { event.set(); event.clear() }
        busy(50);
        got.push(...await Promise.all(waits));
      }
      if (event.name !== null) mp.Event.delete(event.name);
    }
    out(got);`);
  expect(got).toEqual([true, true, false, false, true, true, false, false]);
});

group.each(grounds)('among peers that are each a %s', (ground) => {
  test('set() followed by clear() wakes all of them, round after round', async () => {
    // Python's wait() looks at the flag again, and may say false.
    const got = await runJson(`${bodyHead}
      const event = new mp.Event(), round = count(), done = count(), ready = count(), wrong = count();
      const body = async ({ untilCount }, event, round, done, ready, wrong) => {
        for (let i = 1; i <= 60; i++) {
          const wait = event.wait();                     // begun when it returns
          ready.add(1);
          if (!(await wait)) wrong.add(1);
          done.add(1);
          await untilCount(round, i);
        }
      };
      const all = [1, 2].map(() => start('${ground}', body, event, round, done, ready, wrong).done);
      for (let i = 1; i <= 60; i++) {
        await until(() => ready.value === 2 * i);
        event.set(); event.clear();
        await until(() => done.value === 2 * i);
        round.value = i;
      }
      await Promise.all(all);
      out([wrong.value, event.isSet()]);`);
    expect(got).toEqual([0, false]);
  });

  test('those that sleep in waitSync() are woken by set() and clear() in one breath', async () => {
    const got = await runJson(`${bodyHead}
      import { readFileSync } from 'node:fs';
      const event = new mp.Event(), said = count();
      const all = [1, 2].map(() => start('${ground}', (_, event, said) => { said.add(1); return event.waitSync() }, event, said));
      await until(() => said.value === 2);
      // Until they are woken: who came too late for one breath is there for another.
      let over = 0;
      for (const p of all) p.done.then(() => over++);
      while (over < 2) { event.set(); event.clear(); await turns(1) }
      out(await Promise.all(all.map((p) => p.done)));`);
    expect(got).toEqual([true, true]);
  });

  test('peers that die while they wait, or in the middle of setting, hold up nobody', async () => {
    // Python's set() waits for an answer of each waiter: a dead one gives none.
    const got = await runJson(`${bodyHead}
      const event = new mp.Event(), said = count(), stop = count(), got = [];
      const body = async (_, way, event, said) => {
        said.add(1);
        if (way === 'set') for (;;) { event.set(); event.clear() }
        if (way === 'sync') event.waitSync(); else await event.wait();
      };
      const victims = ['sync', 'async', 'sync'].map((way) => start('${ground}', body, way, event, said));
      const others = [1, 2].map(() => start('${ground}', (_, event, said) => { said.add(1); return event.waitSync() }, event, said));
      await until(() => said.value === 5);
      const own = event.wait();
      await Promise.all(victims.map((v) => v.end()));
      event.set();
      got.push(await own, ...await Promise.all(others.map((o) => o.done)));
      event.clear();
      for (let i = 0; i < 3; i++) {
        const setter = start('${ground}', body, 'set', event, said), waits = [event.wait(), event.wait()];
        await until(() => said.value === 6 + i);
        got.push(...await Promise.all(waits));
        await setter.end();
        event.clear();
        got.push(event.isSet());
        const last = event.wait();
        event.set();
        got.push(await last);
        event.clear();
      }
      event.close();
      await until(() => native.census().objects === 2);
      out(got);`);
    expect(got).toEqual([...Array(3).fill(true), ...Array(3).fill([true, true, false, true]).flat()]);
  });

  test('handles travel; damaged ones are told apart from those of objects that are gone', async () => {
    const got = await runJson(`${bodyHead}
      const event = new mp.Event(), back = new mp.Event();
      const peer = start('${ground}', async ({ mp }, event, back) => {
        const again = mp.open(structuredClone(mp.share(back)));
        await event.wait();
        again.set();
        return [event.isSet(), back.isSet()];
      }, event, back);
      event.set();
      const got = [back.waitSync(), ...await peer.done], handle = mp.share(event);
      event.close();
      await until(() => native.census().objects === 1);
      got.push(thrown(() => mp.open(handle)), thrown(() => mp.open({ ...mp.share(back), kind: 77 })), thrown(() => mp.open({ ...mp.share(back), multiproc: 'Barrier', action: null, timeout: 5 })));
      out(got);`);
    expect(got).toEqual([...[true, true, true, closedError], ...['ERR_MP_HANDLE', 'ERR_MP_HANDLE']]);
  });
});

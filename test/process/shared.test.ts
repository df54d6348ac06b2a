// Shared objects on their way to children and back.
import { expect, test } from 'vitest';
import { describe, fixtures } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as shared from '${new URL('shared.mjs', fixtures).href}';
import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
const out = (value) => console.log(JSON.stringify(value));
`;

forEachStartMethod(({ method, runJson, runScript }) => {
  test('shared objects in arguments are the same objects in the children', async () => {
    const got = await runJson(`${head}
    const lock = new mp.Lock(), total = new mp.Value('i', 0);
    const all = Array.from({ length: 3 }, () => new mp.Process(shared.count, { lock, total, list: [new Map([['again', lock]])] }, 2000).start());
    const same = await Promise.all(all.map((p) => p.result()));
    out([same, total.value, lock.locked]);`);
    expect(got).toEqual([[true, true, true], 6000, false]);
  });

  test('the fields of a subclass may be shared objects', async () => {
    const got = await runJson(`${head}
    const lock = new mp.Lock();
    const guard = lock.acquireSync();
    const p = new shared.Holder(lock).start();
    const back = await p.result();
    const held = back.locked; guard.release();
    out([back instanceof mp.Lock, held, back.locked]);`);
    expect(got).toEqual([true, true, false]);
  });

  test('shared objects made in a child live on in its result when it is gone', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(shared.make).start();
    p.joinSync(); // the child is dead before the event loop has seen its letter
    const { lock, value, also } = await p.result();
    for (let i = 0; i < 100; i++) new mp.Lock().close();
    const filler = Array.from({ length: 200 }, () => new mp.Value('i', 1));
    const guard = lock.acquireSync();
    out([value.value, lock.locked, [...also[0]][0] === lock, lock.tryAcquire(), filler.length]);
    guard.release();`);
    expect(got).toEqual([42, true, true, null, 200]);
  });

  test('what a killed child gave before is still there', async () => {
    const got = await runJson(`${head}
    const p = new mp.Process(shared.makeAndStay, new mp.Lock()).start();
    const { lock, value } = await p.result();
    p.kill(); await p.join();
    const q = new mp.Process(shared.giveBack, value).start();
    const [a, b] = await q.result(); a.value++;
    out([value.value, a === b, lock.locked]);`);
    expect(got).toEqual([8, true, false]);
  });

  test('closing a handle while it travels does not lose the object', async () => {
    const got = await runJson(`${head}
    const value = new mp.Value('i', 5);
    const p = new mp.Process(shared.giveBack, value).start();
    value.close();
    const others = Array.from({ length: 200 }, () => new mp.Value('i', 1));
    out([(await p.result())[0].value, others.length]);`);
    expect(got).toEqual([5, 200]);
  });

  test('a lock that a child held when it was killed is known to be abandoned', async () => {
    const end = await runScript(`${head}
    const lock = new mp.Lock();
    const p = new mp.Process(shared.holdAndDie, lock).start();
    const code = await p.join();
    const guard = await lock.acquire();
    out([code, guard.abandoned]);
    guard.release();`);
    expect(JSON.parse(end.stdout), describe(end)).toEqual([-9, true]);
  });

  test('an error may carry a shared object', async () => {
    const got = await runJson(`${head}
    const lock = new mp.Lock();
    const error = await new mp.Process({ target: shared.throwShared, args: [lock], stdio: 'ignore' }).start().result().catch((e) => e);
    const guard = error.lock.acquireSync();
    out([error.message, error.lock instanceof mp.Lock, lock.locked]);
    guard.release();`);
    expect(got).toEqual(['with a lock', true, true]);
  });

  test('a closed object is an error at the call, and nothing is started', async () => {
    const got = await runJson(`${head}
    const lock = new mp.Lock(); lock.close();
    const p = new mp.Process(tasks.echo, lock);
    try { p.start(); out('started'); } catch (e) { out([e.name, p.pid]); }`);
    // A fork's target is given the closed handle.
    expect(got).toEqual(method === 'fork' ? 'started' : ['ClosedError', null]);
  });

  test('the owner of a lock is shown by the name of its process', async () => {
    const got = await runJson(`${head}
    const lock = new mp.Lock();
    const p = new mp.Process({ target: shared.holdForever, args: [lock], name: 'keeper', stdio: ['ignore', 'pipe', 'inherit'] }).start();
    await new Promise((resolve) => p.stdout.once('data', resolve));
    const { pid, name } = lock.owner;
    p.kill();
    out([pid === p.pid, name]);`);
    expect(got).toEqual([true, 'keeper']);
  });

  test('starting and joining gives back every reference', async () => {
    const got = await runJson(
      `${head}
    // A closed Value's slot is taken by the next one. If children kept references, slots would run out of the first page.
    const seen = new Set();
    for (let i = 0; i < 10; i++) {
      const value = new mp.Value('i', i);
      const [back] = await mp.run(shared.giveBack, value);
      seen.add(mp.share(value).slot);
      back.close(); value.close();
      while (mp.activeChildren().length > 0) await Promise.all(mp.activeChildren().map((p) => p.join()));
    }
    out([seen.size]);`,
    );
    expect(got[0]).toBeLessThanOrEqual(3);
  });
});

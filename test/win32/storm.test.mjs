// Kills at any moment: what they share stays right, and goes on at once.
import * as work from './fixtures/work.mjs';
import { assert, mp, test, until } from './support.mjs';

test('40 kills of processes at work on a lock and a queue', async () => {
  const lock = new mp.Lock();
  const queue = new mp.Queue(100);
  const pair = new mp.RawArray('i', 2);
  const done = new mp.Value('i', 0);
  const abandoned = new mp.Value('i', 0);
  const start = () => new mp.Process(work.storm, lock, queue, pair, done, abandoned).start();
  const workers = [start(), start(), start()];
  assert.ok(await until(() => done.value > 100));
  for (let kill = 0; kill < 40; kill++) {
    const victim = workers.shift();
    workers.push(start());
    victim.kill();
    assert.equal(await victim.join(), -9);
    const before = done.value;
    assert.ok(await until(() => done.value > before + 3, 2000), `kill ${kill}: nobody goes on`);
    const guard = await lock.acquire({ timeout: 5000 });
    if (guard.abandoned) {
      abandoned.add(1);
      pair[1] = pair[0];
    }
    assert.equal(pair[0], pair[1], `kill ${kill}`);
    guard.release();
  }
  for (const worker of workers) {
    worker.kill();
    await worker.join();
  }
  assert.ok(abandoned.value > 0, `no owner was killed in ${done.value} rounds`);
  const guard = await lock.acquire({ timeout: 5000 });
  guard.release();
  while (queue.tryGet() !== null);
  queue.putSync('still works');
  assert.equal(queue.getSync({ timeout: 1000 }), 'still works');
}, 120_000);

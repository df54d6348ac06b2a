// What else goes through queues and pipes: functions by reference, and streams.
import { expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { bodyHead as head } from '../support/sync.js';

const late = new URL('loaded-late.mjs', fixtures).href;

test('functions go by reference, and their modules are loaded where they arrive', async () => {
  const got = await runJson(`${head}
    const { twice } = await import('${late}');
    const q = new mp.Queue(), [a, b] = mp.Pipe(), before = native.census().objects;
    const message = { twice, list: [new mp.Lock()] };
    q.putSync(message); const own = q.getSync(); own.list[0].close();
    for (let i = 0; i < 3; i++) q.putSync(message);
    a.sendSync(twice);
    message.list[0].close();
    const body = async ({ attempt }, q, b) => {
      const first = attempt(() => q.getSync().twice(1));
      const got = await q.get(), many = await q.getMany(1);
      return [first, got.twice(1), got.list[0].locked, many[0].twice(2), (await b.recv())(3), got.twice === many[0].twice];
    };
    const peer = start('process', body, q, b);
    const result = await peer.done;
    await until(() => { native.sweep(); return native.census().objects === before });
    out([own.twice === twice, result]);`);
  expect(got).toEqual([true, [2, 2, false, 4, 6, true]]);
});

test('a queue is a stream of messages: as many ahead as the reader wants, and its shutdown is the end', async () => {
  const got = await runJson(`${head}
    import { pipeline } from 'node:stream/promises';
    const q = new mp.Queue(2), other = new mp.Queue();
    const writes = pipeline(async function* () { for (let i = 0; i < 20; i++) yield { i } }, q.toWritable());
    const moves = pipeline(q.toReadable(), other.toWritable());
    await writes;
    q.shutdown();
    await moves;
    const { readable, writable } = other.toWeb();
    const writer = writable.getWriter();
    await writer.write('last'); await writer.close();
    other.shutdown();
    const seen = [];
    for await (const m of readable) seen.push(m.i ?? m);
    out(seen);`);
  expect(got).toEqual([...Array(20).keys(), 'last']);
});

test('random values with large arrays in them arrive as structuredClone() gives them', async () => {
  for (const seed of [1, Date.now() % 1e6]) {
    const got = await runJson(new URL('large.mjs', import.meta.url), { args: ['400', String(seed)] });
    expect(got).toEqual({ runs: 400 });
  }
});

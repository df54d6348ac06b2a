// Does a queue stand many who put and many who get?
import { Process, Queue, Value } from 'multiproc';
import { hasPython, interleave, python } from './support.mjs';
import { getUntilShut, putWhenAll } from './targets/messages.mjs';

/** Millions of messages a second, of all together. */
async function ours(putters, getters, total) {
  const q = new Queue();
  const ready = new Value('i', 0);
  const each = Math.ceil(total / putters);
  const all = putters + getters;
  const takers = Array.from({ length: getters }, () => new Process(getUntilShut, q, ready).start());
  const givers = Array.from({ length: putters }, () => new Process(putWhenAll, q, each, ready, all).start());
  while (ready.value < all) await new Promise((done) => setTimeout(done, 1));
  const since = process.hrtime.bigint();
  await Promise.all(givers.map((p) => p.join()));
  q.shutdown();
  const got = await Promise.all(takers.map((p) => p.result()));
  const seconds = Number(process.hrtime.bigint() - since) / 1e9;
  await Promise.all(takers.map((p) => p.join()));
  q.close();
  ready.close();
  return got.reduce((a, b) => a + b, 0) / seconds / 1e6;
}

const theirs = (putters, getters, total) => `
import multiprocessing as m, time
m.set_start_method('fork')
each = ${Math.ceil(total / putters)}
q, ready = m.Queue(), m.Value('i', 0)
def come():
    with ready.get_lock(): ready.value += 1
    while ready.value < ${putters + getters}: time.sleep(0.001)
def give():
    come()
    for i in range(each): q.put({'id': i, 'op': 'add', 'args': [i, 2]})
def take():
    come()
    while q.get() is not None: pass
takers = [m.Process(target=take) for _ in range(${getters})]
givers = [m.Process(target=give) for _ in range(${putters})]
for p in takers + givers: p.start()
while ready.value < ${putters + getters}: time.sleep(0.001)
t = time.perf_counter()
for p in givers: p.join()
for p in takers: q.put(None)
for p in takers: p.join()
print(each * ${putters} / (time.perf_counter() - t) / 1e6)
`;

export async function bench({ smoke }) {
  const rows = [];
  for (const [putters, getters] of smoke
    ? [[2, 2]]
    : [
        [1, 1],
        [2, 2],
        [4, 4],
        [8, 8],
        [32, 32],
      ]) {
    const total = smoke ? 400 : 400_000;
    const m = await interleave(smoke ? 1 : 3, {
      ours: () => ours(putters, getters, total),
      python: () => (hasPython ? python(theirs(putters, getters, total / 20)) : NaN),
    });
    rows.push({
      what: `{ id, op, args }, ${putters} put and ${getters} get`,
      unit: 'M/s',
      ours: m.ours,
      peers: { "CPython's Queue": m.python },
    });
  }
  return { title: 'a queue between many processes', rows };
}

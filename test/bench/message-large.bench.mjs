// How fast do large messages go: buffers of 1 MiB copied, used in place, and shared arrays by reference?
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { MpArray, Pipe, Process, Queue } from 'multiproc';
import { hasPython, interleave, python } from './support.mjs';
import { getBlocks, putBlocks, recvBlocks, returnAll, sendBlocks } from './targets/messages.mjs';

const gigabytes = (rate) => (rate * 2 ** 20) / 1e9;

async function ends(how, count) {
  const [here, there] = Pipe({ duplex: false });
  const take = new Process(recvBlocks, here, how, count).start();
  const give = new Process(sendBlocks, there, count).start();
  const rate = await take.result();
  await Promise.all([give.join(), take.join()]);
  here.close();
  there.close();
  return gigabytes(rate);
}

async function queue(shared, count) {
  const q = new Queue(4);
  const take = new Process(getBlocks, q, shared, count).start();
  const give = new Process(putBlocks, q, count).start();
  const rate = await take.result();
  await Promise.all([give.join(), take.join()]);
  q.close();
  return gigabytes(rate);
}

/** Microseconds for one way of a shared array's reference. */
async function reference(bytes, count) {
  const [here, there] = Pipe();
  const other = new Process(returnAll, there, count).start();
  const array = new MpArray('B', bytes);
  const turn = () => {
    here.sendSync(array);
    here.recvSync().close();
  };
  for (let i = 0; i < count / 10; i++) turn();
  const since = process.hrtime.bigint();
  for (let i = count / 10; i < count; i++) turn();
  const micros = Number(process.hrtime.bigint() - since) / 1000 / (count * 0.9) / 2;
  await other.join();
  for (const o of [here, there, array]) o.close();
  return micros;
}

async function post(count) {
  const worker = new Worker(new URL('targets/messages.mjs', import.meta.url), { workerData: { count } });
  await once(worker, 'message');
  const answered = once(worker, 'message');
  const block = new Uint8Array(1 << 20).fill(1);
  for (let i = 0; i < count; i++) {
    worker.postMessage(block);
    if (i % 16 === 0) await new Promise(setImmediate);
  }
  const [rate] = await answered;
  await worker.terminate();
  return gigabytes(rate);
}

const theirs = (count) => `
import multiprocessing as m, time
m.set_start_method('fork')
def give(c):
    block = b'x' * 2**20
    for i in range(${count}): c.send_bytes(block)
a, b = m.Pipe(False)
p = m.Process(target=give, args=(b,))
p.start()
a.recv_bytes()
t = time.perf_counter()
for i in range(${count} - 1): a.recv_bytes()
print((${count} - 1) * 2**20 / 1e9 / (time.perf_counter() - t))
p.join()
`;

export async function bench({ smoke }) {
  const [rounds, count] = smoke ? [1, 10] : [5, 4000];
  const m = await interleave(rounds, {
    into: () => ends('into', count),
    fresh: () => ends('fresh', Math.ceil(count / 4)),
    shared: () => queue(true, count),
    copied: () => queue(false, Math.ceil(count / 4)),
    small: () => reference(1000, smoke ? 50 : 20_000),
    large: () => reference(100_000_000, smoke ? 50 : 20_000),
    post: () => post(Math.ceil(count / 4)),
    python: () => (hasPython ? python(theirs(Math.ceil(count / 4))) : NaN),
  });
  const peers = { 'postMessage to a worker': m.post, "CPython's send_bytes": m.python };
  const row = (what, ours, goal) => ({ what, unit: 'GB/s', ours, goal, peers });
  return {
    title: 'buffers of 1 MiB',
    rows: [
      row('Pipe, received into a buffer', m.into, '≥ 25'),
      row('Queue, get({ shared: true })', m.shared, '≥ 25'),
      row('Pipe, a new Buffer each', m.fresh, '≥ 2.5'),
      row('Queue, a new array each', m.copied, '≥ 2.5'),
      { what: 'a shared array of 1 kB, one way', unit: 'µs', ours: m.small, goal: '≤ 1' },
      { what: 'a shared array of 100 MB, one way', unit: 'µs', ours: m.large, goal: '≤ 1' },
    ],
  };
}

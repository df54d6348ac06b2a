// How many messages a second go from one process to another?
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Pipe, Process, Queue } from 'multiproc';
import { hasPython, interleave, python } from './support.mjs';
import { getAll, payloads, putAll, recvAll, sendAll } from './targets/messages.mjs';

const file = new URL('targets/messages.mjs', import.meta.url);

async function both(taker, giver, here, there, kind, count) {
  const take = new Process(taker, here, count).start();
  const give = new Process(giver, there, kind, count).start();
  const rate = await take.result();
  await give.join();
  await take.join();
  return rate / 1e6;
}

async function queue(kind, count) {
  const q = new Queue();
  const rate = await both(getAll, putAll, q, q, kind, count);
  q.close();
  return rate;
}

async function pipe(kind, count) {
  const [here, there] = Pipe({ duplex: false });
  const rate = await both(recvAll, sendAll, here, there, kind, count);
  here.close();
  there.close();
  return rate;
}

async function send(kind, count, serialization) {
  const child = fork(file, ['count', String(count)], { serialization });
  await once(child, 'message');
  const answered = once(child, 'message');
  const make = payloads[kind];
  for (let i = 0; i < count; i++) {
    // Not all at once: what has not been written yet is kept in memory.
    if (!child.send(make(i)) && i % 1000 === 0) await new Promise(setImmediate);
  }
  const [rate] = await answered;
  await once(child, 'exit');
  return rate / 1e6;
}

async function post(kind, count) {
  const worker = new Worker(file, { workerData: { count } });
  await once(worker, 'message');
  const answered = once(worker, 'message');
  const make = payloads[kind];
  for (let i = 0; i < count; i++) worker.postMessage(make(i));
  const [rate] = await answered;
  await worker.terminate();
  return rate / 1e6;
}

const values = {
  int: 'i',
  object: "{'id': i, 'op': 'add', 'args': [i, 2]}",
  text: "('The quick brown fox jumps over the lazy dog. ' * 23)[:1024]",
  doubles: 'doubles',
};
const theirs = (kind, make, put, get, count) => `
import multiprocessing as m, time
m.set_start_method('fork')
doubles = [i + 0.5 for i in range(100000)]
def give(q):
    for i in range(${count}): q.${put}(${values[kind]})
a, b = ${make}
p = m.Process(target=give, args=(b,))
p.start()
for i in range(${count} - ${count} // 2): a.${get}()
t = time.perf_counter()
for i in range(${count} // 2): a.${get}()
print(${count} // 2 / (time.perf_counter() - t) / 1e6)
p.join()
`;

export async function bench({ smoke }) {
  const rows = [];
  for (const [kind, text, count, goals] of [
    ['int', 'an int', 10_000_000, ['', '≥ 25']],
    ['object', '{ id, op, args }', 2_000_000, ['≥ 3', '≥ 5']],
    ['text', 'a string of 1 KiB', 200_000, ['', '']],
    ['doubles', 'an array of 100,000 doubles', 200, ['', '']],
  ]) {
    const few = Math.ceil(count / (count > 1e6 ? 50 : 10));
    const ours = smoke ? 100 : count;
    const others = smoke ? 20 : few;
    const asks = (make, put, get) => () => (hasPython ? python(theirs(kind, make, put, get, others)) : NaN);
    const m = await interleave(smoke ? 1 : 5, {
      queue: () => queue(kind, ours),
      pipe: () => pipe(kind, ours),
      json: () => send(kind, others, 'json'),
      advanced: () => send(kind, others, 'advanced'),
      post: () => post(kind, others),
      pythonQueue: asks('(m.Queue(),) * 2', 'put', 'get'),
      pythonSimple: asks('(m.SimpleQueue(),) * 2', 'put', 'get'),
      pythonPipe: asks('m.Pipe(False)', 'send', 'recv'),
    });
    const node = {
      'process.send, json': m.json,
      'process.send, advanced': m.advanced,
      'postMessage to a worker': m.post,
    };
    rows.push(
      {
        what: `Queue, ${text}`,
        unit: 'M/s',
        ours: m.queue,
        goal: goals[0],
        peers: { ...node, "CPython's Queue": m.pythonQueue, "CPython's SimpleQueue": m.pythonSimple },
      },
      {
        what: `Pipe, ${text}`,
        unit: 'M/s',
        ours: m.pipe,
        goal: goals[1],
        peers: { ...node, "CPython's Pipe": m.pythonPipe },
      },
    );
  }
  return { title: 'messages from one process to another', rows };
}

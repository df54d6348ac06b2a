// What processes of the message benches do, and their peers: a child of child_process.fork, a worker thread.
import { release } from 'multiproc';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

const text = 'The quick brown fox jumps over the lazy dog. '.repeat(23).slice(0, 1024);

export const payloads = {
  int: (i) => i,
  object: (i) => ({ id: i, op: 'add', args: [i, 2] }),
  text: () => text,
  doubles: () => doubles,
};
const doubles = Array.from({ length: 1e5 }, (_, i) => i + 0.5);

const seconds = (since) => Number(process.hrtime.bigint() - since) / 1e9;

/** Of so many messages, how many are not counted: both sides have to be compiled first. The same for everybody. */
const uncounted = (count) => Math.ceil(count / 2);

/** Messages a second. */
export function rateOf(count, take) {
  const first = uncounted(count);
  for (let i = 0; i < first; i++) take();
  const since = process.hrtime.bigint();
  for (let i = first; i < count; i++) take();
  return (count - first) / seconds(since);
}

export const getAll = (queue, count) => rateOf(count, () => queue.getSync());
export function putAll(queue, kind, count) {
  const make = payloads[kind];
  for (let i = 0; i < count; i++) queue.putSync(make(i));
}
export const recvAll = (end, count) => rateOf(count, () => end.recvSync());
export function sendAll(end, kind, count) {
  const make = payloads[kind];
  for (let i = 0; i < count; i++) end.sendSync(make(i));
}

/** Gets until the queue is shut down; how many. */
export function getUntilShut(queue, ready) {
  ready.add(1);
  let n = 0;
  try {
    for (;;) {
      queue.getSync();
      n++;
    }
  } catch (error) {
    if (error.code !== 'ERR_MP_SHUT_DOWN') throw error;
  }
  return n;
}
export function putWhenAll(queue, count, ready, all) {
  ready.add(1);
  while (ready.value < all);
  const make = payloads.object;
  for (let i = 0; i < count; i++) queue.putSync(make(i));
}

/** 1 MiB at a time. `how` the receiver takes it. */
export function sendBlocks(end, count) {
  const block = new Uint8Array(1 << 20).fill(1);
  for (let i = 0; i < count; i++) end.sendBytesSync(block);
}
export function recvBlocks(end, how, count) {
  const target = new Uint8Array(1 << 20);
  return rateOf(count, how === 'into' ? () => end.recvBytesIntoSync(target) : () => end.recvBytesSync());
}
export function putBlocks(queue, count) {
  const block = new Uint8Array(1 << 20).fill(1);
  for (let i = 0; i < count; i++) queue.putSync(block);
}
export const getBlocks = (queue, shared, count) =>
  rateOf(count, shared ? () => release(queue.getSync({ shared })) : () => queue.getSync());

/** A shared array there and back. */
export function returnAll(end, count) {
  for (let i = 0; i < count; i++) {
    const array = end.recvSync();
    end.sendSync(array);
    array.close();
  }
}

/** A peer that counts what its parent sends: a rate when all have come. */
function countMessages(count, on, reply) {
  let n = 0;
  let since;
  on(() => {
    n++;
    if (n === uncounted(count)) since = process.hrtime.bigint();
    else if (n === count) reply((count - uncounted(count)) / seconds(since));
  });
}

if (!isMainThread && typeof workerData?.count === 'number') {
  countMessages(
    workerData.count,
    (heard) => parentPort.on('message', heard),
    (rate) => {
      parentPort.postMessage(rate);
      parentPort.close();
    },
  );
  parentPort.postMessage('ready');
} else if (process.argv[2] === 'count') {
  countMessages(
    Number(process.argv[3]),
    (heard) => process.on('message', heard),
    (rate) => process.send(rate, () => process.disconnect()),
  );
  process.send('ready');
} else if (process.argv[2] === 'echo') {
  process.on('message', (m) => process.send(m));
  process.send('ready');
}

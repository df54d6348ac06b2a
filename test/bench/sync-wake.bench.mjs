// How long until a promise of another, idle process is resolved?
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Event, Lock, Pipe, Process, Queue, RawValue } from 'multiproc';
import { interleave, median } from './support.mjs';
import { awaitEvent, awaitLock, awaitMessage } from './targets/idle.mjs';

const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const micros = (sent, arrived) => median(arrived.map((at, i) => Number(at - sent[i]) / 1000));

async function eventToPromise(count) {
  const [event, done] = [new Event(), new RawValue('i', 0)];
  const other = new Process(awaitEvent, event, done, count).start();
  while (done.value !== -1) await rest(5); // it is there
  done.value = 0;
  await rest(20);
  const sent = [];
  for (let i = 0; i < count; i++) {
    while (done.value !== i) await rest(1);
    await rest(5);
    sent.push(process.hrtime.bigint());
    event.set();
  }
  const arrived = await other.result();
  await other.join();
  return micros(sent, arrived);
}

async function messageToPromise(count, [there, here], put, receive) {
  const done = new RawValue('i', 0);
  const other = new Process(awaitMessage, there, receive, done, count).start();
  while (done.value !== -1) await rest(5); // it is there
  done.value = 0;
  await rest(20);
  const sent = [];
  for (let i = 0; i < count; i++) {
    while (done.value !== i) await rest(1);
    await rest(5);
    sent.push(process.hrtime.bigint());
    here[put](i);
  }
  const arrived = await other.result();
  await other.join();
  for (const end of new Set([there, here])) end.close();
  return micros(sent, arrived);
}

function queueToPromise(count) {
  const queue = new Queue();
  return messageToPromise(count, [queue, queue], 'putSync', 'get');
}

async function lockToPromise(count) {
  const [lock, done] = [new Lock(), new RawValue('i', 0)];
  let guard = lock.acquireSync();
  const other = new Process(awaitLock, lock, done, count).start();
  while (done.value !== -1) await rest(5); // it is there
  done.value = 0;
  await rest(20);
  const sent = [];
  for (let i = 0; i < count; i++) {
    while (done.value !== 0) await rest(1);
    await rest(5);
    sent.push(process.hrtime.bigint());
    guard.release();
    while (done.value !== i + 1) await rest(1);
    guard = lock.acquireSync();
    done.value = -1;
  }
  const arrived = await other.result();
  await other.join();
  return micros(sent, arrived);
}

async function message(count) {
  const child = fork(new URL('targets/idle.mjs', import.meta.url));
  await once(child, 'message'); // it is there
  await rest(20);
  const [sent, arrived] = [[], []];
  for (let i = 0; i < count; i++) {
    await rest(5);
    sent.push(process.hrtime.bigint());
    child.send(i);
    arrived.push(BigInt((await once(child, 'message'))[0]));
  }
  child.kill();
  await once(child, 'exit');
  return micros(sent, arrived);
}

export async function bench({ smoke }) {
  const [rounds, count] = smoke ? [1, 2] : [5, 40];
  const m = await interleave(rounds, {
    event: () => eventToPromise(count),
    send: () => message(count),
    lock: () => lockToPromise(count),
    queue: () => queueToPromise(count),
    pipe: () => messageToPromise(count, Pipe(), 'sendSync', 'recv'),
  });
  const peers = { "child_process's send()": m.send };
  return {
    title: 'waking an idle process, p50',
    rows: [
      { what: 'event.set() → await event.wait()', unit: 'µs', ours: m.event, goal: 'below send()', peers },
      {
        what: 'guard.release() → await lock.acquire()',
        unit: 'µs',
        ours: m.lock,
        goal: 'below send()',
        peers,
      },
      { what: 'queue.putSync() → await queue.get()', unit: 'µs', ours: m.queue, peers },
      { what: 'end.sendSync() → await end.recv()', unit: 'µs', ours: m.pipe, peers },
    ],
  };
}

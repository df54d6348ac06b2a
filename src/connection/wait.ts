/** Waiting for the first of several things. */
import { Readable } from 'node:stream';
import { rangeError, show, typeError } from '../native/arguments.js';
import { Process } from '../process/process.js';
import { Queue } from '../queue/queue.js';
import { Event } from '../sync/event.js';
import { ExclusiveHandle } from '../sync/sync-handle.js';
import { waitLater } from '../sync/wait-later.js';
import { beginWait, type WaitOptions } from '../sync/wait-options.js';
import { Connection } from './connection.js';

/** What wait() can wait for. */
export type Waitable =
  Connection | Process | Queue | Event | Readable | { acquire: unknown; tryAcquire: () => unknown };

/** One of them: whether it is ready, and a promise for when it may be. The promise is no more awaited once `signal` is aborted. */
interface Watched {
  isReady(): boolean;
  untilReady(signal: AbortSignal): Promise<unknown>;
}

/**
 * Waits until at least one of several things is ready, without blocking the event loop. Takes nothing from any of them.
 *
 * Ready is a Connection when there is a message, or its end; a Process when it has ended; a Queue when there is a message, or it
 * was shut down; an Event when it is set; a Lock, RLock or Semaphore when it can be had; a stream (a socket) when there is
 * something to read, or its end. Somebody else may be faster with what was ready: take it with the calls that do not wait.
 * @returns those that are ready, in the order in which they were given; none when the timeout has passed
 * @throws the signal's reason; what looking at one of them throws, e.g. ClosedError
 */
export async function wait<T extends Waitable>(
  things: Iterable<T>,
  options?: number | WaitOptions,
): Promise<T[]> {
  const what = 'wait()';
  if (typeof (things as Iterable<T> | null | undefined)?.[Symbol.iterator] !== 'function')
    throw typeError(`${what}: expects things to wait for, not ${show(things)}`);
  const given = [...things];
  const watched = given.map((thing, i) => watch(thing, i));
  if (new Set(given).size < given.length) throw rangeError(`${what}: something is in the list twice`);
  const { timeout, signal } = beginWait(options, what);
  const ready = (): T[] => given.filter((_, i) => watched[i]!.isReady());
  const now = ready();
  if (now.length > 0 || timeout === 0) return now;
  if (given.length === 0 && timeout === Infinity) return now; // nothing would ever be
  const stop = new AbortController();
  try {
    return await waitLater<T[]>({
      handle: given,
      timeout,
      signal,
      begin(task) {
        const look = (): void => {
          if (stop.signal.aborted) return;
          try {
            const some = ready();
            if (some.length > 0) task.done(some);
            else start(); // somebody else was faster
          } catch (error) {
            task.fail(error);
          }
        };
        const failed = (error: unknown): void => {
          if (!stop.signal.aborted) task.fail(error);
        };
        const pending = new Set<number>();
        const start = (): void => {
          watched.forEach((one, i) => {
            if (pending.has(i)) return;
            pending.add(i);
            one.untilReady(stop.signal).then(() => {
              pending.delete(i);
              look();
            }, failed);
          });
        };
        start();
      },
      timedOut(task) {
        task.done([]);
      },
      aborted(task, reason) {
        task.fail(reason);
      },
    });
  } finally {
    stop.abort();
  }
}

function watch(thing: Waitable, at: number): Watched {
  if (thing instanceof Connection)
    return {
      isReady: () => thing.pollSync(),
      untilReady: (signal) => thing.poll({ timeout: Infinity, signal }),
    };
  if (thing instanceof Process)
    return { isReady: () => thing.exitCode !== null, untilReady: (signal) => thing.join({ signal }) };
  if (thing instanceof Queue)
    return { isReady: () => thing.isReady(), untilReady: (signal) => thing.untilReady(signal) };
  if (thing instanceof Event)
    return { isReady: () => thing.isSet(), untilReady: (signal) => thing.wait({ signal }) };
  if (thing instanceof ExclusiveHandle) return lockable(thing);
  if (thing instanceof Readable) return readable(thing);
  throw typeError(
    `wait(): expects Connections, Processes, Queues, Events, locks and streams; item ${at} is ${show(thing)}`,
  );
}

type Lockable = ExclusiveHandle<never, { release(): void }> & { tryAcquire(): { release(): void } | null };

function lockable(handle: object): Watched {
  const lock = handle as Lockable;
  return {
    isReady() {
      const guard = lock.tryAcquire();
      guard?.release();
      return guard !== null;
    },
    async untilReady(signal) {
      (await lock.acquire({ signal })).release();
    },
  };
}

function readable(stream: Readable): Watched {
  const events = ['readable', 'end', 'close', 'error'];
  return {
    isReady: () => stream.readableLength > 0 || stream.readableEnded || stream.destroyed,
    untilReady(signal) {
      return new Promise<void>((resolve) => {
        const done = (): void => {
          for (const event of events) stream.off(event, done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        for (const event of events) stream.on(event, done);
        signal.addEventListener('abort', done, { once: true });
      });
    },
  };
}

/** Maps: input in chunks, so many on their way, results in order or as they come. */
import { TimeoutError } from '../errors.js';
import type { Wait } from '../sync/wait-options.js';
import { callOf, type CallKind } from './board.js';
import type { Chunk, Chunks } from './chunks.js';
import type { Dispatcher } from './dispatcher.js';
import type { FunctionEntry } from './functions.js';
import type { CheckedMapOptions } from './options.js';
import { Task } from './task.js';

export interface MapCall {
  readonly dispatcher: Dispatcher;
  readonly fn: FunctionEntry;
  readonly kind: CallKind;
  readonly chunks: Chunks;
  readonly options: CheckedMapOptions;
  readonly wait: Wait;
  readonly what: string;
}

/** So many chunks are on their way for each worker; of small ones more, so that taking results costs little. */
const perWorker = 4;
const itemsAhead = 2048;

function chunksAhead({ dispatcher, chunks }: MapCall): number {
  return Math.max(perWorker * dispatcher.size * dispatcher.concurrency, Math.ceil(itemsAhead / chunks.size));
}

function submit(
  { dispatcher, fn, kind, options }: MapCall,
  { items }: Chunk,
  returned: (values: unknown) => void,
  threw: (error: unknown) => void,
): Task {
  const task = new Task(fn, callOf(fn.number, kind), returned, threw);
  task.priority = options.priority;
  dispatcher.submit(task, items, 'items');
  if (options.taskTimeout !== Infinity) dispatcher.limits.add(task, options.taskTimeout);
  return task;
}

/** All results in the order of the input. If items fail, the error of the first of them, when all are done. */
export function map(
  call: MapCall,
  results: unknown[],
): { promise: Promise<unknown[]>; stop: (reason: unknown) => void } {
  const { chunks, options, dispatcher } = call;
  const ahead = chunksAhead(call);
  const tasks = new Set<Task>();
  let stop: (reason: unknown) => void = () => undefined;
  const promise = new Promise<unknown[]>((resolve, rejectWith) => {
    let isOver = false;
    let isPulling = false;
    let isDry = false;
    let done = 0;
    let failedAt = Infinity;
    let failure: unknown;

    const settle = (end: () => void): void => {
      if (isOver) return;
      isOver = true;
      end();
    };
    const check = (): void => {
      if (!isDry || tasks.size > 0) return;
      settle(() => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the task threw
        if (failedAt < Infinity) rejectWith(failure);
        else resolve(results);
      });
    };
    stop = (reason) => {
      settle(() => {
        chunks.stop();
        for (const task of [...tasks]) dispatcher.abort(task, reason);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is anything
        rejectWith(reason);
      });
    };
    const progressed = (count: number): void => {
      done += count;
      try {
        options.onProgress?.({ done, total: chunks.total });
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const hand = (chunk: Chunk): void => {
      const { from, items } = chunk;
      let task: Task | null = null;
      const ended = (its: Task): void => {
        tasks.delete(its);
        progressed(items.length);
        pull();
      };
      task = submit(
        call,
        chunk,
        (values) => {
          const list = values as unknown[];
          for (let i = 0; i < list.length; i++) results[from + i] = list[i];
          ended(task!);
        },
        (error) => {
          if (from < failedAt) {
            failedAt = from;
            failure = error;
          }
          if (task !== null) ended(task);
        },
      );
      if (task.isEnded)
        progressed(items.length); // it failed in the call
      else tasks.add(task);
    };
    const pull = (): void => {
      if (isPulling || isOver) return;
      isPulling = true;
      try {
        while (tasks.size < ahead && !isDry && !(isOver as boolean)) {
          const chunk = chunks.next();
          if (chunk instanceof Promise) {
            chunk.then(
              (next) => {
                isPulling = false;
                if (next === null) isDry = true;
                else if (!isOver) hand(next);
                check();
                pull();
              },
              (error: unknown) => {
                stop(error);
              },
            );
            return; // still pulling
          }
          if (chunk === null) isDry = true;
          else hand(chunk);
        }
      } catch (error) {
        stop(error);
      }
      isPulling = false;
      check();
    };
    pull();
  });
  const stopNow = (reason: unknown): void => {
    stop(reason);
  };
  return { promise, stop: stopNow };
}

interface Arrival {
  readonly values: unknown[] | null;
  readonly error: unknown;
}

/**
 * Results as an async iterable; no more is taken from the input than `buffer` items beyond what was taken here. Leaving the
 * loop ends what is not done.
 */
export async function* imap(call: MapCall, ordered: boolean): AsyncGenerator<unknown, void, undefined> {
  const { chunks, options, dispatcher, wait, what } = call;
  const ahead =
    options.buffer === undefined
      ? perWorker * dispatcher.size * dispatcher.concurrency
      : Math.max(1, Math.floor(options.buffer / chunks.size));
  const tasks = new Set<Task>();
  /** By number of the chunk, as they arrive; or all by the order of their arrival. */
  const arrived = new Map<number, Arrival>();
  let handed = 0;
  let given = 0;
  let isDry = false;
  let wake: (() => void) | null = null;
  let stopped = null as { reason: unknown } | null; // set in calls below, which the compiler does not see
  const rouse = (): void => {
    wake?.();
    wake = null;
  };
  const deadline =
    wait.timeout === Infinity
      ? undefined
      : setTimeout(
          () => {
            stopped ??= { reason: new TimeoutError(`${what}: not done within ${wait.timeout} ms`) };
            rouse();
          },
          Math.min(wait.timeout, 0x7fffffff),
        );
  const aborted = (): void => {
    stopped ??= { reason: wait.signal!.reason };
    rouse();
  };
  wait.signal?.addEventListener('abort', aborted, { once: true });
  let arrivals = 0;
  const arrive = (number: number, task: () => Task | null, arrival: Arrival): void => {
    const its = task();
    if (its !== null) tasks.delete(its);
    arrived.set(ordered ? number : arrivals++, arrival);
    rouse();
  };
  const hand = (chunk: Chunk): void => {
    const number = handed++;
    let task: Task | null = null;
    task = submit(
      call,
      chunk,
      (values) => {
        arrive(number, () => task, { values: values as unknown[], error: undefined });
      },
      (error) => {
        arrive(number, () => task, { values: null, error });
      },
    );
    if (!task.isEnded) tasks.add(task);
  };
  try {
    for (;;) {
      while (!isDry && handed - given < ahead && stopped === null) {
        const chunk = await chunks.next();
        if (chunk === null) isDry = true;
        else hand(chunk);
      }
      if (stopped !== null) throw stopped.reason;
      if (isDry && given === handed) return;
      const arrival = arrived.get(given);
      if (arrival === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      arrived.delete(given);
      given++;
      if (arrival.values === null) throw arrival.error;
      yield* arrival.values;
    }
  } finally {
    clearTimeout(deadline);
    wait.signal?.removeEventListener('abort', aborted);
    chunks.stop();
    const reason = new DOMException('Nobody takes the results any more', 'AbortError');
    for (const task of [...tasks]) dispatcher.abort(task, reason);
  }
}

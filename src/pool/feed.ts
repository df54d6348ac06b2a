/** What a map hands in: its input in chunks, as there is room for them. */
import { putTogether, type ErrorParts } from '../transfer/error-transfer.js';
import { encode } from '../transfer/codec.js';
import { TimeoutError } from '../errors.js';
import { atDeadline } from '../sync/at-deadline.js';
import type { Wait } from '../sync/wait-options.js';
import { callOf, type CallKind } from './board.js';
import type { Chunk, Chunks } from './chunks.js';
import type { Dispatcher, Feeding } from './dispatcher.js';
import type { Part } from './each-item.js';
import type { FunctionEntry } from './functions.js';
import type { CheckedMapOptions } from './options.js';
import { remoteCause } from './remote-cause.js';
import { onAbort } from './on-abort.js';
import { Task } from './task.js';

export interface MapCall {
  readonly dispatcher: Dispatcher;
  readonly fn: FunctionEntry;
  readonly kind: CallKind;
  readonly chunks: Chunks;
  readonly options: CheckedMapOptions;
  readonly wait: Wait;
  /** When it was called. */
  readonly since: number;
  readonly what: string;
}

/** What has become of a chunk: the results up to its first item that failed. */
export interface Outcome {
  /** The index of its first item, and how many it has. */
  readonly from: number;
  readonly count: number;
  readonly values: readonly unknown[];
  readonly failure: { readonly at: number; readonly error: unknown } | null;
}

/** Who takes what becomes of the chunks. */
export interface Taker {
  hasRoom(): boolean;
  /** Once for each chunk; also in the call that hands it in. */
  arrived(outcome: Outcome): void;
  /** All of the input has been handed in, or it has thrown. */
  inputEnded(failure: { error: unknown } | null): void;
  /** By its signal, or the pool's end. */
  stop(reason: unknown): void;
  late(error: TimeoutError): void;
}

/** So many chunks are handed in for each worker, beyond what its window holds. */
export const perWorker = 4;
/** More chunks than that are on their way only if they are small, so that taking results costs little. */
const itemsAhead = 2048;
/** So long items may fail in the call itself until the loop has a turn: an input may have no others, and no end. */
const refusingMs = 10;

export class Feed implements Feeding {
  readonly #call: MapCall;
  readonly #taker: Taker;
  readonly #tasks = new Set<Task>();
  /** How many items have come out of the input. */
  handed = 0;
  #unlisten: () => void = () => undefined;
  #stopTimer: () => void = () => undefined;
  #isPulling = false;
  #isDry = false;
  #isOver = false;
  /** Parts of chunks that could not be handed in whole, the first of them last. */
  readonly #parts: Chunk[] = [];
  /** Since when in this turn of the loop items were refused: 0 if none were. */
  #refusing = 0;

  constructor(call: MapCall, taker: Taker) {
    this.#call = call;
    this.#taker = taker;
  }

  /** Whether all that will be handed in has arrived. */
  get isDone(): boolean {
    return this.#isOver || (this.#isDry && this.#tasks.size === 0 && this.#parts.length === 0);
  }

  /** Whether as many chunks are on their way as pays. */
  get isBusy(): boolean {
    const { dispatcher, chunks } = this.#call;
    const few = perWorker * dispatcher.size * dispatcher.concurrency;
    return (
      this.#tasks.size >= few &&
      this.#tasks.size >= Math.min(few + dispatcher.room, Math.ceil(itemsAhead / chunks.size))
    );
  }

  begin(): void {
    const { dispatcher, wait, what, since } = this.#call;
    const { signal } = wait;
    const late = (): TimeoutError =>
      new TimeoutError(`${what}: not all items were done within ${wait.timeout} ms`);
    if (signal !== undefined)
      this.#unlisten = onAbort(signal, () => {
        this.stop(signal.reason);
      });
    this.#stopTimer = atDeadline(since + wait.timeout, () => {
      this.#taker.late(late());
    });
    // The input's code may have run already, and done anything.
    if (signal?.aborted === true) this.stop(signal.reason);
    else dispatcher.hold(this);
    this.pull();
  }

  stop(reason: unknown): void {
    this.#taker.stop(reason);
  }

  /** Hands in what there is room for. */
  pull(): void {
    if (this.#isPulling) return;
    this.#isPulling = true;
    try {
      while (!this.#isOver && !this.#mustYield) {
        const part = this.#parts.pop();
        if (part !== undefined) {
          this.#hand(part);
          continue;
        }
        if (this.#isDry || !this.#taker.hasRoom()) break;
        const chunk = this.#call.chunks.next();
        if (chunk instanceof Promise) {
          chunk.then(
            (next) => {
              this.#isPulling = false;
              this.#take(next);
              this.pull();
            },
            (error: unknown) => {
              this.#isPulling = false;
              this.#dry({ error });
            },
          );
          return; // still pulling
        }
        this.#take(chunk);
      }
    } catch (error) {
      this.#dry({ error });
    }
    this.#isPulling = false;
  }

  get #mustYield(): boolean {
    return this.#refusing !== 0 && performance.now() - this.#refusing > refusingMs;
  }

  #take(chunk: Chunk | null): void {
    if (this.#isOver || this.#isDry) return;
    if (chunk === null) this.#dry(null);
    else {
      this.handed += chunk.items.length;
      this.#hand(chunk);
    }
  }

  #dry(failure: { error: unknown } | null): void {
    if (this.#isOver || this.#isDry) return;
    this.#isDry = true;
    this.#taker.inputEnded(failure);
  }

  #hand(chunk: Chunk): void {
    const { dispatcher, fn, kind, options } = this.#call;
    const { items } = chunk;
    let isHanded = false;
    const refusals: unknown[] = [];
    const task = new Task(
      fn,
      callOf(fn.number, kind),
      (value) => {
        this.#arrived(task, chunk, value);
      },
      (error) => {
        if (isHanded) this.#failed(task, chunk, error);
        else refusals.push(error);
      },
    );
    task.priority = options.priority;
    dispatcher.submit(task, items, 'items');
    isHanded = true;
    if (refusals.length > 0) {
      this.#refuse(chunk, refusals[0]);
      return;
    }
    this.#tasks.add(task);
    if (options.taskTimeout !== Infinity) dispatcher.limits.add(task, options.taskTimeout);
  }

  #arrived(task: Task, { from, items }: Chunk, value: unknown): void {
    this.#tasks.delete(task);
    if (this.#isOver) return;
    const count = items.length;
    if (Array.isArray(value)) {
      this.#taker.arrived({ from, count, values: value, failure: null });
    } else {
      const { values, thrown, isUnsent } = value as Part;
      const at = values.length;
      if (isUnsent && thrown.kind === 'error') nameResult(thrown.error, from + at);
      const { worker } = task.link!;
      const error = remoteCause(
        putTogether(thrown, task.fn.findClass),
        `${task.fn.name}() in ${worker.name} (pid ${worker.pid})`,
      );
      this.#taker.arrived({ from, count, values, failure: { at, error } });
    }
  }

  #failed(task: Task, { from, items }: Chunk, error: unknown): void {
    this.#tasks.delete(task);
    if (!this.#isOver)
      this.#taker.arrived({ from, count: items.length, values: [], failure: { at: 0, error } });
  }

  /** One that cannot be sent, because of some of its items: it is halved until those stand alone. */
  #refuse({ from, items }: Chunk, error: unknown): void {
    if (this.#refusing === 0) {
      this.#refusing = performance.now();
      setImmediate(() => {
        this.#refusing = 0;
        this.pull();
      });
    }
    const half = items.length >>> 1;
    if (half > 0) {
      this.#parts.push({ from: from + half, items: Array.prototype.slice.call(items, half) });
      this.#parts.push({ from, items: Array.prototype.slice.call(items, 0, half) });
      return;
    }
    const failure = { at: 0, error: namedItem(items[0], from, error) };
    this.#taker.arrived({ from, count: 1, values: [], failure });
  }

  /** Closes the input, ends the tasks with `reason`, and lets go of the pool. Nothing arrives any more. */
  end(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { chunks, dispatcher } = this.#call;
    this.letGo();
    this.#unlisten();
    chunks.stop();
    for (const task of [...this.#tasks]) dispatcher.abort(task, reason);
  }

  /** Takes no more of the input; what has not begun fails with `reason`. */
  cancel(reason: unknown): void {
    this.#dry({ error: reason });
    this.#call.chunks.stop();
    for (const task of [...this.#tasks]) this.#call.dispatcher.abort(task, reason, false);
    for (const { from, items } of this.#parts.splice(0))
      this.#taker.arrived({ from, count: items.length, values: [], failure: { at: 0, error: reason } });
  }

  /** When all has arrived: the pool may end, and the timeout has been met. */
  letGo(): void {
    this.#stopTimer();
    this.#call.dispatcher.letGo(this);
  }
}

/** A part of the error's path is the chunk, of which nobody knows. */
function namedItem(item: unknown, index: number, error: unknown): unknown {
  try {
    encode(item, `items[${index}]`);
    return error;
  } catch (named) {
    return named;
  }
}

/** It was `result` where it was refused. */
function nameResult(parts: ErrorParts, index: number): void {
  const { message } = parts;
  parts.message = message.replace(/^result/, `results[${index}]`);
  parts.stack = parts.stack?.replace(message, () => parts.message);
}

/** A pool's worker: takes tasks from its ring, runs them, and puts what they give into the other one. */
import { pipeStateOf } from '../connection/pipe.js';
import type { PipeState } from '../connection/pipe-state.js';
import { MultiprocessingError } from '../errors.js';
import { valueLater } from '../message/reader.js';
import { How } from '../native/message-binding.js';
import { whileImporting } from '../process/current.js';
import { waitInLine } from '../sync/wait-line.js';
import { encode } from '../transfer/codec.js';
import { inWords, takeApart, type Thrown } from '../transfer/error-transfer.js';
import type { FunctionRef } from '../transfer/function-ref.js';
import { resolveFunction } from '../transfer/function-resolve.js';
import { Board, callFunction, callKind, CallKind, numberMask, ResultKind } from './board.js';
import { monotonic } from './clock.js';
import { runAs, RunningTask, setTaskSource } from './current-task.js';
import { eachItem, isThenable, type Part, sendable, Slots } from './each-item.js';
import type { Seat } from './host.js';
import { ownMemory } from './own-memory.js';

export type { Seat };
type AnyFunction = (...args: unknown[]) => unknown;

/** What a worker says that is no task's result. */
export type Saying = { says: 'ready' } | { says: 'retire' } | { says: 'broken'; thrown: unknown };

/** Tasks run so long before the event loop has a turn. */
const sliceMs = 4;
const memoryCheckMs = 2;
/** The clock is looked at after each task, but of short ones after so many. */
const shortAtOnce = 16;
const shortMs = sliceMs / shortAtOnce;
const what = 'Pool worker';

/** The whole life of a worker. It ends when its dispatcher says so, or is gone. */
export async function runWorker(seat: Seat): Promise<never> {
  const worker = new PoolWorker(seat);
  if (await worker.initialize(seat)) await worker.serve();
  else await worker.settled();
  // What an initializer has opened would keep it alive.
  return process.exit();
}

interface Known {
  readonly ref: FunctionRef;
  fn: AnyFunction | null;
}

class PoolWorker {
  readonly #seat: Seat;
  readonly #tasks: PipeState;
  readonly #board: Board;
  readonly #functions: Known[] = [];
  readonly #running = new Map<number, RunningTask>();
  readonly #slots: Slots;
  /** How many tasks have been taken, and results put. */
  #taken = 0;
  #replied = 0;
  /** How many run that have not ended in the call. */
  #pending = 0;
  /** How many results wait for room. */
  #unsent = 0;
  #isRetiring = false;
  /** No task comes any more. */
  #isEnding = false;
  #isWaiting = false;
  #resumes = false;
  /** The task that runs, or the last one, of a worker that runs one at a time: its number, or -1. */
  #current = -1;
  #currentTask: RunningTask | null = null;
  #busyDepth = 0;
  #memoryChecked = 0;
  #end: () => void = () => undefined;
  readonly #ended = new Promise<void>((resolve) => (this.#end = resolve));

  constructor(seat: Seat) {
    this.#seat = seat;
    this.#tasks = pipeStateOf(seat.tasks, what);
    this.#board = new Board(seat.board);
    this.#slots = new Slots(seat.concurrency, () => {
      this.#resume();
    });
    if (seat.concurrency === 1) setTaskSource(() => this.#only);
  }

  /** False: the initializer failed. */
  async initialize({ initializer, initargs }: Seat): Promise<boolean> {
    try {
      if (initializer !== null) await (await load(initializer))(...initargs);
      this.#say({ says: 'ready' });
      return true;
    } catch (error) {
      putError(error, (thrown) => {
        this.#say({ says: 'broken', thrown });
      });
      return false;
    }
  }

  async serve(): Promise<void> {
    void this.#listen();
    this.#pump();
    await this.#ended;
  }

  /** When all that was said has been put. */
  async settled(): Promise<void> {
    while (this.#unsent > 0) await new Promise(setImmediate);
  }

  /** Takes tasks as long as there are any; looks a little longer, then waits without blocking the event loop. */
  readonly #pump = (): void => {
    this.#resumes = false;
    this.#begin();
    try {
      let looked = performance.now();
      const until = looked + sliceMs;
      for (let n = 1, lookAt = 1; ; n++) {
        if (this.#isFull) return;
        if (!this.#tasks.look(what)) {
          if (this.#isEnding) {
            if (this.#pending === 0 && this.#unsent === 0) this.#end();
            return;
          }
          this.#idle();
          if (!this.#tasks.await(How.spins, what)) {
            this.#begin();
            break;
          }
          this.#begin();
        }
        this.#next();
        if (this.#seat.maxMemory > 0) this.#checkMemory();
        if (n === lookAt) {
          const now = performance.now();
          if (now > until) {
            this.#resume();
            return;
          }
          lookAt += now - looked < shortMs ? shortAtOnce : 1;
          looked = now;
        }
      }
      this.#wait();
    } catch (error) {
      this.#stop(error);
    } finally {
      this.#idle();
    }
  };

  get #isFull(): boolean {
    return this.#slots.areFull || this.#unsent > 0 || (this.#isRetiring && !this.#isEnding);
  }

  /** Goes on in another turn of the loop. */
  #resume(): void {
    if (this.#resumes || this.#isWaiting) return;
    this.#resumes = true;
    setImmediate(this.#pump);
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const attempt = (how: number): { value: undefined } | null =>
      this.#tasks.await(how, what) ? { value: undefined } : null;
    waitInLine(
      this,
      this.#tasks.receivers,
      { timeout: Infinity },
      { attempt, timedOut: () => new Error() },
    ).then(
      () => {
        this.#isWaiting = false;
        this.#pump();
      },
      (error: unknown) => {
        this.#stop(error);
      },
    );
  }

  /** The dispatcher is gone. */
  #stop(error: unknown): void {
    if (
      !(error instanceof MultiprocessingError) ||
      !['ERR_MP_EOF', 'ERR_MP_BROKEN_PIPE'].includes(error.code)
    )
      process.emitWarning(error instanceof Error ? error : String(error));
    this.#end();
  }

  #next(): void {
    const n = this.#taken;
    this.#taken = (n + 1) & numberMask;
    const call = this.#board.call(n);
    if (this.#seat.traces) this.#board.setSince(n);
    const isOurs = this.#board.start(n);
    this.#board.taken = this.#taken;
    if (!isOurs) {
      this.#tasks.skip();
      return;
    }
    let args: unknown;
    try {
      args = this.#tasks.take(what);
    } catch (error) {
      this.#runLater(n, call, async () => this.#call(n, call, await valueLater(error)));
      return;
    }
    if (callKind(call) === CallKind.define) {
      this.#functions[callFunction(call)] = { ref: args as FunctionRef, fn: null };
      return;
    }
    if (this.#functions[callFunction(call)]!.fn === null) {
      this.#runLater(n, call, () => this.#call(n, call, args));
      return;
    }
    if (this.#seat.concurrency > 1 || this.#seat.traces) {
      this.#runLater(n, call, () => this.#call(n, call, args));
      return;
    }
    this.#current = n;
    let value: unknown;
    let isLater: boolean;
    try {
      value = this.#call(n, call, args);
      isLater = isThenable(value);
    } catch (error) {
      this.#current = -1;
      this.#fail(n, error);
      return;
    }
    if (isLater) {
      this.#runLater(n, call, () => value);
      return;
    }
    this.#current = -1;
    this.#reply(n, call, value);
  }

  /** A task that does not end in the call. */
  #runLater(n: number, call: number, body: () => unknown): void {
    this.#pending++;
    this.#slots.take();
    this.#begin();
    const task = this.#only?.id === n ? this.#only : new RunningTask(n, this.#seat.number);
    if (this.#seat.concurrency === 1) {
      this.#current = n;
      this.#currentTask = task;
    }
    this.#running.set(n, task);
    const began = this.#seat.traces ? monotonic() : 0;
    const run = async (): Promise<void> => {
      try {
        const value = await body();
        this.#reply(n, call, value, began);
      } catch (error) {
        this.#fail(n, error, began);
      } finally {
        this.#running.delete(n);
        if (this.#current === n) this.#current = -1;
        this.#pending--;
        this.#idle();
        if (this.#seat.maxMemory > 0) this.#checkMemory();
        this.#slots.give();
      }
    };
    void (this.#seat.concurrency === 1 ? run() : runAs(task, run));
  }

  /** What a worker that runs one task at a time runs: made when somebody asks. */
  get #only(): RunningTask | null {
    if (this.#current < 0) return null;
    if (this.#currentTask?.id !== this.#current)
      this.#currentTask = new RunningTask(this.#current, this.#seat.number);
    return this.#currentTask;
  }

  #call(n: number, call: number, args: unknown): unknown {
    const known = this.#functions[callFunction(call)]!;
    const { fn } = known;
    if (fn === null) {
      return load(known.ref).then((found) => {
        known.fn = found;
        return this.#call(n, call, args);
      });
    }
    const slots = this.#slots;
    const isAborted = (): boolean => this.#running.get(n)?.isAborted === true;
    switch (callKind(call)) {
      case CallKind.map:
        return eachItem(args as ArrayLike<unknown>, (item) => fn(item), slots, isAborted);
      case CallKind.starmap:
        return eachItem(args as ArrayLike<unknown>, (item) => fn(...(item as unknown[])), slots, isAborted);
      default:
        return fn(...(args as unknown[]));
    }
  }

  #reply(n: number, call: number, value: unknown, began = 0): void {
    try {
      this.#put(n, ResultKind.returned, value, 'result', began);
    } catch (error) {
      if (callKind(call) === CallKind.call) this.#fail(n, error, began);
      else this.#replyPart(n, sendable(value, error), began);
    }
  }

  #replyPart(n: number, part: Part, began: number): void {
    try {
      this.#put(n, ResultKind.returned, part, 'result', began);
    } catch (error) {
      this.#fail(n, error, began);
    }
  }

  #fail(n: number, error: unknown, began = 0): void {
    putError(error, (thrown) => {
      this.#put(n, ResultKind.threw, { thrown }, 'error', began);
    });
  }

  #say(saying: Saying): void {
    this.#put(0, ResultKind.said, saying, 'saying', 0);
  }

  /** Puts a result, or has it put when there is room; no task is taken before that. */
  #put(n: number, kind: number, value: unknown, rootName: string, began: number): void {
    const number = this.#replied;
    this.#board.setResult(number, n, kind);
    if (began !== 0) this.#board.setTimes(number, began, monotonic());
    let put: boolean;
    try {
      put = this.#unsent === 0 && this.#tasks.put(value, false, what);
    } catch (error) {
      // As the path of what cannot be cloned begins with its name only here.
      if ((error as { code?: unknown } | null)?.code === 'ERR_MP_CLONE') encode(value, rootName);
      throw error;
    }
    if (!put) {
      const packed = this.#tasks.pack(value, false, what);
      this.#unsent++;
      const attempt = (how: number): { value: undefined } | null =>
        this.#tasks.putPacked(packed, how, what) ? { value: undefined } : null;
      const waiting = { attempt, timedOut: () => new Error(), dropped: packed.settle };
      waitInLine(this, this.#tasks.senders, { timeout: Infinity }, waiting).then(
        () => {
          this.#unsent--;
          this.#seat.doorbell.set();
          this.#resume();
        },
        (error: unknown) => {
          this.#stop(error);
        },
      );
    } else {
      this.#seat.doorbell.set();
    }
    this.#replied = (number + 1) & numberMask;
  }

  /** Hears which tasks are not wanted any more, and that none comes any more. */
  async #listen(): Promise<void> {
    try {
      for (;;) {
        const [n, reason] = (await this.#seat.control.recv()) as [number, string];
        if (n < 0) {
          this.#isEnding = true;
          this.#pump();
          continue;
        }
        const error = new DOMException(reason, 'AbortError');
        (this.#running.get(n) ?? (this.#current === n ? this.#only : null))?.abort(error);
      }
    } catch (error) {
      this.#stop(error);
    }
  }

  #begin(): void {
    if (this.#busyDepth++ === 0) this.#board.begin();
  }

  #idle(): void {
    if (--this.#busyDepth === 0) this.#board.end();
  }

  #checkMemory(): void {
    const now = performance.now();
    if (this.#isRetiring || now - this.#memoryChecked < memoryCheckMs) return;
    this.#memoryChecked = now;
    if (ownMemory() <= this.#seat.maxMemory) return;
    this.#isRetiring = true;
    this.#say({ says: 'retire' });
  }
}

/** Puts an error as it is; or what can be told of it, where that fails for whatever it consists of. */
function putError(error: unknown, put: (thrown: Thrown) => void): void {
  try {
    put(takeApart(error));
  } catch {
    put(inWords(error));
  }
}

async function load(ref: FunctionRef): Promise<AnyFunction> {
  return (await whileImporting(ref.module, () => resolveFunction(ref))) as AnyFunction;
}

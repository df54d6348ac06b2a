import { inspect } from 'node:util';
import { ClosedError, ProcessError, TimeoutError } from '../errors.js';
import { boundMethod } from '../process/keys.js';
import { Process } from '../process/process.js';
import { listOf, type Target } from '../process/options.js';
import { beginWait, parseWait } from '../sync/wait-options.js';
import { encode } from '../transfer/codec.js';
import { type FunctionAddress, referenceOf } from '../transfer/function-ref.js';
import { staysHere } from '../transfer/handle.js';
import { AsyncResult, callBack, checkCallbacks } from './async-result.js';
import { callOf, CallKind } from './board.js';
import { chunksOf, type Input } from './chunks.js';
import { Dispatcher } from './dispatcher.js';
import type { Host } from './host.js';
import type { MapCall } from './feed.js';
import { Imap } from './imap.js';
import { map } from './map.js';
import {
  callOptions,
  checkCallOptions,
  checkMapOptions,
  checkPoolOptions,
  checkPriority,
  type CheckedPoolOptions,
  type ImapOptions,
  type MapOptions,
  type PoolOptions,
  type TaskOptions,
  wholeNumber,
} from './options.js';
import { ProcessHost } from './process-host.js';
import { progressBar } from './progress.js';
import type { PoolStats } from './stats.js';
import { Task } from './task.js';
import { TraceFile } from './trace.js';
import { type Stop, watch } from './watch.js';

/** A function that workers can find, or where it is. */
export type PoolFunction<A extends unknown[], R> = ((...args: A) => R) | URL | FunctionAddress;

/** Arguments, which may be left out if a function needs none, and options. */
export type Given<A extends unknown[], O> = [] extends A ? [args?: A, options?: O] : [args: A, options?: O];

export interface AsyncOptions<R = unknown> extends TaskOptions {
  callback?: ((value: R) => void) | undefined;
  errorCallback?: ((error: unknown) => void) | undefined;
}

/**
 * Workers, each a process of its own, that run functions: one by one or over many items.
 *
 * A worker that dies fails the tasks that it had started, with a {@link WorkerDiedError}; what was only queued runs elsewhere,
 * and the worker is replaced. Idle workers do not keep the program alive, and end with it.
 *
 * ```js
 * const pool = new Pool(4);
 * try { console.log(await pool.map(square, [1, 2, 3])) } finally { await pool.terminate() }
 * ```
 */
export class Pool implements AsyncDisposable {
  /** @internal Of a context's class: how its workers are started. */
  static readonly [boundMethod]: typeof Process | null = null;

  readonly #dispatcher: Dispatcher;
  readonly #pid = process.pid;

  /**
   * Starts the workers. Blocks until they are started, not until they are ready.
   * @param options how many workers, cpuCount() by default, or options
   * @throws ProcessError if a worker cannot be started
   */
  constructor(options?: number | PoolOptions) {
    const what = `new ${new.target.name}()`;
    const checked = checkPoolOptions(options, what);
    const host = this.makeHost(checked);
    const { initializer, initargs, trace } = checked;
    // A worker's start would name the place they have in what that is given.
    if (initargs.length > 0) encode(initargs, 'initargs');
    const traceFile = trace === null ? null : new TraceFile(trace);
    try {
      this.#dispatcher = new Dispatcher(
        host,
        {
          ...checked,
          traces: traceFile !== null,
          initializer: initializer === null ? null : referenceOf(initializer, what),
        },
        traceFile,
      );
    } catch (error) {
      traceFile?.close();
      throw error;
    }
  }

  /** @internal */
  get [staysHere](): string {
    return 'It is the handle of the process that made it: have that one use it, or make one there';
  }

  /** @internal Where its workers live. */
  protected makeHost({ context, process }: CheckedPoolOptions): Host {
    const bound = (this.constructor as typeof Pool)[boundMethod];
    return new ProcessHost('Pool', context?.Process ?? bound ?? Process, process);
  }

  // ---- Tasks -------------------------------------------------------------------------------------------------------------

  /**
   * Runs `fn(...args)` in a worker: what it returns, or its error. The arguments are taken as they are now.
   * @param options `timeout` counts from the call, and like `signal` drops a task that has not begun; one that runs has its own
   *   signal aborted, and after `grace` its worker is replaced
   * @throws WorkerDiedError if its worker died while it ran; TimeoutError, the signal's reason, ClosedError after terminate()
   */
  apply<A extends unknown[], R>(fn: (...args: A) => R, ...given: Given<A, TaskOptions>): Promise<Awaited<R>>;
  apply(fn: URL | FunctionAddress, args?: Iterable<unknown>, options?: TaskOptions): Promise<unknown>;
  apply(fn: Target, args?: Iterable<unknown>, options?: TaskOptions): Promise<unknown> {
    return this.#apply(fn, args, options, callOptions.apply, 'Pool.apply()').promise;
  }

  /** The same, to be asked for later. Its callbacks are called at its end; what they throw is a warning. */
  applyAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    ...given: Given<A, AsyncOptions<Awaited<R>>>
  ): AsyncResult<Awaited<R>>;
  applyAsync(fn: URL | FunctionAddress, args?: Iterable<unknown>, options?: AsyncOptions): AsyncResult;
  applyAsync(fn: Target, args?: Iterable<unknown>, options?: AsyncOptions<never>): AsyncResult {
    const what = 'Pool.applyAsync()';
    checkCallbacks(options, what);
    const { promise, stop } = this.#apply(fn, args, options, callOptions.applyAsync, what);
    return this.#asyncResult(promise, stop, options as AsyncOptions | undefined, what);
  }

  #apply(
    fn: Target,
    args: Iterable<unknown> | undefined,
    options: TaskOptions | undefined,
    known: readonly string[],
    what: string,
  ): { promise: Promise<unknown>; stop: Stop } {
    this.#check(what);
    if (options !== undefined) checkCallOptions(options, known, what);
    const since = options === undefined ? 0 : performance.now();
    const dispatcher = this.#dispatcher;
    const entry = dispatcher.functions.entry(fn, what);
    const list = args === undefined ? [] : Array.isArray(args) ? args : listOf(args, what);
    let task!: Task;
    if (options === undefined) {
      const promise = new Promise((resolve, reject) => {
        task = new Task(entry, callOf(entry.number, CallKind.call), resolve, reject);
      });
      dispatcher.submit(task, list, 'args');
      return { promise, stop: (reason, running) => dispatcher.abort(task, reason, running) };
    }
    const wait = parseWait(options, what);
    const priority = checkPriority(options.priority, what);
    if (wait.signal?.aborted === true)
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is anything
      return { promise: Promise.reject(wait.signal.reason), stop: () => false };
    const promise = new Promise((resolve, reject) => {
      task = new Task(entry, callOf(entry.number, CallKind.call), resolve, reject);
    });
    task.priority = priority;
    dispatcher.submit(task, list, 'args');
    const stop: Stop = (reason, running) => dispatcher.abort(task, reason, running);
    if (!task.isEnded) {
      const late = (): TimeoutError =>
        new TimeoutError(`${what}: ${entry.name}() gave no result within ${wait.timeout} ms`);
      const unwatch = watch(wait, stop, late, since);
      const before = task.onEnd;
      task.onEnd = () => {
        unwatch();
        before?.();
      };
    }
    return { promise, stop };
  }

  /**
   * `fn(item)` of each item, in workers: the results in order. The input may be lazy, also asynchronously; it is taken as there
   * is room. If items fail, all others are done all the same, and the error of the first that failed is thrown then. If the
   * input itself throws, that ends it at once.
   * @throws as {@link apply}; `timeout` and `signal` are for the whole of it
   */
  map<T, R>(fn: (item: T) => R, items: Input<T>, options?: MapOptions): Promise<Awaited<R>[]>;
  map<T, R>(fn: PoolFunction<[item: T], R>, items: Input<T>, options?: MapOptions): Promise<Awaited<R>[]>;
  map<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options: MapOptions = {},
  ): Promise<Awaited<R>[]> {
    return this.#map(fn, CallKind.map, items, options, callOptions.map, 'Pool.map()').promise as Promise<
      Awaited<R>[]
    >;
  }

  /** As {@link map} with `fn(...item)`. */
  starmap<A extends unknown[], R>(
    fn: (...args: A) => R,
    items: Input<A>,
    options?: MapOptions,
  ): Promise<Awaited<R>[]>;
  starmap<A extends unknown[], R>(
    fn: PoolFunction<A, R>,
    items: Input<A>,
    options?: MapOptions,
  ): Promise<Awaited<R>[]>;
  starmap<A extends unknown[], R>(
    fn: PoolFunction<A, R>,
    items: Input<A>,
    options: MapOptions = {},
  ): Promise<Awaited<R>[]> {
    return this.#map(fn, CallKind.starmap, items, options, callOptions.map, 'Pool.starmap()')
      .promise as Promise<Awaited<R>[]>;
  }

  /** As {@link map}, to be asked for later. */
  mapAsync<T, R>(
    fn: (item: T) => R,
    items: Input<T>,
    options?: MapOptions & AsyncOptions<Awaited<R>[]>,
  ): AsyncResult<Awaited<R>[]>;
  mapAsync<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options?: MapOptions & AsyncOptions<Awaited<R>[]>,
  ): AsyncResult<Awaited<R>[]>;
  mapAsync<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options: MapOptions & AsyncOptions<Awaited<R>[]> = {},
  ): AsyncResult<Awaited<R>[]> {
    const what = 'Pool.mapAsync()';
    checkCallbacks(options, what);
    const { promise, stop } = this.#map(fn, CallKind.map, items, options, callOptions.mapAsync, what);
    return this.#asyncResult(promise as Promise<Awaited<R>[]>, stop, options, what);
  }

  /** As {@link starmap}, to be asked for later. */
  starmapAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    items: Input<A>,
    options?: MapOptions & AsyncOptions<Awaited<R>[]>,
  ): AsyncResult<Awaited<R>[]>;
  starmapAsync<A extends unknown[], R>(
    fn: PoolFunction<A, R>,
    items: Input<A>,
    options?: MapOptions & AsyncOptions<Awaited<R>[]>,
  ): AsyncResult<Awaited<R>[]>;
  starmapAsync<A extends unknown[], R>(
    fn: PoolFunction<A, R>,
    items: Input<A>,
    options: MapOptions & AsyncOptions<Awaited<R>[]> = {},
  ): AsyncResult<Awaited<R>[]> {
    const what = 'Pool.starmapAsync()';
    checkCallbacks(options, what);
    const { promise, stop } = this.#map(fn, CallKind.starmap, items, options, callOptions.mapAsync, what);
    return this.#asyncResult(promise as Promise<Awaited<R>[]>, stop, options, what);
  }

  #map(
    fn: Target,
    kind: CallKind,
    items: unknown,
    options: MapOptions,
    known: readonly string[],
    what: string,
  ): { promise: Promise<unknown[]>; stop: Stop } {
    const call = this.#mapCall(fn, kind, items, options, known, what);
    const bar = call.options.progress
      ? progressBar(`${what.slice('Pool.'.length, -2)} ${call.fn.name}`)
      : null;
    if (bar === null) return map(call);
    const { onProgress } = call.options;
    const both: MapOptions['onProgress'] = (progress) => {
      bar.onProgress(progress);
      return onProgress?.(progress);
    };
    const { promise, stop } = map({ ...call, options: { ...call.options, onProgress: both } });
    return { promise: promise.finally(() => bar.stop()), stop };
  }

  /**
   * As {@link map}, one result after the other as an async iterable: in order, each as soon as it is there. It begins at once.
   * The input is taken no more than `buffer` items ahead of what is taken here. Leaving the loop ends what is not done; an
   * item's error ends it, too.
   */
  imap<T, R>(
    fn: (item: T) => R,
    items: Input<T>,
    options?: ImapOptions,
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  imap<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options?: ImapOptions,
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  imap<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options: ImapOptions = {},
  ): AsyncGenerator<Awaited<R>, void, undefined> {
    const what = 'Pool.imap()';
    return this.#imap(fn, CallKind.map, items, options, true, what) as AsyncGenerator<
      Awaited<R>,
      void,
      undefined
    >;
  }

  /** As {@link imap}, in the order in which results come. */
  imapUnordered<T, R>(
    fn: (item: T) => R,
    items: Input<T>,
    options?: ImapOptions,
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  imapUnordered<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options?: ImapOptions,
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  imapUnordered<T, R>(
    fn: PoolFunction<[item: T], R>,
    items: Input<T>,
    options: ImapOptions = {},
  ): AsyncGenerator<Awaited<R>, void, undefined> {
    const what = 'Pool.imapUnordered()';
    return this.#imap(fn, CallKind.map, items, options, false, what) as AsyncGenerator<
      Awaited<R>,
      void,
      undefined
    >;
  }

  /** @internal As {@link imap} with `fn(...item)`. */
  imapStar(fn: Target, items: Iterable<unknown>, options: ImapOptions, what: string): Imap {
    return this.#imap(fn, CallKind.starmap, items, options, true, what);
  }

  #imap(
    fn: Target,
    kind: CallKind,
    items: unknown,
    options: ImapOptions,
    ordered: boolean,
    what: string,
  ): Imap {
    const call = this.#mapCall(fn, kind, items, options, callOptions.imap, what);
    return new Imap(call, ordered);
  }

  #mapCall(
    fn: Target,
    kind: CallKind,
    items: unknown,
    options: MapOptions & ImapOptions,
    known: readonly string[],
    what: string,
  ): MapCall {
    this.#check(what);
    const since = performance.now();
    const checked = checkMapOptions(options, known, what);
    const wait = parseWait(options, what);
    const dispatcher = this.#dispatcher;
    const entry = dispatcher.functions.entry(fn, what);
    const workers = dispatcher.size * dispatcher.concurrency;
    const spread =
      kind === CallKind.starmap
        ? (item: unknown, i: number) =>
            Array.isArray(item) ? (item as unknown[]) : listOf(item, what, `items[${i}]`)
        : null;
    const size = checked.chunksize ?? (known === callOptions.imap ? 1 : undefined);
    // An input that nobody will take is not touched.
    const input = wait.signal?.aborted === true ? [] : items;
    const chunks = chunksOf(input, size, workers, spread, what);
    return { dispatcher, fn: entry, kind, chunks, options: checked, wait, since, what };
  }

  /**
   * Runs `fn(...args)` once in every worker there is: the results in the order of the workers. For caches and connections that
   * each worker has; workers that are started later have not run it (see `initializer`).
   */
  async broadcast<A extends unknown[], R>(fn: PoolFunction<A, R>, ...args: A): Promise<Awaited<R>[]> {
    const what = 'Pool.broadcast()';
    this.#check(what);
    const dispatcher = this.#dispatcher;
    const entry = dispatcher.functions.entry(fn, what);
    const links = dispatcher.links.filter((link) => link.accepts);
    return Promise.all(
      links.map(
        (link) =>
          new Promise<unknown>((resolve, reject) => {
            const task = new Task(entry, callOf(entry.number, CallKind.call), resolve, reject);
            task.only = link;
            dispatcher.submit(task, args, 'args');
          }),
      ),
    ) as Promise<Awaited<R>[]>;
  }

  #asyncResult<R>(
    promise: Promise<R>,
    stop: Stop,
    options: AsyncOptions<R> | undefined,
    what: string,
  ): AsyncResult<R> {
    callBack(promise, options ?? {});
    const cancel = (running: boolean): boolean =>
      stop(new DOMException(`${what}: cancelled`, 'AbortError'), running);
    return new AsyncResult(promise, cancel, what);
  }

  // ---- The pool ----------------------------------------------------------------------------------------------------------

  /** How many workers it has, and what they do. */
  stats(): PoolStats {
    const { measures, links, pending, running } = this.#dispatcher;
    return {
      workers: links.length,
      busy: links.filter(({ outstanding }) => outstanding > 0).length,
      queued: Math.max(0, pending - running),
      running,
      completed: measures.endedCount,
      started: measures.workersStarted,
      ended: measures.workersEnded,
      utilisation: measures.utilisation(links),
      latency: measures.latency,
    };
  }

  /** The process ids of its workers. */
  get pids(): number[] {
    return this.#dispatcher.links.map(({ worker }) => worker.pid);
  }

  /** Has so many workers from now on, or that many at least and at most. Those that are too many end when they are done. */
  resize(processes: number | { min: number; max: number }): void {
    const what = 'Pool.resize()';
    this.#check(what);
    const given: unknown = processes;
    if (typeof given !== 'number') checkCallOptions(given, ['min', 'max'], what);
    const { min, max } = typeof processes === 'number' ? { min: processes, max: processes } : processes;
    wholeNumber(max, `${what}: max`, 1, 4000);
    wholeNumber(min, `${what}: min`, 0, max);
    this.#dispatcher.resize(min, max);
  }

  /**
   * Until the workers are ready, and a task would be given to one at once: for callers that hand in tasks faster than they are
   * done. @throws what broke the pool
   */
  async ready(): Promise<void> {
    this.#check('Pool.ready()');
    await this.#dispatcher.ready();
  }

  /** No task is taken any more; those that were are done, then the workers end. Twice is harmless. */
  close(): void {
    if (this.#pid === process.pid) this.#dispatcher.close();
  }

  /** Until the workers have ended, after close() or terminate(). @throws ProcessError `ERR_MP_RUNNING` before */
  async join(options?: Parameters<typeof beginWait>[0]): Promise<void> {
    const what = 'Pool.join()';
    const wait = beginWait(options, what);
    if (this.#dispatcher.state === 'running')
      throw new ProcessError(
        'ERR_MP_RUNNING',
        `${what}: the pool still runs; close() or terminate() it first`,
      );
    let unwatch = (): void => undefined;
    const stopped = new Promise<never>((_, reject) => {
      const stop = (reason: unknown): boolean => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is anything
        reject(reason);
        return true;
      };
      unwatch = watch(
        wait,
        stop,
        () => new TimeoutError(`${what}: workers still run after ${wait.timeout} ms`),
      );
    });
    try {
      await Promise.race([this.#dispatcher.ended(), stopped]);
    } finally {
      unwatch();
    }
  }

  /** Ends the workers at once. Tasks that are not done fail with a ClosedError. Afterwards no worker is alive. */
  async terminate(): Promise<void> {
    if (this.#pid !== process.pid) return;
    this.#dispatcher.terminate();
    await this.#dispatcher.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  [inspect.custom](): string {
    const { state, links } = this.#dispatcher;
    return `<${this.constructor.name} ${state}, ${links.length} workers>`;
  }

  #check(what: string): void {
    if (this.#pid !== process.pid)
      throw new ClosedError(
        `${what}: this pool is that of the process this one was forked from; make a new one`,
      );
    this.#dispatcher.checkRunning(what);
  }
}

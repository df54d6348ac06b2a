import { rangeError, show, typeError } from '../native/arguments.js';
import { cpuCount } from '../process/cpu-count.js';
import { isPlainObject } from '../process/options.js';
import { staysHere } from '../transfer/handle.js';
import type { AsyncResult } from './async-result.js';
import type { Imap } from './imap.js';
import { checkCallOptions, checkPoolOptions, wholeNumber, type PoolOptions } from './options.js';
import { Pool, type PoolFunction } from './pool.js';

export interface ExecutorMapOptions {
  /** Milliseconds from the call on. */
  timeout?: number | undefined;
  chunksize?: number | undefined;
  /** How many items may be taken from the inputs before the results of the first of them were taken: Infinity by default. */
  buffersize?: number | undefined;
}

/** An iterable of each argument. */
export type IterablesOf<A extends unknown[]> = { [K in keyof A]: Iterable<A[K]> };

/** A {@link Pool} with the face of Python's concurrent.futures. */
export class ProcessPoolExecutor implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #pending = new Set<AsyncResult>();
  /** Those that have not handed in all. */
  readonly #maps = new Set<Imap>();

  /** @param options how many workers at most, cpuCount() by default, or options as of a Pool; they are started as needed */
  constructor(options?: number | PoolOptions) {
    checkPoolOptions(options, 'new ProcessPoolExecutor()');
    const { processes, ...others } = typeof options === 'number' ? { processes: options } : (options ?? {});
    this.#pool = this.makePool({ min: 0, max: processes ?? cpuCount(), ...others });
  }

  /** @internal */
  get [staysHere](): string {
    return this.#pool[staysHere];
  }

  /** @internal */
  protected makePool(options: PoolOptions | undefined): Pool {
    return new Pool(options);
  }

  /** Hands a task in: its future, which can be awaited. */
  submit<A extends unknown[], R>(fn: PoolFunction<A, R>, ...args: A): AsyncResult<Awaited<R>> {
    const future = this.#pool.applyAsync(fn as (...args: A) => R, args);
    this.#pending.add(future);
    const over = (): void => {
      this.#pending.delete(future);
    };
    future.then(over, over);
    return future;
  }

  /**
   * `fn` of the first items of all inputs, then of the second ones, and so on until one of them ends: the results in order. It
   * begins at once, and takes the inputs as the workers can have more; with `buffersize`, no more than that ahead of what was
   * taken here. The last argument may be options.
   */
  map<A extends unknown[], R>(
    fn: PoolFunction<A, R>,
    ...given: IterablesOf<A>
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  map<A extends unknown[], R>(
    fn: PoolFunction<A, R>,
    ...given: [...IterablesOf<A>, ExecutorMapOptions]
  ): AsyncGenerator<Awaited<R>, void, undefined>;
  map<R>(
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
    fn: PoolFunction<any[], R>,
    ...given: (Iterable<unknown> | ExecutorMapOptions)[]
  ): AsyncGenerator<Awaited<R>, void, undefined> {
    const what = 'ProcessPoolExecutor.map()';
    const last = given.at(-1);
    const options =
      isPlainObject(last) && !(Symbol.iterator in last) ? (given.pop() as ExecutorMapOptions) : {};
    checkCallOptions(options, ['timeout', 'chunksize', 'buffersize'], what);
    const inputs = given as Iterable<unknown>[];
    for (const input of inputs)
      if (typeof (input as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== 'function')
        throw typeError(`${what}: expects iterables, not ${show(input)}`);
    if (inputs.length === 0) throw rangeError(`${what}: expects at least one iterable`);
    const { timeout, chunksize, buffersize = Infinity } = options;
    if (buffersize !== Infinity) wholeNumber(buffersize, `${what}: buffersize`, 1, 2 ** 31);
    const results = this.#pool.imapStar(fn, zip(inputs), { timeout, chunksize, buffer: buffersize }, what);
    results.onDone = () => {
      this.#maps.delete(results);
    };
    if (!results.isDone) this.#maps.add(results);
    return results as AsyncGenerator<unknown, void, undefined> as AsyncGenerator<Awaited<R>, void, undefined>;
  }

  /**
   * Takes no more tasks. With `cancelFutures` those that have not begun are cancelled, and maps take no more of their inputs.
   * Resolves when all are done and the workers have ended, or at once with `wait: false`. A map with a `buffersize` is done when
   * its results have been taken.
   */
  async shutdown({ wait = true, cancelFutures = false } = {}): Promise<void> {
    if (cancelFutures) {
      for (const future of [...this.#pending]) future.cancel({ running: false });
      for (const map of [...this.#maps])
        map.cancel(new DOMException('ProcessPoolExecutor.map(): cancelled', 'AbortError'));
    }
    this.#pool.close();
    if (wait) await this.#pool.join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

/** The first of each, then the second ones, until one has no more; then the others are closed. */
function* zip(inputs: readonly Iterable<unknown>[]): Generator<unknown[], void, undefined> {
  const open = new Set(inputs.map((input) => input[Symbol.iterator]()));
  try {
    for (;;) {
      const items: unknown[] = [];
      for (const iterator of [...open]) {
        const next = pull(iterator, open);
        if (next.done === true) return;
        items.push(next.value);
      }
      yield items;
    }
  } finally {
    for (const iterator of open) iterator.return?.();
  }
}

/** One that has ended, also by an error, is not closed. */
function pull(iterator: Iterator<unknown>, open: Set<Iterator<unknown>>): IteratorResult<unknown> {
  open.delete(iterator);
  const next = iterator.next();
  if (next.done !== true) open.add(iterator);
  return next;
}

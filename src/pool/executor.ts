import { rangeError } from '../native/arguments.js';
import { staysHere } from '../transfer/handle.js';
import { isPlainObject, listOf } from '../process/options.js';
import type { AsyncResult } from './async-result.js';
import type { PoolOptions } from './options.js';
import { Pool, type PoolFunction } from './pool.js';

export interface ExecutorMapOptions {
  /** Milliseconds from the call on. */
  timeout?: number | undefined;
  chunksize?: number | undefined;
  /** How many results may be ahead of what was taken. */
  buffersize?: number | undefined;
}

/** A {@link Pool} with the face of Python's concurrent.futures. */
export class ProcessPoolExecutor implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #pending = new Set<AsyncResult>();

  /** @param options how many workers at most, cpuCount() by default, or options as of a Pool; they are started as needed */
  constructor(options?: number | PoolOptions) {
    this.#pool = this.makePool(typeof options === 'number' ? { max: options, min: 0 } : options);
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
   * `fn` of the first items of all inputs, then of the second ones, and so on until one of them ends: the results in order. The
   * last argument may be options.
   */
  map<R>(
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
    fn: PoolFunction<any[], R>,
    ...given: (Iterable<unknown> | ExecutorMapOptions)[]
  ): AsyncGenerator<Awaited<R>, void, undefined> {
    const last = given.at(-1);
    const options =
      isPlainObject(last) && !(Symbol.iterator in last) ? (given.pop() as ExecutorMapOptions) : {};
    const inputs = given.map((input) => listOf(input, 'ProcessPoolExecutor.map()'));
    if (inputs.length === 0) throw rangeError('ProcessPoolExecutor.map(): expects at least one iterable');
    const { timeout, chunksize, buffersize } = options;
    const length = Math.min(...inputs.map((input) => input.length));
    const items = Array.from({ length }, (_, i) => inputs.map((input) => input[i]));
    const buffer = buffersize ?? Math.max(1, length);
    return this.#pool.imapStar(fn, items, { timeout, chunksize, buffer }, 'ProcessPoolExecutor.map()');
  }

  /**
   * Takes no more tasks. With `cancelFutures` those that have not begun are cancelled. Resolves when all are done and the workers
   * have ended, or at once with `wait: false`.
   */
  async shutdown({ wait = true, cancelFutures = false } = {}): Promise<void> {
    if (cancelFutures) for (const future of [...this.#pending]) future.cancel({ running: false });
    this.#pool.close();
    if (wait) await this.#pool.join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

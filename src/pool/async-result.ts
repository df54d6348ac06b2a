import { inspect } from 'node:util';
import { ProcessError, TimeoutError } from '../errors.js';
import { show, typeError } from '../native/arguments.js';
import { longestTimer } from '../sync/at-deadline.js';
import { beginWait, type WaitOptions } from '../sync/wait-options.js';

/** A task's outcome that is asked for later. It can be awaited like a promise; if nobody does, its error harms nothing. */
export class AsyncResult<R = unknown> implements Promise<R> {
  readonly [Symbol.toStringTag] = 'AsyncResult';
  readonly #promise: Promise<R>;
  readonly #cancel: (running: boolean) => boolean;
  readonly #what: string;
  #outcome: 'pending' | 'returned' | 'threw' = 'pending';

  /** @internal */
  constructor(promise: Promise<R>, cancel: (running: boolean) => boolean, what: string) {
    this.#promise = promise;
    this.#cancel = cancel;
    this.#what = what;
    promise.then(
      () => (this.#outcome = 'returned'),
      () => (this.#outcome = 'threw'),
    );
  }

  /** What the task returned, or its error. @throws TimeoutError; the task goes on */
  async get(options?: number | WaitOptions): Promise<R> {
    const what = `${this.#what}: get()`;
    const wait = beginWait(options, what);
    if (!(await this.#within(wait))) throw new TimeoutError(`${what}: no result within ${wait.timeout} ms`);
    return this.#promise;
  }

  /** Until the task has ended, or the timeout has passed: whether it has. */
  async wait(options?: number | WaitOptions): Promise<boolean> {
    return this.#within(beginWait(options, `${this.#what}: wait()`));
  }

  /** Whether the task has ended. */
  ready(): boolean {
    return this.#outcome !== 'pending';
  }

  /** Whether it ended without an error. @throws ProcessError `ERR_MP_STATE` before its end */
  successful(): boolean {
    if (this.#outcome === 'pending')
      throw new ProcessError('ERR_MP_STATE', `${this.#what}: successful(): the task has not ended yet`);
    return this.#outcome === 'returned';
  }

  /**
   * Ends the task with an AbortError. One that runs hears its signal, unless `running` is false: then it goes on. False: it has
   * ended, or goes on.
   */
  cancel({ running = true }: { running?: boolean } = {}): boolean {
    return this.#cancel(running);
  }

  then<A = R, B = never>(
    onReturned?: ((value: R) => A | PromiseLike<A>) | null,
    onThrew?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#promise.then(onReturned, onThrew);
  }
  catch<B = never>(onThrew?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this.#promise.catch(onThrew);
  }
  finally(onEnd?: (() => void) | null): Promise<R> {
    return this.#promise.finally(onEnd);
  }

  #within({ timeout, signal }: { timeout: number; signal?: AbortSignal }): Promise<boolean> {
    if (this.#outcome !== 'pending') return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const aborted = (): void => {
        end(() => {
          reject(signal!.reason as Error);
        });
      };
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        settle();
      };
      const done = (): void => {
        end(() => {
          resolve(true);
        });
      };
      this.#promise.then(done, done);
      signal?.addEventListener('abort', aborted, { once: true });
      if (timeout !== Infinity)
        timer = setTimeout(
          () => {
            end(() => {
              resolve(this.#outcome !== 'pending');
            });
          },
          Math.min(timeout, longestTimer),
        );
    });
  }
}

export interface Callbacks<R> {
  callback?: ((value: R) => void) | undefined;
  errorCallback?: ((error: unknown) => void) | undefined;
}

/** To be called before the task is handed in. @throws TypeError */
export function checkCallbacks(options: Callbacks<never> | undefined, what: string): void {
  const { callback, errorCallback } = options ?? {};
  for (const [name, fn] of Object.entries({ callback, errorCallback }))
    if (fn !== undefined && typeof fn !== 'function')
      throw typeError(`${what}: ${name} must be a function, not ${show(fn)}`);
}

/** Calls them at the task's end. What they throw, or reject with, is a warning. */
export function callBack<R>(promise: Promise<R>, { callback, errorCallback }: Callbacks<R>): void {
  const warn = (error: unknown): void => {
    process.emitWarning(error instanceof Error ? error : new Error(inspect(error)));
  };
  promise
    .then(
      (value) => callback?.(value),
      (error: unknown) => errorCallback?.(error),
    )
    .catch(warn);
}

/** A chunk of a map, in its worker. */
import { AsyncResource } from 'node:async_hooks';
import { encode } from '../transfer/codec.js';
import { inWords, takeApart, type Thrown } from '../transfer/error-transfer.js';

/** In place of a chunk's results, if an item failed: those before the first that did, and its error. */
export interface Part {
  readonly values: readonly unknown[];
  readonly thrown: Thrown;
  /** Its result, which the error calls `result`, could not be sent. */
  readonly isUnsent: boolean;
}

/** How many items and other tasks a worker runs at once. */
export class Slots {
  readonly most: number;
  /** Chunks that would run more of their items at once. */
  readonly wanting = new Set<() => void>();
  readonly #freed: () => void;
  #used = 0;

  /** @param freed called when there is one for another task */
  constructor(most: number, freed: () => void) {
    this.most = most;
    this.#freed = freed;
  }

  get areFull(): boolean {
    return this.#used >= this.most;
  }

  take(): void {
    this.#used++;
  }

  /** Chunks that have begun come before other tasks. */
  give(): void {
    this.#used--;
    for (const widen of this.wanting) if (!this.areFull) widen();
    if (!this.areFull) this.#freed();
  }
}

interface Failure {
  readonly at: number;
  readonly error: unknown;
}

/**
 * The results of all items, or a {@link Part}; or a promise for that, from the first item on that is one. The rest is done
 * although items fail, unless nobody waits for it any more.
 */
export function eachItem(
  items: ArrayLike<unknown>,
  fn: (item: unknown) => unknown,
  slots: Slots,
  isAborted: () => boolean,
): unknown {
  const { length } = items;
  const results = new Array<unknown>(length);
  let failure: Failure | null = null;
  for (let i = 0; i < length; i++) {
    let value: unknown;
    let isLater: boolean;
    try {
      value = fn(items[i]);
      isLater = isThenable(value);
    } catch (error) {
      failure ??= { at: i, error };
      continue;
    }
    if (isLater) {
      const chunk = { items, fn, slots, isAborted, results, failure, next: i + 1 };
      return eachLater(chunk, i, value as PromiseLike<unknown>);
    }
    results[i] = value;
  }
  return outcome(results, failure);
}

interface Chunk {
  readonly items: ArrayLike<unknown>;
  readonly fn: (item: unknown) => unknown;
  readonly slots: Slots;
  readonly isAborted: () => boolean;
  readonly results: unknown[];
  failure: Failure | null;
  next: number;
}

/** The rest of them, so many at once as there are slots: the first one has the task's own. */
function eachLater(chunk: Chunk, first: number, value: PromiseLike<unknown>): Promise<unknown> {
  const { items, slots, results } = chunk;
  let lanes = 1;
  const hasMore = (): boolean => chunk.next < items.length && !chunk.isAborted();
  return new Promise((resolve) => {
    const lane = async (i: number, pending: unknown): Promise<void> => {
      for (;;) {
        try {
          results[i] = await pending;
        } catch (error) {
          if (chunk.failure === null || i < chunk.failure.at) chunk.failure = { at: i, error };
        }
        if (!hasMore()) break;
        i = chunk.next++;
        pending = attempt(chunk.fn, items[i]);
      }
      slots.wanting.delete(widen);
      if (--lanes > 0) slots.give();
      else resolve(outcome(results, chunk.failure)); // its slot goes with the task's end
    };
    // What frees a slot is another task, and that is not who the items run for.
    const widen = AsyncResource.bind(() => {
      while (!slots.areFull && hasMore()) {
        slots.take();
        lanes++;
        const i = chunk.next++;
        void lane(i, attempt(chunk.fn, items[i]));
      }
    });
    void lane(first, value);
    if (slots.most === 1) return;
    slots.wanting.add(widen);
    widen();
  });
}

function outcome(results: unknown[], failure: Failure | null): unknown[] | Part {
  if (failure === null) return results;
  return { values: results.slice(0, failure.at), thrown: sendableError(failure.error), isUnsent: false };
}

/** In parts, or in words where the parts turn out to be none that can be sent. */
function sendableError(error: unknown): Thrown {
  const thrown = takeApart(error);
  try {
    encode(thrown, 'error');
    return thrown;
  } catch {
    return inWords(error);
  }
}

/** In place of an outcome that cannot be sent, for that reason: the part of it that can. */
export function sendable(chunk: unknown, reason: unknown): Part {
  const values = Array.isArray(chunk) ? (chunk as unknown[]) : (chunk as Part).values;
  for (let i = 0; i < values.length; i++) {
    try {
      encode(values[i], 'result');
    } catch (error) {
      const isUnsent = (error as { code?: unknown } | null)?.code === 'ERR_MP_CLONE';
      return { values: values.slice(0, i), thrown: takeApart(error), isUnsent };
    }
  }
  return { values: [], thrown: takeApart(reason), isUnsent: false };
}

/** What it gives, or a promise that fails. */
function attempt(fn: (item: unknown) => unknown, item: unknown): unknown {
  try {
    return fn(item);
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the task threw
    return Promise.reject(error);
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

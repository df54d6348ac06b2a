/** The input of a map in chunks, pulled when there is room for them. */
import { show, typeError } from '../native/arguments.js';

export interface Chunk {
  /** The index of its first item. */
  readonly from: number;
  readonly items: ArrayLike<unknown> & { readonly length: number };
}

export interface Chunks {
  /** How many items there are, if that is known by now. */
  readonly total: number | undefined;
  readonly size: number;
  /** The next one, or null at the end. Errors are the input's own. */
  next(): Chunk | null | Promise<Chunk | null>;
  /** Tells the input that nobody wants more of it. */
  stop(): void;
}

/** Chunks of so many items in all: Python's rule, but no more at once than pays. */
const largest = 4096;
const perWorker = 4;
/** So many items are taken from an input that does not say how many it has, to learn that. */
const lookAhead = 4096;

export function defaultSize(total: number, workers: number): number {
  return Math.max(1, Math.min(largest, Math.ceil(total / (perWorker * workers))));
}

export type Input<T> = Iterable<T> | AsyncIterable<T> | ArrayLike<T>;

/** @param size undefined: as many as suit the number of workers; @param prepare made of each item */
export function chunksOf(
  input: unknown,
  size: number | undefined,
  workers: number,
  prepare: ((item: unknown, index: number) => unknown) | null,
  what: string,
): Chunks {
  if (typeof input === 'object' && input !== null) {
    if (Symbol.asyncIterator in input)
      return new AsyncChunks((input as AsyncIterable<unknown>)[Symbol.asyncIterator](), size ?? 1, prepare);
    if (Array.isArray(input) || (ArrayBuffer.isView(input) && 'length' in input))
      return new ListChunks(input as unknown as List, size, workers, prepare);
  }
  if (typeof (input as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== 'function')
    throw typeError(`${what}: expects an iterable of items, not ${show(input)}`);
  return new IteratorChunks((input as Iterable<unknown>)[Symbol.iterator](), size, workers, prepare);
}

type Prepare = ((item: unknown, index: number) => unknown) | null;
type List = ArrayLike<unknown> & { slice(from: number, to: number): ArrayLike<unknown> };

class ListChunks implements Chunks {
  readonly total: number;
  readonly size: number;
  readonly #list: List;
  readonly #prepare: Prepare;
  #at = 0;

  constructor(list: List, size: number | undefined, workers: number, prepare: Prepare) {
    this.#list = list;
    this.total = list.length;
    this.size = size ?? defaultSize(this.total, workers);
    this.#prepare = prepare;
  }

  next(): Chunk | null {
    const from = this.#at;
    // A list that is made shorter meanwhile has no more items.
    const to = Math.min(from + this.size, this.total, this.#list.length);
    if (from >= to) return null;
    this.#at = to;
    const items = this.#list.slice(from, to);
    return { from, items: this.#prepare === null ? items : Array.from(items, prepared(this.#prepare, from)) };
  }

  stop(): void {
    this.#at = this.total;
  }
}

class IteratorChunks implements Chunks {
  total: number | undefined = undefined;
  readonly size: number;
  readonly #iterator: Iterator<unknown>;
  readonly #prepare: Prepare;
  #ahead: unknown[] = [];
  #at = 0;
  #isDone = false;
  #failure: { error: unknown } | null = null;

  constructor(iterator: Iterator<unknown>, size: number | undefined, workers: number, prepare: Prepare) {
    this.#iterator = iterator;
    this.#prepare = prepare;
    if (size === undefined) this.#fill(lookAhead);
    if (this.#isDone && this.#failure === null) this.total = this.#ahead.length;
    this.size = size ?? defaultSize(this.#ahead.length, workers);
  }

  #fill(count: number): void {
    try {
      while (this.#ahead.length < count && !this.#isDone) {
        const next = this.#iterator.next();
        if (next.done === true) this.#isDone = true;
        else this.#ahead.push(next.value);
      }
    } catch (error) {
      // Its turn comes after the items before it.
      this.#isDone = true;
      this.#failure = { error };
    }
  }

  next(): Chunk | null {
    const from = this.#at;
    this.#fill(this.size);
    if (this.#ahead.length === 0) {
      if (this.#failure !== null) throw this.#failure.error;
      this.total = from;
      return null;
    }
    const items = this.#ahead.length <= this.size ? this.#ahead : this.#ahead.slice(0, this.size);
    this.#ahead = this.#ahead.length <= this.size ? [] : this.#ahead.slice(this.size);
    this.#at = from + items.length;
    return { from, items: this.#prepare === null ? items : items.map(prepared(this.#prepare, from)) };
  }

  stop(): void {
    this.#ahead = [];
    if (this.#isDone) return;
    this.#isDone = true;
    this.#iterator.return?.();
  }
}

class AsyncChunks implements Chunks {
  total: number | undefined = undefined;
  readonly size: number;
  readonly #iterator: AsyncIterator<unknown>;
  readonly #prepare: Prepare;
  #at = 0;
  #isDone = false;

  constructor(iterator: AsyncIterator<unknown>, size: number, prepare: Prepare) {
    this.#iterator = iterator;
    this.size = size;
    this.#prepare = prepare;
  }

  async next(): Promise<Chunk | null> {
    const from = this.#at;
    const items: unknown[] = [];
    while (items.length < this.size && !this.#isDone) {
      const next = await this.#iterator.next();
      if (next.done === true) this.#isDone = true;
      else items.push(this.#prepare === null ? next.value : this.#prepare(next.value, from + items.length));
    }
    this.#at = from + items.length;
    if (items.length > 0) return { from, items };
    this.total = from;
    return null;
  }

  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    // Whatever it says: nobody listens any more.
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }
}

const prepared =
  (prepare: NonNullable<Prepare>, from: number) =>
  (item: unknown, i: number): unknown =>
    prepare(item, from + i);

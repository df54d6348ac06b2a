/** The input of a map in chunks, pulled when there is room for them. */
import { show, typeError } from '../native/arguments.js';
import { callAndWarn } from './warn.js';

export interface Chunk {
  /** The index of its first item. */
  readonly from: number;
  readonly items: ArrayLike<unknown> & { readonly length: number };
}

export interface Chunks {
  /** How many items there are, if that is known by now. */
  readonly total: number | undefined;
  readonly size: number;
  /** The next one, or null at the end. Throws the input's own error, when the items before it have been given. */
  next(): Chunk | null | Promise<Chunk | null>;
  /** Tells the input that nobody wants more of it. Never throws. */
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

export type Input<T> = Iterable<T> | AsyncIterable<T>;

/** Made of each item when it is taken. */
type Prepare = ((item: unknown, index: number) => unknown) | null;

/** @param size undefined: as many as suit the number of workers */
export function chunksOf(
  input: unknown,
  size: number | undefined,
  workers: number,
  prepare: Prepare,
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

type List = ArrayLike<unknown> & { slice(from: number, to: number): ArrayLike<unknown> };

/** An error of the input, whose turn comes after the items before it. */
type Failure = { error: unknown } | null;

class ListChunks implements Chunks {
  readonly total: number;
  readonly size: number;
  readonly #list: List;
  readonly #prepare: Prepare;
  #at = 0;
  #failure: Failure = null;

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
    if (from < to && this.#failure === null) {
      this.#at = to;
      const items = this.#prepare === null ? this.#list.slice(from, to) : this.#prepared(from, to);
      if (items.length > 0) return { from, items };
    }
    if (this.#failure !== null) throw this.#failure.error;
    return null;
  }

  #prepared(from: number, to: number): unknown[] {
    const items: unknown[] = [];
    try {
      for (let i = from; i < to; i++) items.push(this.#prepare!(this.#list[i], i));
    } catch (error) {
      this.#failure = { error };
    }
    return items;
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
  /** Its code runs now, and cannot be told anything. */
  #isPulling = false;
  #isStopped = false;
  #failure: Failure = null;

  constructor(iterator: Iterator<unknown>, size: number | undefined, workers: number, prepare: Prepare) {
    this.#iterator = iterator;
    this.#prepare = prepare;
    if (size === undefined) this.#fill(lookAhead);
    if (this.#isDone && this.#failure === null) this.total = this.#ahead.length;
    this.size = size ?? defaultSize(this.#ahead.length, workers);
  }

  #fill(count: number): void {
    this.#isPulling = true;
    while (this.#ahead.length < count && !this.#isDone) {
      try {
        const next = this.#iterator.next();
        if (next.done === true) this.#isDone = true;
        else this.#add(next.value);
      } catch (error) {
        this.#isDone = true;
        this.#failure = { error };
      }
      if (this.#isStopped) this.#close();
    }
    this.#isPulling = false;
  }

  #add(item: unknown): void {
    if (this.#prepare === null) {
      this.#ahead.push(item);
      return;
    }
    try {
      this.#ahead.push(this.#prepare(item, this.#at + this.#ahead.length));
    } catch (error) {
      this.#failure = { error };
      this.#close();
    }
  }

  #close(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    close(this.#iterator);
  }

  next(): Chunk | null {
    const from = this.#at;
    this.#fill(this.size);
    if (this.#isStopped) return null;
    if (this.#ahead.length === 0) {
      if (this.#failure !== null) throw this.#failure.error;
      this.total = from;
      return null;
    }
    const items = this.#ahead.length <= this.size ? this.#ahead : this.#ahead.slice(0, this.size);
    this.#ahead = this.#ahead.length <= this.size ? [] : this.#ahead.slice(this.size);
    this.#at = from + items.length;
    return { from, items };
  }

  stop(): void {
    this.#isStopped = true;
    this.#ahead = [];
    if (!this.#isPulling) this.#close();
  }
}

class AsyncChunks implements Chunks {
  total: number | undefined = undefined;
  readonly size: number;
  readonly #iterator: AsyncIterator<unknown>;
  readonly #prepare: Prepare;
  #at = 0;
  #isDone = false;
  #failure: Failure = null;

  constructor(iterator: AsyncIterator<unknown>, size: number, prepare: Prepare) {
    this.#iterator = iterator;
    this.size = size;
    this.#prepare = prepare;
  }

  async next(): Promise<Chunk | null> {
    const from = this.#at;
    const items: unknown[] = [];
    while (items.length < this.size && !this.#isDone) {
      let next: IteratorResult<unknown>;
      try {
        next = await this.#iterator.next();
      } catch (error) {
        this.#isDone = true;
        this.#failure = { error };
        break;
      }
      if (next.done === true) {
        this.#isDone = true;
        break;
      }
      try {
        items.push(this.#prepare === null ? next.value : this.#prepare(next.value, from + items.length));
      } catch (error) {
        this.#failure = { error };
        this.stop();
      }
    }
    this.#at = from + items.length;
    if (items.length > 0) return { from, items };
    if (this.#failure !== null) throw this.#failure.error;
    this.total = from;
    return null;
  }

  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    close(this.#iterator);
  }
}

/** What it throws then must not hide why it is closed. */
function close(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  callAndWarn(() => iterator.return?.());
}

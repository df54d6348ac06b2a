/** A map whose results are taken one by one. */
import { Feed, perWorker, type MapCall, type Outcome } from './feed.js';

interface Waiting {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Results as an async iterable. It begins at once; no more is taken from the input than `buffer` items beyond what was taken
 * here, except with a buffer of Infinity: then as by a map. Leaving the loop ends what is not done.
 */
export class Imap implements AsyncGenerator<unknown, void, undefined> {
  readonly [Symbol.toStringTag] = 'AsyncGenerator';
  readonly #feed: Feed;
  readonly #isOrdered: boolean;
  /** Those that nobody has taken: by the index of their first item, or as they came. */
  readonly #arrived = new Map<number, Outcome>();
  /** Whose results are given now, and how many of them have been. */
  #current: Outcome | null = null;
  #given = 0;
  /** How many chunks have arrived, and items been given. */
  #arrivals = 0;
  #taken = 0;
  /** The index of the next chunk's first item; or its number. */
  #next = 0;
  /** What is thrown after what has arrived: the input's error, or that the time is over. */
  #last: { error: unknown } | null = null;
  /** What is thrown next. */
  #reason: { error: unknown } | null = null;
  #isOver = false;
  #waiting: Waiting[] = [];
  onDone: () => void = () => undefined;

  constructor(call: MapCall, isOrdered: boolean) {
    this.#isOrdered = isOrdered;
    const { chunks, dispatcher, options } = call;
    const { size } = chunks;
    const buffer = options.buffer ?? perWorker * dispatcher.size * dispatcher.concurrency * size;
    const hasRoom = (): boolean =>
      buffer === Infinity
        ? !this.#feed.isBusy
        : this.#feed.handed - this.#taken + size <= Math.max(buffer, size);
    this.#feed = new Feed(call, {
      hasRoom,
      arrived: (outcome) => {
        this.#arrived.set(isOrdered ? outcome.from : this.#arrivals++, outcome);
        if (buffer === Infinity) this.#feed.pull();
        this.#came();
      },
      inputEnded: (failure) => {
        this.#last ??= failure;
        this.#came();
      },
      stop: (reason) => {
        this.#stop(reason);
      },
      late: (error) => {
        // What has come in time is given.
        this.#last = { error };
        this.#feed.end(error);
        this.#came();
      },
    });
    this.#feed.begin();
  }

  /** Whether all that will come has. */
  get isDone(): boolean {
    return this.#feed.isDone;
  }

  /** Takes no more of the input, and ends the tasks that have not begun: that is thrown in their place. */
  cancel(reason: unknown): void {
    this.#feed.cancel(reason);
  }

  #stop(reason: unknown): void {
    if (this.#isOver) return;
    this.#reason = { error: reason };
    this.#end(reason);
    this.#serve();
  }

  #came(): void {
    if (this.#feed.isDone) {
      this.#feed.letGo();
      this.onDone();
    }
    this.#serve();
  }

  #end(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#arrived.clear();
    this.#current = null;
    this.#feed.end(reason);
    this.onDone();
  }

  /** Gives those who wait what is there. */
  #serve(): void {
    while (this.#waiting.length > 0) {
      const found = this.#look();
      if (found === null) break;
      const first = this.#waiting.shift()!;
      if ('error' in found) first.reject(found.error);
      else first.resolve(found);
    }
  }

  /** The next result or error; null: there is none yet. */
  #look(): IteratorResult<unknown, undefined> | { error: unknown } | null {
    for (;;) {
      const reason = this.#reason;
      if (reason !== null) {
        this.#reason = null;
        return reason;
      }
      if (this.#isOver) return { value: undefined, done: true };
      const current = this.#current;
      if (current !== null && this.#given < current.values.length) {
        this.#taken++;
        return { value: current.values[this.#given++], done: false };
      }
      if (current !== null && current.failure !== null) return this.#fail(current.failure.error);
      const next = this.#arrived.get(this.#next);
      if (next !== undefined) {
        this.#arrived.delete(this.#next);
        this.#next += this.#isOrdered ? next.count : 1;
        this.#current = next;
        this.#given = 0;
      } else {
        if (!this.#feed.isDone) return null;
        if (this.#last !== null) return this.#fail(this.#last.error);
        this.#end(null);
      }
    }
  }

  #fail(error: unknown): { error: unknown } {
    this.#end(new DOMException('An item failed: nobody takes the results any more', 'AbortError'));
    return { error };
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#serve();
      this.#feed.pull();
    });
  }

  return(value?: unknown): Promise<IteratorResult<unknown, undefined>> {
    this.#reason = null;
    this.#end(new DOMException('Nobody takes the results any more', 'AbortError'));
    this.#serve();
    return Promise.resolve(value).then((given) => ({ value: given as undefined, done: true }));
  }

  throw(error: unknown): Promise<IteratorResult<unknown, undefined>> {
    return this.return().then(() => {
      throw error;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

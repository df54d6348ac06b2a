import { out } from '../message/buffers.js';
import { recordBytesMax } from '../message/record.js';
import type { MessageWriter } from '../message/writer.js';

/** Values that have yet to be put. */
export class Remaining {
  readonly #values: Iterator<unknown>;
  /** Taken from the iterator, but not written: there was no room. */
  #next: { readonly value: unknown } | null = null;
  /** Why there are no more: told when those before it have been put. */
  #failure: { readonly error: unknown } | null = null;
  #isOver = false;

  constructor(values: Iterable<unknown>) {
    this.#values = values[Symbol.iterator]();
  }

  /** Writes the records of as many as have room in the buffer. Returns where they end; 0: all had been written. */
  write(writer: MessageWriter, recordBytes: number): number {
    if (this.#failure !== null) throw this.#failure.error;
    let end = 0;
    try {
      for (;;) {
        this.#next ??= this.#take();
        if (this.#next === null) return end;
        const room = Math.min(end + recordBytes, recordBytesMax);
        const stop = writer.write(this.#next.value, out, end, room, recordBytes, '');
        if (stop < 0) return end;
        this.#next = null;
        end = stop;
      }
    } catch (error) {
      if (end === 0) throw error;
      this.#failure = { error };
      return end;
    }
  }

  #take(): { readonly value: unknown } | null {
    if (this.#isOver) return null;
    this.#isOver = true; // an iterator that throws has ended, too
    const next = this.#values.next();
    if (next.done === true) return null;
    this.#isOver = false;
    return { value: next.value };
  }

  /** Tells the iterator that no more is taken, if it has not ended, and throws `error`, whatever the iterator throws. */
  closeAfter(error: unknown): never {
    try {
      if (!this.#isOver) this.#values.return?.();
    } catch {
      // As where the body of a for-of throws, the first error is the one that is told.
    }
    throw error;
  }
}

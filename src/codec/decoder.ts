/** Decoding: bytes become a value. */
import type { FunctionRef } from '../transfer/function-ref.js';
import type { Memory } from './memory.js';
import { Reader } from './reader.js';

/** What a message names without holding it. */
export interface Surroundings {
  /** By index, what `Encoder.shared` had. */
  readonly shared: readonly object[];
  /** By index, copies of what `Encoder.large` had, for the value to keep. */
  readonly large: readonly ArrayBuffer[];
  /** The function of a reference. Without it, those of modules that are loaded already are found. */
  functionOf?(ref: FunctionRef): object;
}

export class Decoder {
  readonly #reader = new Reader();

  /**
   * The value of the message in [start, end); start is a multiple of 8. Throws ERR_MP_DAMAGED for bytes that are no message.
   * Bytes are not trusted: nothing outside the range is read, nothing in it is evaluated, no more is allocated than a small
   * multiple of its size.
   */
  decode(memory: Memory, start: number, end: number, around: Surroundings): unknown {
    // functionOf() may load a module, which may read a message of its own.
    const reader = this.#reader.isBusy ? new Reader() : this.#reader;
    return reader.message(memory, start, end, around);
  }
}

/** Encoding: a value becomes bytes where they are needed, in shared memory or elsewhere. */
import { MultiprocessingError } from '../errors.js';
import type { Shareable } from '../transfer/handle.js';
import { tInt32, tree } from './format.js';
import { intBytes, isIntMessage } from './int-message.js';
import type { Memory } from './memory.js';
import { Writer } from './writer.js';

/** Distances inside a message have 31 bits. */
const longestMessage = 0x7fff_fff8;

export class Encoder {
  readonly #writer = new Writer();
  /** The shared objects met in the last encode(), once each; the message names them by index. */
  readonly shared: Shareable[] = this.#writer.shared;
  /** The bytes of the large views and ArrayBuffers of the last encode(), once each; the message names them by index. */
  readonly large: Uint8Array[] = this.#writer.large;

  /** Views of at least so many bytes are not written but listed in `large`. Infinity: none. */
  get largeFrom(): number {
    return this.#writer.largeFrom;
  }
  set largeFrom(bytes: number) {
    this.#writer.largeFrom = bytes;
  }

  /** Why there may be no functions in a message; null: there may. */
  get noFunctions(): string | null {
    return this.#writer.noFunctions;
  }
  set noFunctions(why: string | null) {
    this.#writer.noFunctions = why;
  }

  /**
   * Writes `value` to [start, end) of memory; start is a multiple of 8. Returns where it ended, or -1 if it does not fit:
   * what is in [start, end) then means nothing. Throws ERR_MP_CLONE with the path of what cannot be cloned, e.g.
   * `args[0].onDone is a function`; rootName is the beginning of that path.
   *
   * Getters in the value are called. What they throw comes out of here.
   */
  encode(value: unknown, memory: Memory, start: number, end: number, rootName: string): number {
    const writer = this.#writer;
    if (writer.isBusy) {
      throw new MultiprocessingError(
        'ERR_MP_CLONE',
        `A getter inside ${rootName} sends a message while it is being sent`,
      );
    }
    if (this.shared.length > 0) this.shared.length = 0;
    if (this.large.length > 0) this.large.length = 0;
    if (isIntMessage(value)) {
      if (start + intBytes > end) return -1;
      memory.bytes[start] = tree;
      memory.bytes[start + 1] = tInt32;
      memory.view.setInt32(start + 2, value, true);
      return start + intBytes;
    }
    return writer.message(value, memory, start, Math.min(end, start + longestMessage), rootName);
  }
}

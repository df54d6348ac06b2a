/**
 * The bytes of an object that has some of its own, as this environment sees them: one buffer, however many handles.
 *
 * Each handle owns one count of the reference. A buffer that is collected takes the counts of its handles with it: they
 * were collected as well, and nothing here can reach the bytes any more.
 */
import { native } from '../native/load.js';
import { errnoOf, orFail } from '../native/failure.js';
import type { Reference } from './arena.js';

export class Block {
  static readonly #collected = new FinalizationRegistry<Block>((block) => {
    block.#forget();
    for (; block.#users > 0; block.#users--) block.reference.release();
  });

  readonly reference: Reference;
  /** Weak: whoever uses a buffer holds it. */
  readonly #buffer: WeakRef<ArrayBuffer>;
  #users = 1;

  private constructor(reference: Reference, buffer: ArrayBuffer) {
    this.reference = reference;
    this.#buffer = new WeakRef(buffer);
    reference.block = this;
    Block.#collected.register(buffer, this, this);
  }

  // Node.js marks external buffers as untransferable itself: postMessage does not take them along, past close().
  /** The bytes for one more handle, which owns the given count of the reference. */
  static open(reference: Reference, what: string): { block: Block; buffer: ArrayBuffer } {
    const { bytes } = reference;
    const known = reference.block as Block | undefined;
    const open = known === undefined ? undefined : known.#buffer.deref();
    // A buffer that somebody detached behind our back is of no use.
    if (known !== undefined && open?.byteLength === bytes) {
      known.#users++;
      return { block: known, buffer: open };
    }
    try {
      const buffer = bytes === 0 ? new ArrayBuffer(0) : openBuffer(reference.slot, what);
      return { block: new Block(reference, buffer), buffer };
    } catch (error) {
      reference.release();
      throw error;
    }
  }

  /** One handle less; the last one detaches the buffer. */
  close(buffer: ArrayBuffer): void {
    if (--this.#users === 0) {
      this.#forget();
      Block.#collected.unregister(this);
      // Bytes that were moved to another buffer all the same stay ours until this environment ends.
      if (this.reference.bytes > 0 && !native.closeBlock(this.reference.slot, buffer)) return;
    }
    this.reference.release();
  }

  #forget(): void {
    if (this.reference.block === this) this.reference.block = undefined;
  }
}

function openBuffer(slot: number, what: string): ArrayBuffer {
  try {
    return native.openBlock(slot);
  } catch (error) {
    const [code, text] =
      errnoOf(error) === 'ENOMEM'
        ? ['ERR_MP_MEMORY', 'this process has not so many addresses left (ulimit -v)']
        : ['ERR_MP_UNSUPPORTED', 'this JavaScript runtime cannot use shared memory'];
    return orFail(code, `${what}: ${text}`, () => {
      throw error as Error;
    });
  }
}

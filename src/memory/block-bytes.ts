/** The bytes of one handle of an object that needs no name. Has what a Segment has for its users. */
import { ClosedError } from '../errors.js';
import { type Address, Reference } from './arena.js';
import { Block } from './block.js';

const empty = new ArrayBuffer(0);

export class BlockBytes {
  readonly reference: Reference;
  /** Nobody but participants can reach them. */
  readonly damaged = false;
  readonly #block: Block;
  readonly #kindName: string;
  #buffer: ArrayBuffer | null;

  private constructor(reference: Reference, kindName: string, what: string) {
    ({ block: this.#block, buffer: this.#buffer } = Block.open(reference, what));
    this.reference = reference;
    this.#kindName = kindName;
  }

  static create(kind: number, bytes: Uint8Array, kindName: string, what: string): BlockBytes {
    const made = new BlockBytes(Reference.createBlock(kind, 0, bytes.length, what), kindName, what);
    new Uint8Array(made.buffer).set(bytes);
    return made;
  }

  static open(address: Address, kind: number, kindName: string): BlockBytes {
    return new BlockBytes(Reference.open(address, kind, kindName), kindName, 'open()');
  }

  get isOpen(): boolean {
    return this.#buffer !== null;
  }
  /** Empty once closed. */
  get buffer(): ArrayBuffer {
    return this.#buffer ?? empty;
  }

  check(what: string): void {
    if (this.#buffer === null)
      throw new ClosedError(`${what}: this handle of a ${this.#kindName} was closed`);
  }

  close(): void {
    if (this.#buffer === null) return;
    const buffer = this.#buffer;
    this.#buffer = null;
    this.#block.close(buffer);
  }
}

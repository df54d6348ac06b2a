/** Large arrays of messages that are used where they lie: received with `{ shared: true }`, sent again without a copy. */
import { Reference } from '../memory/arena.js';
import { Block } from '../memory/block.js';
import { native } from '../native/load.js';

const received = new WeakMap<ArrayBufferLike, Reference>();

/** The bytes of a block that this environment holds. The buffer keeps it. */
export function openReceived(slot: number, what: string): ArrayBuffer {
  const reference = Reference.ofHeld(slot, native.layout.kindParcel);
  const { buffer } = Block.open(reference, what);
  received.set(buffer, reference);
  return buffer;
}

/** The slot of the block that these bytes are the whole of, if they were received so; else undefined. */
export function blockBehind(bytes: Uint8Array): number | undefined {
  const reference = received.get(bytes.buffer);
  return reference !== undefined && bytes.byteLength === reference.bytes ? reference.slot : undefined;
}

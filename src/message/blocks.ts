/** Large arrays of messages that are used where they lie: received with `{ shared: true }`, sent again without a copy. */
import { Reference } from '../memory/arena.js';
import { Block } from '../memory/block.js';
import { show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';

interface Received {
  readonly reference: Reference;
  readonly block: Block;
  /** How often this buffer was received: each time counts as a user of the block. */
  times: number;
}

/**
 * So many bytes are held at most. A loop without a turn of the event loop hears nothing of what was collected; it would fill
 * the machine's memory.
 */
const heldMax = 256 << 20;

const received = new WeakMap<ArrayBufferLike, Received>();
const collected = new FinalizationRegistry<number>((bytes) => {
  held -= bytes;
});
let held = 0;

/** Whether a block of so many bytes may be held as well; else it is copied. */
export function mayHold(bytes: number): boolean {
  return held + bytes <= heldMax;
}

/** The bytes of a block that this environment holds. The buffer keeps it. */
export function openReceived(slot: number, what: string): ArrayBuffer {
  const reference = Reference.ofHeld(slot, native.layout.kindParcel);
  const { block, buffer } = Block.open(reference, what);
  const known = received.get(buffer);
  if (known !== undefined) {
    known.times++;
  } else {
    received.set(buffer, { reference, block, times: 1 });
    collected.register(buffer, reference.bytes, buffer);
    held += reference.bytes;
  }
  return buffer;
}

/** The slot of the block that these bytes are the whole of, if they were received so; else undefined. */
export function blockBehind(bytes: Uint8Array): number | undefined {
  const reference = received.get(bytes.buffer)?.reference;
  return reference !== undefined && bytes.byteLength === reference.bytes ? reference.slot : undefined;
}

/**
 * Gives the memory of an array back at once that was received with `{ shared: true }`, instead of when it is collected. The array
 * is empty afterwards, and so is every other one over its buffer. What was not received so stays as it is. Does not block.
 * @throws TypeError `ERR_MP_TYPE` for what is neither a typed array, a DataView nor an ArrayBuffer
 */
export function release(array: ArrayBufferView | ArrayBufferLike): void {
  const isView = ArrayBuffer.isView(array);
  if (!isView && !(array instanceof ArrayBuffer) && !(array instanceof SharedArrayBuffer))
    throw typeError(`release(): expects a typed array or an ArrayBuffer, not ${show(array)}`);
  const buffer = isView ? array.buffer : array;
  const known = received.get(buffer);
  if (known === undefined) return;
  received.delete(buffer);
  collected.unregister(buffer);
  held -= known.reference.bytes;
  for (; known.times > 0; known.times--) known.block.close(buffer as ArrayBuffer);
}

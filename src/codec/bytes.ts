/** Messages as bytes of their own, for what writes and reads them elsewhere. */
import { MultiprocessingError } from '../errors.js';
import type { Shareable } from '../transfer/handle.js';
import { Decoder, type Surroundings } from './decoder.js';
import { Encoder } from './encoder.js';
import { Memory } from './memory.js';

const firstSize = 1 << 16;
/** What is larger is not kept for the next message. */
const keptSize = 1 << 18;
const sizeLimit = 2 ** 31;

/** Null while it is in use: a getter may encode something itself. */
let spare: { encoder: Encoder; memory: Memory } | null = null;
const decoder = new Decoder();
const nothing: Surroundings = { shared: [], large: [] };

export interface EncodedBytes {
  bytes: Uint8Array;
  /** The shared objects in it, by index. */
  shared: Shareable[];
}

/** @param noFunctions why there may be no functions in the message, if there may not */
export function encodeToBytes(
  value: unknown,
  rootName: string,
  noFunctions: string | null = null,
): EncodedBytes {
  const own = spare ?? { encoder: new Encoder(), memory: new Memory(new ArrayBuffer(firstSize)) };
  spare = null;
  own.encoder.noFunctions = noFunctions;
  try {
    let { memory } = own;
    for (;;) {
      const size = memory.bytes.length;
      const end = own.encoder.encode(value, memory, 0, size, rootName);
      if (end >= 0) {
        if (size <= keptSize) own.memory = memory;
        // Not Buffers: see transfer/codec.ts.
        const { buffer } = memory.bytes;
        const bytes = new Uint8Array(size <= keptSize ? buffer.slice(0, end) : buffer, 0, end);
        return { bytes, shared: [...own.encoder.shared] };
      }
      if (size >= sizeLimit) {
        throw new MultiprocessingError(
          'ERR_MP_CLONE',
          `${rootName} is too large: a message has at most 2 GiB`,
        );
      }
      memory = new Memory(new ArrayBuffer(Math.min(sizeLimit, size * 4)));
    }
  } finally {
    own.encoder.shared.length = 0;
    spare = own;
  }
}

export function decodeBytes(bytes: Uint8Array, around: Surroundings = nothing): unknown {
  return decoder.decode(memoryOf(bytes), 0, bytes.length, around);
}

function memoryOf(bytes: Uint8Array): Memory {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset % 8 === 0) return new Memory(buffer as ArrayBuffer, byteOffset, byteLength);
  return new Memory(new Uint8Array(bytes).buffer);
}

import { encode } from '../transfer/codec.js';
import type { Shareable } from '../transfer/handle.js';
import type { Memory } from './memory.js';
export class Encoder {
  largeFrom = Infinity;
  readonly shared: Shareable[] = [];
  readonly large: Uint8Array[] = [];
  encode(value: unknown, memory: Memory, start: number, end: number, rootName: string): number {
    const { bytes } = encode(value, rootName);
    if (start + bytes.length > end) return -1;
    memory.bytes.set(bytes, start);
    return start + bytes.length;
  }
}

import { decode } from '../transfer/codec.js';
import type { Memory } from './memory.js';
export interface Surroundings { readonly shared: readonly object[]; readonly large: readonly ArrayBuffer[] }
export class Decoder {
  decode(memory: Memory, start: number, end: number, _around: Surroundings): unknown {
    return decode(memory.bytes.slice(start, end));
  }
}

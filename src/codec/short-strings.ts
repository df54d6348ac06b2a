/** Short strings read before. Finding one again is faster than making one, and what programs send repeats itself. */
import type { Bytes } from './memory.js';

const slots = 4096;

export class ShortStrings {
  readonly #strings = new Array<string>(slots).fill('');

  read(bytes: Bytes, at: number, length: number): string {
    if (length === 0) return '';
    let hash = length;
    for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + bytes[at + i]!) | 0;
    const slot = (hash ^ (hash >>> 12)) & (slots - 1);
    const known = this.#strings[slot]!;
    if (known.length === length) {
      let i = 0;
      while (i < length && known.charCodeAt(i) === bytes[at + i]) i++;
      if (i === length) return known;
    }
    return (this.#strings[slot] = bytes.latin1Slice(at, at + length));
  }
}

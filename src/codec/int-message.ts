/**
 * Integers but 0, the most frequent messages of all, as two words: the message that the encoder makes of them (format.ts), so that
 * neither side has to know whether the other knows of this.
 */
import { tInt32, tree } from './format.js';

/** How many bytes such a message has. */
export const intBytes = 6;
const head = tree | (tInt32 << 8);

export function isIntMessage(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value && value !== 0;
}

/** Writes one at `at`, where there is room for two words. */
export function writeInt(words: Int32Array, at: number, value: number): void {
  words[at] = head | (value << 16);
  words[at + 1] = value >> 16;
}

/** Whether a message of `intBytes` bytes is one. */
export function isIntAt(words: Int32Array, at: number): boolean {
  return (words[at]! & 0xffff) === head;
}

export function readInt(words: Int32Array, at: number): number {
  return (words[at]! >>> 16) | (words[at + 1]! << 16);
}

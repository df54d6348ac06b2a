/**
 * The records of a ShareableList, in bytes. All numbers are little-endian.
 *
 *   0   count, 0                              32 bits each
 *   8   offset, capacity                      32 bits each, for every item; fixed at creation
 *   …   tag, length, then capacity bytes      32 bits each, for every item; records start at multiples of 8
 *
 * The length is stored, not guessed from the bytes, so no text loses its end; capacities are bytes, not characters.
 * Whatever lies there may be written by somebody else at this moment: lengths are cut to the capacity, the capacities and
 * offsets are checked once and kept in private memory, so that a torn record is at worst a wrong value.
 */
import { rangeError, show, typeError } from '../native/arguments.js';

export type ShareableItem = number | bigint | boolean | string | Uint8Array | null;

export interface Slot {
  /** Of the record's bytes. */
  readonly offset: number;
  readonly capacity: number;
}

const Tag = { null: 0, false: 1, true: 2, number: 3, bigint: 4, text: 5, bytes: 6, utf16: 7 } as const;
const headBytes = 8;
const recordHeadBytes = 8;

interface Encoded {
  tag: number;
  bytes: Uint8Array;
}

const none = new Uint8Array(0);
const min64 = -(2n ** 63n);
const max64 = 2n ** 63n - 1n;

export function encode(value: unknown, what: string): Encoded {
  switch (typeof value) {
    case 'number': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value);
      return { tag: Tag.number, bytes };
    }
    case 'bigint': {
      if (value < min64 || value > max64) throw rangeError(`${what}: ${value}n does not fit in 64 bits`);
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value);
      return { tag: Tag.bigint, bytes };
    }
    case 'boolean':
      return { tag: value ? Tag.true : Tag.false, bytes: none };
    case 'string': {
      const bytes = Buffer.from(value);
      // Half a surrogate pair has no UTF-8; it is kept all the same.
      if (bytes.includes('\ufffd') && bytes.toString() !== value) {
        return { tag: Tag.utf16, bytes: Buffer.from(value, 'utf16le') };
      }
      return { tag: Tag.text, bytes };
    }
  }
  if (value === null) return { tag: Tag.null, bytes: none };
  if (value instanceof Uint8Array) return { tag: Tag.bytes, bytes: value };
  throw typeError(
    `${what}: an item is a number, a BigInt, a boolean, a string, a Uint8Array or null, not ${show(value)}`,
  );
}

function align(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** Where items go whose bytes are given, each slot with room for at least `least` bytes. */
export function plan(items: readonly Encoded[], least: number): { slots: Slot[]; size: number } {
  let at = headBytes + items.length * 8;
  const slots = items.map(({ bytes }) => {
    const capacity = align(Math.max(bytes.length, least));
    const slot = { offset: at + recordHeadBytes, capacity };
    at += recordHeadBytes + capacity;
    return slot;
  });
  return { slots, size: at };
}

/** The bytes of a new list. */
export function format(items: readonly Encoded[], slots: readonly Slot[], size: number): Buffer {
  const bytes = Buffer.alloc(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  view.setUint32(0, slots.length, true);
  slots.forEach((slot, i) => {
    view.setUint32(headBytes + i * 8, slot.offset, true);
    view.setUint32(headBytes + i * 8 + 4, slot.capacity, true);
    writeRecord(view, slot, items[i]!);
  });
  return bytes;
}

/** The slots of a list that somebody made; undefined if it does not hold together. */
export function readTable(view: DataView): Slot[] | undefined {
  const size = view.byteLength;
  if (size < headBytes) return undefined;
  const count = view.getUint32(0, true);
  if (count > (size - headBytes) / 8) return undefined;
  const slots: Slot[] = [];
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(headBytes + i * 8, true);
    const capacity = view.getUint32(headBytes + i * 8 + 4, true);
    if (offset % 8 !== 0 || offset < headBytes + count * 8 + recordHeadBytes || offset + capacity > size)
      return undefined;
    slots.push({ offset, capacity });
  }
  return slots;
}

export function writeRecord(view: DataView, slot: Slot, { tag, bytes }: Encoded): void {
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes, slot.offset);
  view.setUint32(slot.offset - 8, tag, true);
  view.setUint32(slot.offset - 4, bytes.length, true);
}

/** The value in a slot; undefined if there is none that makes sense. */
export function readRecord(view: DataView, slot: Slot): ShareableItem | undefined {
  const { offset, capacity } = slot;
  const tag = view.getUint32(offset - 8, true);
  const length = Math.min(view.getUint32(offset - 4, true), capacity);
  const bytes = (): Buffer => Buffer.from(Buffer.from(view.buffer, view.byteOffset + offset, length)); // a copy
  switch (tag) {
    case Tag.null:
      return null;
    case Tag.false:
    case Tag.true:
      return tag === Tag.true;
    case Tag.number:
      return capacity < 8 ? undefined : view.getFloat64(offset, true);
    case Tag.bigint:
      return capacity < 8 ? undefined : view.getBigInt64(offset, true);
    case Tag.text:
      return bytes().toString();
    case Tag.utf16:
      return bytes().toString('utf16le');
    case Tag.bytes:
      return new Uint8Array(bytes());
    default:
      return undefined;
  }
}

/**
 * Writing records: a value, or bytes, and what they refer to.
 *
 * What is too large for a record goes into parcels, blocks of the arena. They are this environment's until settle(): by then
 * whoever receives the message has them, or nobody will.
 */
import { encodeToBytes } from '../codec/bytes.js';
import { Encoder } from '../codec/encoder.js';
import { Memory, padded } from '../codec/memory.js';
import { MultiprocessingError } from '../errors.js';
import { headerOf, Reference } from '../memory/arena.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { type Handle, toHandle } from '../transfer/handle.js';
import { blockBehind } from './blocks.js';
import {
  headBytes,
  largeFrom,
  largeShift,
  meta,
  referenceBytes,
  referencesShift,
  trailerBytes,
} from './record.js';

/** A value that is too large for a record is encoded in a buffer of this size, or a multiple. */
const spaciousBytes = 1 << 20;
const spaciousKept = 16 << 20;

export class MessageWriter {
  readonly #encoder = new Encoder();
  #spacious: Memory | null = null;
  readonly #parcels: number[] = [];
  /** Of the shared objects that the records since the last settle() refer to. */
  readonly #slots: number[] = [];

  constructor() {
    this.#encoder.largeFrom = largeFrom;
  }

  /**
   * Writes the record of a value at `start`, a multiple of 8. Returns where it ends; -1 if it does not fit before `end`, which is
   * less than the `room` that a record can have. What does not fit in that goes into a parcel.
   * @throws MultiprocessingError `ERR_MP_CLONE` with the path of what cannot be cloned
   */
  write(value: unknown, memory: Memory, start: number, end: number, room: number, rootName: string): number {
    const encoder = this.#encoder;
    const at = start + headBytes;
    const stop = encoder.encode(value, memory, at, end, rootName);
    if (stop >= 0 && stop <= (end & ~7) && encoder.large.length === 0 && encoder.shared.length === 0) {
      const ends = padded(stop);
      memory.ints[start >>> 2] = stop - at;
      memory.ints[(start >>> 2) + 1] = 0;
      return ends;
    }
    if (stop < 0 && end - start < room) return -1;
    return this.#writeRest(value, memory, start, end, room, stop, rootName);
  }

  /** The same for bytes as they are. */
  writeBytes(bytes: Uint8Array, memory: Memory, start: number, end: number, room: number): number {
    const at = start + headBytes;
    if (at + padded(bytes.length) <= end) {
      memory.bytes.set(bytes, at);
      memory.view.setUint32(start, bytes.length, true);
      memory.view.setUint32(start + 4, meta.rawBytes, true);
      return at + padded(bytes.length);
    }
    if (end - start < room) return -1;
    if (bytes.length > longestMessage) throw tooLong('a message of bytes');
    const parcel = this.#parcel(bytes);
    return this.#finish(memory, start, bytes.length, meta.rawBytes | meta.inParcel, [parcel], []);
  }

  /** Gives back what this environment has of the records written: their receivers have it now, or nobody will. */
  settle(): void {
    if (this.#parcels.length > 0) for (const slot of this.#parcels.splice(0)) native.closeObject(slot);
    if (this.#slots.length > 0) this.#slots.length = 0;
  }

  /** Keeps what the records written refer to, for those that are put later, until the returned function is called. */
  keep(): () => void {
    const parcels = this.#parcels.splice(0);
    const pins = this.#slots.splice(0).map((slot) => Reference.ofHeld(slot, headerOf(slot) & 0x7f));
    return () => {
      for (const slot of parcels.splice(0)) native.closeObject(slot);
      for (const reference of pins.splice(0)) reference.release();
    };
  }

  /** Of a value that is large, or has something large or shared in it. `stop`: where it ends at `start`, or -1. */
  #writeRest(
    value: unknown,
    memory: Memory,
    start: number,
    end: number,
    room: number,
    stop: number,
    rootName: string,
  ): number {
    try {
      const at = start + headBytes;
      const main = stop < 0 ? this.#encodeSpaciously(value, rootName) : memory.bytes.subarray(at, stop);
      const { shared, large } = this.#encoder;
      const most = Math.floor((room - headBytes) / referenceBytes) - 1; // one is for a parcel
      if (shared.length + large.length > most) throw tooMany(rootName, shared.length + large.length, most);
      const handles = shared.map((object) => object[toHandle]());
      const blocks = large.map((bytes) => this.#block(bytes));
      const slots: number[] = [];
      for (const handle of handles) slotsOf(handle, slots);
      if (blocks.length + slots.length > most) throw tooMany(rootName, blocks.length + slots.length, most);
      this.#slots.push(...slots);
      const list = handles.length > 0 ? encodeToBytes(handles, rootName).bytes : null;
      const length = list === null ? main.length : padded(main.length) + padded(list.length) + trailerBytes;
      const flags = (list === null ? 0 : meta.handles) | (blocks.length << largeShift);
      const behind = (blocks.length + slots.length) * referenceBytes;
      const fits = stop >= 0 && at + padded(length) + behind <= end;
      if (!fits && at + referenceBytes + behind > end) {
        this.settle();
        return -1;
      }
      const payload = fits ? memory.bytes.subarray(at, at + length) : new Uint8Array(length);
      if (!fits) payload.set(main);
      if (list !== null) {
        payload.set(list, padded(main.length));
        new DataView(payload.buffer, payload.byteOffset + length - trailerBytes).setFloat64(
          0,
          main.length,
          true,
        );
      }
      if (fits) return this.#finish(memory, start, length, flags, blocks, slots);
      return this.#finish(
        memory,
        start,
        length,
        flags | meta.inParcel,
        [this.#parcel(payload), ...blocks],
        slots,
      );
    } catch (error) {
      this.settle();
      throw error;
    } finally {
      // They are their senders'.
      this.#encoder.shared.length = this.#encoder.large.length = 0;
    }
  }

  #encodeSpaciously(value: unknown, rootName: string): Uint8Array {
    let memory = this.#spacious ?? new Memory(new ArrayBuffer(spaciousBytes));
    for (;;) {
      const stop = this.#encoder.encode(value, memory, 0, memory.bytes.length, rootName);
      if (memory.bytes.length <= spaciousKept) this.#spacious = memory;
      if (stop >= 0) return memory.bytes.subarray(0, stop);
      memory = new Memory(largerBuffer(memory.bytes.length, rootName));
    }
  }

  /** The block of a large array: the one that it lies in already, if it was received so. */
  #block(bytes: Uint8Array): number {
    const slot = blockBehind(bytes);
    if (slot === undefined) return this.#parcel(bytes);
    this.#slots.push(slot);
    return slot;
  }

  #parcel(bytes: Uint8Array): number {
    const slot = orFail('ERR_MP_MEMORY', `a message of ${bytes.length} bytes finds no shared memory`, () =>
      native.createParcel(bytes),
    );
    this.#parcels.push(slot);
    return slot;
  }

  /** The record around a payload that is in its place, or in a parcel. Returns where it ends. */
  #finish(
    memory: Memory,
    start: number,
    length: number,
    flags: number,
    blocks: readonly number[],
    slots: readonly number[],
  ): number {
    const { view } = memory;
    view.setUint32(start, length, true);
    view.setUint32(start + 4, (flags | (slots.length << referencesShift)) >>> 0, true);
    let at = start + headBytes + ((flags & meta.inParcel) !== 0 ? 0 : padded(length));
    for (const list of [blocks, slots]) {
      for (const slot of list) {
        view.setUint32(at, slot, true);
        view.setUint32(at + 4, headerOf(slot), true);
        at += referenceBytes;
      }
    }
    return at;
  }
}

/** Outside its large arrays. */
const longestMessage = 2 ** 31;

function largerBuffer(bytes: number, rootName: string): ArrayBuffer {
  if (bytes >= longestMessage) throw tooLong(rootName || 'the value');
  try {
    return new ArrayBuffer(Math.min(bytes * 4, longestMessage));
  } catch (cause) {
    throw tooLong(rootName || 'the value', cause);
  }
}

function tooLong(what: string, cause?: unknown): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_MESSAGE_SIZE',
    `${what} is larger than a message can be (2 GiB); put what is large into typed arrays or shared arrays`,
    cause === undefined ? {} : { cause },
  );
}

function tooMany(rootName: string, count: number, most: number): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_CLONE',
    `${rootName || 'the value'} has ${count} references to shared objects and large arrays in it (one to each, several to a ` +
      `queue or a pipe's end), where a message has room for ${most}: send it in parts`,
  );
}

/** The slots that a handle names: what must not go while it is under way. */
function slotsOf(handle: Handle, slots: number[]): void {
  const { arena, slot } = handle as Handle & { arena?: unknown; slot?: unknown };
  if (typeof arena === 'string' && typeof slot === 'number') slots.push(slot);
  for (const part of Object.values(handle) as unknown[])
    if (typeof part === 'object' && part !== null) slotsOf(part as Handle, slots);
}

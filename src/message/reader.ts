/** Reading records: the value, or bytes, with the objects and blocks they refer to. */
import { constants } from 'node:buffer';
import { Decoder, type Surroundings } from '../codec/decoder.js';
import {
  decodeLater,
  functionAtOnce,
  functionIfLoaded,
  type FunctionOf,
  NotLoadedError,
} from '../codec/functions.js';
import { Memory, padded } from '../codec/memory.js';
import { MultiprocessingError } from '../errors.js';
import { Reference } from '../memory/arena.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { openHandles } from '../transfer/handle.js';
import { mayHold, openReceived } from './blocks.js';
import {
  countMax,
  headBytes,
  largeShift,
  meta,
  referenceBytes,
  referencesShift,
  trailerBytes,
} from './record.js';

const nothing: Surroundings = { shared: [], large: [], functionOf: functionIfLoaded };
const none: readonly number[] = [];

export class MessageReader {
  readonly #decoder = new Decoder();

  /** Where the record at `start` ends. */
  end(memory: Memory, start: number): number {
    const length = memory.view.getUint32(start, true);
    const flags = memory.view.getUint32(start + 4, true);
    const references =
      (flags >>> referencesShift) + ((flags >>> largeShift) & countMax) + ((flags & meta.inParcel) >> 2);
    return (
      start + headBytes + ((flags & meta.inParcel) !== 0 ? 0 : padded(length)) + references * referenceBytes
    );
  }

  /**
   * The value of the record at `start`, whose references this environment holds by now. Bytes come as a Buffer.
   * @throws MultiprocessingError `ERR_MP_DAMAGED`; what valueLater() and valueAtOnce() understand
   */
  read(memory: Memory, start: number, shared: boolean, what: string): unknown {
    const word = start >>> 2;
    const length = memory.ints[word]! >>> 0;
    const flags = memory.ints[word + 1]!;
    if (flags !== 0) return this.#readRest(memory, start, flags, shared, what);
    const at = start + headBytes;
    try {
      return this.#decoder.decode(memory, at, at + length, nothing);
    } catch (error) {
      if (error instanceof NotLoadedError) throw this.#unread(memory, start, flags, shared, what, none);
      throw error;
    }
  }

  /** Gives back what the record at `start` refers to: nobody reads it. */
  drop(memory: Memory, start: number): void {
    giveBack(referencesAt(memory, start).slots);
  }

  #readRest(memory: Memory, start: number, flags: number, shared: boolean, what: string): unknown {
    const slots = flags === meta.rawBytes ? none : referencesAt(memory, start).slots;
    let isUnread = false;
    try {
      return this.#value(memory, start, flags, shared, what);
    } catch (error) {
      if (!(error instanceof NotLoadedError)) throw error;
      isUnread = true;
      throw this.#unread(memory, start, flags, shared, what, slots);
    } finally {
      if (!isUnread) giveBack(slots);
    }
  }

  #unread(
    memory: Memory,
    start: number,
    flags: number,
    shared: boolean,
    what: string,
    slots: readonly number[],
  ): UnreadError {
    const record = new Memory(new Uint8Array(memory.bytes.subarray(start, this.end(memory, start))).buffer);
    return new UnreadError(
      (functionOf) => this.#value(record, 0, flags, shared, what, functionOf),
      () => {
        giveBack(slots);
      },
    );
  }

  /** Copies the bytes of the record at `start`, which is one of bytes and not longer than `target`, straight into that. */
  readInto(memory: Memory, start: number, target: Uint8Array, what: string): number {
    const length = memory.view.getUint32(start, true);
    if ((memory.view.getUint32(start + 4, true) & meta.inParcel) === 0) {
      const at = start + headBytes;
      target.set(memory.bytes.subarray(at, at + length));
      return length;
    }
    const { slots, parcel } = referencesAt(memory, start);
    try {
      if (native.parcelBytes(parcel!) < length) throw damaged(what);
      readParcel(parcel!, target.subarray(0, length), false, what);
      return length;
    } finally {
      giveBack(slots);
    }
  }

  #value(
    memory: Memory,
    start: number,
    flags: number,
    shared: boolean,
    what: string,
    functionOf = functionIfLoaded,
  ): unknown {
    const at = start + headBytes;
    const length = memory.view.getUint32(start, true);
    if (flags === 0) {
      const around = functionOf === functionIfLoaded ? nothing : { ...nothing, functionOf };
      return this.#decoder.decode(memory, at, at + length, around);
    }
    const { parcel, large } = referencesAt(memory, start);
    let payload = memory;
    let from = at;
    if (parcel !== null) {
      if (native.parcelBytes(parcel) < length) throw damaged(what);
      payload = new Memory(copyOf(parcel, length, what));
      from = 0;
    }
    if ((flags & meta.rawBytes) !== 0)
      return parcel !== null ? payload.bytes : Buffer.copyBytesFrom(payload.bytes, from, length);
    let end = from + length;
    let objects: readonly object[] = [];
    if ((flags & meta.handles) !== 0) {
      if (length < trailerBytes) throw damaged(what);
      const listEnd = end - trailerBytes;
      const mainBytes = payload.view.getFloat64(listEnd, true);
      if (!(Number.isInteger(mainBytes) && mainBytes >= 0 && from + padded(mainBytes) <= listEnd))
        throw damaged(what);
      const handles = this.#decoder.decode(payload, from + padded(mainBytes), listEnd, nothing);
      objects = openHandles(handles, () => damaged(what));
      end = from + mainBytes;
    }
    const buffers = large.map((slot) => {
      const bytes = native.parcelBytes(slot);
      return shared && mayHold(bytes) ? openReceived(slot, what) : copyOf(slot, bytes, what);
    });
    try {
      return this.#decoder.decode(payload, from, end, { shared: objects, large: buffers, functionOf });
    } catch (error) {
      for (const object of objects) (object as Partial<Disposable>)[Symbol.dispose]?.();
      throw error;
    }
  }
}

/** A message that cannot be read before a module is loaded: it has a function of it. */
class UnreadError extends Error {
  readonly #read: (functionOf: FunctionOf) => unknown;
  readonly #end: () => void;

  /** @param end gives back what the message refers to */
  constructor(read: (functionOf: FunctionOf) => unknown, end: () => void) {
    super('a message has a function of a module that is not loaded');
    this.#read = read;
    this.#end = end;
  }

  /** Imports what is missing, and reads it. */
  async later(): Promise<unknown> {
    try {
      return await decodeLater(this.#read);
    } finally {
      this.#end();
    }
  }

  /** Reads it, if what is missing can be had by require(). @throws NotLoadedError */
  now(): unknown {
    try {
      return this.#read(functionAtOnce);
    } finally {
      this.#end();
    }
  }
}

/** What becomes of an error of read(): of a message that needs a module first, a promise for its value. */
export function valueLater(error: unknown): Promise<unknown> {
  if (error instanceof UnreadError) return error.later();
  throw error;
}

/** The same: its value. @throws NotLoadedError if what it needs can only be had by waiting; the message is lost */
export function valueAtOnce(error: unknown): unknown {
  if (error instanceof UnreadError) return error.now();
  throw error;
}

/** What nobody here has opened, or had open before, is not ours by this message. */
function giveBack(slots: readonly number[]): void {
  for (const slot of slots) if (!Reference.isOpen(slot)) native.closeObject(slot);
}

function referencesAt(
  memory: Memory,
  start: number,
): { slots: number[]; parcel: number | null; large: number[] } {
  const length = memory.view.getUint32(start, true);
  const flags = memory.view.getUint32(start + 4, true);
  const inParcel = (flags & meta.inParcel) !== 0;
  const blocks = (flags >>> largeShift) & countMax;
  const count = (inParcel ? 1 : 0) + blocks + (flags >>> referencesShift);
  const from = start + headBytes + (inParcel ? 0 : padded(length));
  const slots: number[] = [];
  for (let i = 0; i < count; i++) slots.push(memory.view.getUint32(from + i * referenceBytes, true));
  const first = inParcel ? 1 : 0;
  return { slots, parcel: inParcel ? slots[0]! : null, large: slots.slice(first, first + blocks) };
}

function readParcel(slot: number, target: Uint8Array, fresh: boolean, what: string): void {
  orFail('ERR_MP_MEMORY', `${what}: a large message cannot be read`, () => {
    native.readParcel(slot, target, fresh);
  });
}

function copyOf(slot: number, bytes: number, what: string): ArrayBuffer {
  const buffer = newBuffer(bytes, what);
  readParcel(slot, new Uint8Array(buffer), true, what);
  return buffer;
}

/** Of which every byte is written next: it need not be cleared. */
function newBuffer(bytes: number, what: string): ArrayBuffer {
  try {
    if (bytes > constants.MAX_LENGTH) return new ArrayBuffer(bytes);
    return Buffer.allocUnsafeSlow(bytes).buffer;
  } catch (cause) {
    throw new MultiprocessingError(
      'ERR_MP_MEMORY',
      `${what}: there is no memory for ${bytes} bytes of this message; take it with { shared: true }`,
      { cause },
    );
  }
}

function damaged(what: string): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_DAMAGED',
    `${what}: a message cannot be read: its parts do not fit`,
  );
}

/** What the writer of a pipe's ring does. */
import { intBytes, isIntMessage, writeInt } from '../codec/int-message.js';
import { Memory, padded } from '../codec/memory.js';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { out } from '../message/buffers.js';
import { pipePut } from '../message/calls.js';
import { pack, type Packed, writeOut } from '../message/outgoing.js';
import { headBytes, meta, recordBytesMax } from '../message/record.js';
import { MessageWriter } from '../message/writer.js';
import { native } from '../native/load.js';
import { QueueResult } from '../native/message-binding.js';
import { damaged, intUnits, isAwaited, type PipeRing, unitBytes } from './pipe-ring.js';

const messages = new MessageWriter();
/** Who writes a message, and may call getters of its values meanwhile. */
let writing: RingWriter | null = null;

export class RingWriter {
  readonly ring: PipeRing;
  /** The longest record; longer messages travel in parcels. */
  readonly #recordBytes: number;
  #tail = 0;
  /** The head as it was when there was last no room: it may be further on by now. */
  #head = 0;
  /** Of the record written last: the units where it begins and ends, and how far the tail moves for it. */
  #at = 0;
  #stop = 0;
  #moved = 0;
  /** A getter of what is being written has closed the end. */
  #unmap: (() => void) | null = null;

  constructor(ring: PipeRing) {
    this.ring = ring;
    this.#recordBytes = Math.min(recordBytesMax, (ring.units * unitBytes) / 4);
  }

  /** To be called when this environment has become the sender. */
  begin(): void {
    const { words, tailAt, headAt } = this.ring;
    this.#tail = Atomics.load(words, tailAt);
    this.#head = Atomics.load(words, headAt);
  }

  /**
   * Calls `unmap`, which makes the ring's memory be no more: now, or when the message is written whose getter has closed the
   * end. That one is not sent.
   */
  close(unmap: () => void): void {
    if (writing === this) this.#unmap = unmap;
    else unmap();
  }

  /** Puts a message, value or bytes; false if there is no room now. */
  put(value: unknown, isBytes: boolean, what: string): boolean {
    if (writing === null && isIntMessage(value) && this.#putInt(value)) return true;
    beginWriting(this, what);
    try {
      if (!this.#place(value, isBytes, '')) return false;
      if (this.#unmap !== null) throw closedInside(what);
      if (this.#isPlain) {
        this.#commit();
        return true;
      }
      return this.#putNative(this.#record);
    } finally {
      this.#end();
    }
  }

  #end(): void {
    writing = null;
    messages.settle();
    if (this.#unmap === null) return;
    this.#unmap();
    this.#unmap = null;
  }

  /** The same for a value; one that refers to something is not put but packed: for a sender that may have to send it again. */
  offer(value: unknown, rootName: string, what: string): boolean | Packed {
    beginWriting(this, what);
    try {
      if (!this.#place(value, false, rootName)) return false;
      if (this.#unmap !== null) throw closedInside(what);
      if (!this.#isPlain) return { bytes: new Uint8Array(this.#record), settle: messages.keep() };
      this.#commit();
      return true;
    } finally {
      this.#end();
    }
  }

  /** Puts an integer, if there seems to be room in one piece. */
  #putInt(value: number): boolean {
    const { units, memory } = this.ring;
    const at = this.#tail & (units - 1);
    if (units - ((this.#tail - this.#head) >>> 0) < intUnits || units - at < intUnits) return false;
    const { ints } = memory;
    ints[at * 2] = intBytes;
    ints[at * 2 + 1] = 0;
    writeInt(ints, at * 2 + 2, value);
    this.#at = at;
    this.#stop = at + intUnits;
    this.#moved = intUnits;
    this.#commit();
    return true;
  }

  /** Puts a plain record as it is; false if there is no room now. */
  putRecord(record: Memory, start: number, bytes: number): boolean {
    const { units, words, headAt, memory } = this.ring;
    const its = bytes / unitBytes;
    const at = this.#tail & (units - 1);
    const rest = units - at;
    const moved = its <= rest ? its : rest + its;
    if (moved > units - ((this.#tail - this.#head) >>> 0)) {
      this.#head = Atomics.load(words, headAt);
      if (moved > units - ((this.#tail - this.#head) >>> 0)) return false;
    }
    if (its > rest) memory.ints[at * 2 + 1] = meta.wrap;
    this.#at = its <= rest ? at : 0;
    this.#stop = this.#at + its;
    this.#moved = moved;
    const to = this.#at * 2;
    const from = start >>> 2;
    if (its <= 32) for (let i = 0; i < its * 2; i++) memory.ints[to + i] = record.ints[from + i]!;
    else memory.ints.set(record.ints.subarray(from, from + its * 2), to);
    this.#commit();
    return true;
  }

  /** Where the plain record that was put last begins, as a unit; it stays there as long as the reader has not passed it. */
  get lastUnit(): number {
    return this.#at;
  }

  /** A copy of the plain record at a unit. */
  copyAt(unit: number): Memory {
    const { ints, bytes } = this.ring.memory;
    const start = unit * unitBytes;
    const end = start + headBytes + padded(ints[unit * 2]! >>> 0);
    return new Memory(new Uint8Array(bytes.subarray(start, end)).buffer);
  }

  /** Writes a record behind the tail; false if there is no room now. */
  #place(value: unknown, isBytes: boolean, rootName: string): boolean {
    const { units, words, headAt } = this.ring;
    for (;;) {
      const tail = this.#tail;
      const free = units - ((tail - this.#head) >>> 0);
      const at = tail & (units - 1);
      const rest = units - at;
      if (free > 0) {
        const stop = this.#write(value, isBytes, at, Math.min(rest, free), rootName);
        if (stop >= 0) {
          this.#at = at;
          this.#stop = stop;
          this.#moved = stop - at;
          return true;
        }
      }
      if (free > rest) {
        const stop = this.#write(value, isBytes, 0, free - rest, rootName);
        if (stop >= 0) {
          this.ring.memory.ints[at * 2 + 1] = meta.wrap;
          this.#at = 0;
          this.#stop = stop;
          this.#moved = rest + stop;
          return true;
        }
      }
      const head = Atomics.load(words, headAt);
      if (head === this.#head) return false;
      this.#head = head;
    }
  }

  /** Writes the record at a unit. Returns the unit where it ends, or -1: the room of so many units is too small. */
  #write(value: unknown, isBytes: boolean, at: number, units: number, rootName: string): number {
    const start = at * unitBytes;
    const end = start + Math.min(units * unitBytes, this.#recordBytes);
    const { memory } = this.ring;
    const stop = isBytes
      ? messages.writeBytes(value as Uint8Array, memory, start, end, this.#recordBytes)
      : messages.write(value, memory, start, end, this.#recordBytes, rootName);
    return stop < 0 ? -1 : stop / unitBytes;
  }

  /** Whether the record that was placed refers to nothing. */
  get #isPlain(): boolean {
    return (this.ring.memory.ints[this.#at * 2 + 1]! & ~meta.rawBytes) === 0;
  }

  get #record(): Uint8Array {
    return this.ring.memory.bytes.subarray(this.#at * unitBytes, this.#stop * unitBytes);
  }

  /** Moves the tail past the record that was placed. */
  #commit(): void {
    const { words, tailAt, tailAwaitedAt } = this.ring;
    this.#tail = (this.#tail + this.#moved) | 0;
    Atomics.store(words, tailAt, this.#tail);
    if (isAwaited(words, tailAwaitedAt)) this.#wake();
  }

  #putNative(record: Uint8Array): boolean {
    const { id, number, words, tailAt, tailAwaitedAt } = this.ring;
    const code = writeOut(() => {
      out.bytes.set(record);
      return pipePut(id, number, record.length / unitBytes);
    });
    if (code === QueueResult.waits) return false;
    if (code !== QueueResult.done) throw damaged();
    this.#tail = Atomics.load(words, tailAt);
    if (isAwaited(words, tailAwaitedAt)) this.#wake();
    return true;
  }

  #wake(): void {
    const { id, number } = this.ring;
    native.wakePipe(id, number, false);
  }

  /** A message for later: it is as it is now. */
  pack(value: unknown, isBytes: boolean, what: string): Packed {
    beginWriting(this, what);
    const room = this.#recordBytes;
    try {
      return writeOut((writer) => {
        const end = isBytes
          ? writer.writeBytes(value as Uint8Array, out, 0, room, room)
          : writer.write(value, out, 0, room, room, '');
        if (this.#unmap !== null) throw closedInside(what);
        return pack(writer, 0, end);
      });
    } finally {
      this.#end();
    }
  }

  /** Puts what was packed; false if there is no room now. It is packed still: settle() is the caller's. */
  putPacked({ bytes }: Packed, what: string): boolean {
    if (writing !== null) throw inside(what);
    return this.#putNative(bytes);
  }
}

function beginWriting(writer: RingWriter, what: string): void {
  if (writing !== null) throw inside(what);
  writing = writer;
}

function inside(what: string): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_BUSY',
    `${what}: called by a getter of a value that is being sent; send the two one after the other`,
  );
}

function closedInside(what: string): ClosedError {
  return new ClosedError(`${what}: a getter of the value that is sent has closed this end`);
}

/**
 * One direction of a pipe, as its writer and its reader see it (native/core/pipe.h, ring.h).
 *
 * Plain messages are written and read here, straight in shared memory. Those that refer to something (shared objects, parcels)
 * go through native code, which keeps what they refer to alive.
 */
import { intBytes, isIntAt, isIntMessage, readInt, writeInt } from '../codec/int-message.js';
import { Memory, padded } from '../codec/memory.js';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { incoming, out } from '../message/buffers.js';
import { pipeGet, pipePut } from '../message/calls.js';
import { pack, type Packed, writeOut } from '../message/outgoing.js';
import { MessageReader } from '../message/reader.js';
import { headBytes, meta, recordBytesMax } from '../message/record.js';
import { MessageWriter } from '../message/writer.js';
import { native } from '../native/load.js';
import { QueueResult } from '../native/message-binding.js';

const { layout } = native;
const { offsets } = layout;
const unitBytes = 8;
/** Of the record of an integer. */
const intUnits = (headBytes + padded(intBytes)) / unitBytes;

const messages = new MessageWriter();
const reader = new MessageReader();
/** Who writes a message, and may call getters of its values meanwhile. */
let writing: RingWriter | null = null;

/**
 * A word as it is, in the order of the loads and stores around it: after a head or tail was stored, which is a full barrier on
 * x64. There a plain load does, and costs a tenth.
 */
export const load: (words: Int32Array, at: number) => number =
  process.arch === 'x64' ? (words, at) => words[at]! : (words, at) => Atomics.load(words, at);

/** Whether somebody sleeps (I2). */
const isAwaited = (words: Int32Array, at: number): boolean => load(words, at) !== 0;

/** A direction's part of the pipe's block. */
export class PipeRing {
  /** Of openRing(). */
  readonly id: number;
  readonly number: number;
  readonly words: Int32Array;
  readonly memory: Memory;
  readonly units: number;
  /** Where in `words`. */
  readonly tailAt: number;
  readonly tailAwaitedAt: number;
  readonly headAt: number;
  readonly headAwaitedAt: number;

  constructor(id: number, number: number, buffer: ArrayBuffer, ringBytes: number) {
    this.id = id;
    this.number = number;
    this.words = new Int32Array(buffer);
    this.memory = new Memory(buffer, layout.pipeBlockBytes + number * ringBytes, ringBytes);
    this.units = ringBytes / unitBytes;
    const start = offsets['PipeBlock.ring']! + number * layout.pipeRingBytes;
    this.tailAt = (start + offsets['PipeRing.tail']!) / 4;
    this.tailAwaitedAt = (start + offsets['PipeRing.tail_awaited']!) / 4;
    this.headAt = (start + offsets['PipeRing.head']!) / 4;
    this.headAwaitedAt = (start + offsets['PipeRing.head_awaited']!) / 4;
  }
}

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

export class RingReader {
  readonly ring: PipeRing;
  #head = 0;
  /** The tail as it was at the last look. */
  #tail = 0;

  constructor(ring: PipeRing) {
    this.ring = ring;
  }

  /** To be called when this environment has become the receiver. */
  begin(): void {
    const { words, tailAt, headAt } = this.ring;
    this.#head = Atomics.load(words, headAt);
    this.#tail = Atomics.load(words, tailAt);
  }

  /** What the tail must differ from for there to be a message. */
  get head(): number {
    return this.#head;
  }

  /** Whether there is a message. */
  look(): boolean {
    if (this.#tail !== this.#head) return true;
    this.#tail = Atomics.load(this.ring.words, this.ring.tailAt);
    return this.#tail !== this.#head;
  }

  /** The unit where the message in front begins. look() has said yes. */
  #front(): number {
    const { memory, units } = this.ring;
    const at = this.#head & (units - 1);
    if ((memory.ints[at * 2 + 1]! & meta.wrap) === 0) return at;
    this.#head = (this.#head + units - at) | 0;
    if (this.#tail === this.#head) throw damaged();
    return 0;
  }

  /** Whether the message in front is one of bytes, and how long. look() has said yes. */
  peek(): { isBytes: boolean; length: number } {
    const at = this.#front();
    const { ints } = this.ring.memory;
    return { isBytes: (ints[at * 2 + 1]! & meta.rawBytes) !== 0, length: ints[at * 2]! >>> 0 };
  }

  /** Takes the message in front: its value, or its bytes as a Buffer. look() has said yes. */
  take(what: string): unknown {
    const at = this.#front();
    const its = this.#unitsAt(at);
    const { ints } = this.ring.memory;
    if (
      its === intUnits &&
      ints[at * 2] === intBytes &&
      ints[at * 2 + 1] === 0 &&
      isIntAt(ints, at * 2 + 2)
    ) {
      const value = readInt(ints, at * 2 + 2);
      this.#tell((this.#head + its) | 0);
      return value;
    }
    if (its === 0) {
      this.#takeNative();
      return reader.read(incoming, 0, false, what);
    }
    try {
      return reader.read(this.ring.memory, at * unitBytes, false, what);
    } finally {
      this.#tell((this.#head + its) | 0);
    }
  }

  /** Takes the message in front, which is one of bytes and no longer than `target`, into that. How many there were. */
  takeInto(target: Uint8Array, what: string): number {
    const at = this.#front();
    const its = this.#unitsAt(at);
    if (its === 0) {
      this.#takeNative();
      return reader.readInto(incoming, 0, target, what);
    }
    try {
      return reader.readInto(this.ring.memory, at * unitBytes, target, what);
    } finally {
      this.#tell((this.#head + its) | 0);
    }
  }

  /** Passes the message in front over. look() has said yes. */
  skip(): void {
    const its = this.#unitsAt(this.#front());
    if (its > 0) {
      this.#tell((this.#head + its) | 0);
      return;
    }
    this.#takeNative();
    reader.drop(incoming, 0);
  }

  /** How long the record at a unit is; 0 if it refers to something, so that native code has to get it. */
  #unitsAt(at: number): number {
    const { memory, units } = this.ring;
    if ((memory.ints[at * 2 + 1]! & ~meta.rawBytes) !== 0) return 0;
    const its = (headBytes + padded(memory.ints[at * 2]! >>> 0)) / unitBytes;
    if (its > (this.#tail - this.#head) >>> 0 || at + its > units) throw damaged();
    return its;
  }

  #takeNative(): void {
    const { id, number, words, headAt } = this.ring;
    const code = pipeGet(id, number);
    if ((code & 7) !== QueueResult.done) throw damaged();
    this.#tell(Atomics.load(words, headAt));
  }

  /** At once: should another environment use this end after us, it must not get this message again. */
  #tell(head: number): void {
    const { words, headAt, headAwaitedAt } = this.ring;
    this.#head = head;
    Atomics.store(words, headAt, head);
    if (isAwaited(words, headAwaitedAt)) native.wakePipe(this.ring.id, this.ring.number, true);
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

function damaged(): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_DAMAGED',
    'the memory of this pipe is damaged: some process of this tree has overwritten it',
  );
}

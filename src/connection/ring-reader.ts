/** What the reader of a pipe's ring does. */
import { intBytes, isIntAt, readInt } from '../codec/int-message.js';
import { padded } from '../codec/memory.js';
import { incoming } from '../message/buffers.js';
import { pipeGet } from '../message/calls.js';
import { MessageReader } from '../message/reader.js';
import { headBytes, meta } from '../message/record.js';
import { native } from '../native/load.js';
import { QueueResult } from '../native/message-binding.js';
import { damaged, intUnits, isAwaited, type PipeRing, unitBytes } from './pipe-ring.js';

const reader = new MessageReader();

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

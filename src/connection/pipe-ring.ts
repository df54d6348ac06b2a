/**
 * One direction of a pipe (native/core/pipe.h, ring.h): where its words and its bytes lie.
 *
 * Plain messages are written (ring-writer.ts) and read (ring-reader.ts) straight in shared memory. Those that refer to something
 * (shared objects, parcels) go through native code, which keeps what they refer to alive.
 */
import { intBytes } from '../codec/int-message.js';
import { Memory, padded } from '../codec/memory.js';
import { MultiprocessingError } from '../errors.js';
import { headBytes } from '../message/record.js';
import { native } from '../native/load.js';

const { layout } = native;
const { offsets } = layout;
export const unitBytes = 8;
/** Of the record of an integer. */
export const intUnits = (headBytes + padded(intBytes)) / unitBytes;

/**
 * A word as it is, in the order of the loads and stores around it: after a head or tail was stored, which is a full barrier on
 * x64. There a plain load does, and costs a tenth.
 */
export const load: (words: Int32Array, at: number) => number =
  process.arch === 'x64' ? (words, at) => words[at]! : (words, at) => Atomics.load(words, at);

/** Whether somebody sleeps (I2). */
export const isAwaited = (words: Int32Array, at: number): boolean => load(words, at) !== 0;

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

export function damaged(): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_DAMAGED',
    'the memory of this pipe is damaged: some process of this tree has overwritten it',
  );
}

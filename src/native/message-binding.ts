/** The addon's functions for queues, pipes and parcels (native/node/queue.cc, pipe.cc, parcels.cc). */
import type { Outcome } from './arena-binding.js';

/** native/core/queue.h's QueueResult: the low three bits of what the calls below return; above them how many units moved. */
export const QueueResult = { done: 0, waits: 1, shut: 2, tooLarge: 3, damaged: 4 } as const;
export type QueueResult = (typeof QueueResult)[keyof typeof QueueResult];

export type PipeWait = [
  id: number,
  ring: number,
  head: boolean,
  value: number,
  otherEnd: number,
  header: number,
  user: number,
];

/** How a call on a queue goes on where it would have to wait. */
export const How = {
  /** The seat stands in line. */
  stands: 1,
  /** It looks some microseconds longer first. */
  spins: 2,
  /** The seat counts what its participant has taken: of a JoinableQueue. */
  counts: 4,
} as const;

export interface MessageBinding {
  /** The records to be put, and those that were got. The same buffers for good. */
  messageBuffers(): [put: ArrayBuffer, got: ArrayBuffer];

  /** Of a fresh block. */
  initQueue(ring: number, maxItems: number, maxBytes: number): void;
  /** An id for the calls below, of a queue's slot and its block, or of a pipe's block twice. Both are held until closeRing. */
  openRing(index: number, block: number): number;
  closeRing(id: number): void;
  /** Puts the records that lie in the first buffer. */
  queuePut(id: number, units: number, how?: number, seat?: number): number;
  /** Gets up to `max` messages into the second buffer. */
  queueGet(id: number, max: number, how?: number, seat?: number): number;
  queueWithdraw(id: number, seat: number): void;
  /** False: there is no message that was got and not dealt with. */
  queueDone(id: number, seat: number): boolean;
  /** The units are how many messages were lost. */
  queueJoin(id: number, how?: number, seat?: number): number;
  queueShut(id: number, discard: boolean): void;
  /** Length, maxItems, bytes, maxBytes, whether shut, the ring's bytes. */
  queueFacts(id: number): [number, number, number, number, number, number];
  queueLength(id: number): number;

  /** Of a fresh block. */
  initPipe(block: number, units: number, rings: number): void;
  /** Puts the record with references that lies in the first buffer. QueueResult, without units. */
  pipePut(id: number, ring: number, units: number): number;
  /** Gets a record that has references into the second buffer. */
  pipeGet(id: number, ring: number): number;
  /**
   * Waits until the tail, or head, of a ring is no longer `value`, or the other end is not what it was: the low half of its
   * slot's header, and its user in that direction. Blocks this thread.
   */
  waitPipe(...wait: [...PipeWait, timeoutMs: number]): Outcome;
  /** The same through onWaitDone. */
  watchPipe(...wait: PipeWait): number;
  /** The same for some microseconds. */
  spinPipe(...wait: PipeWait): boolean;
  wakePipe(id: number, ring: number, head: boolean): void;

  /** A block with these bytes: its slot. */
  createParcel(bytes: Uint8Array): number;
  /** Fills `target` with the first bytes of a parcel. */
  readParcel(slot: number, target: Uint8Array, fresh: boolean): void;
  parcelBytes(slot: number): number;
}

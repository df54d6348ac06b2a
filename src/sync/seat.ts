/** This environment's seat at a monitor (native/core/monitor.h), and the words its fast paths look at. */
import { neverFree } from '../memory/arena.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { watching } from './deadlock.js';
import type { LocalState, SyncReference } from './sync-handle.js';

const { offsets, slotBytes } = native.layout;

/** Where the fields of a monitor and a seat are, in 32-bit words of their slots. */
export const word = {
  latch: offsets['Monitor.latch']! / 4,
  waiting: offsets['Monitor.waiting']! / 4,
  field: offsets['Monitor.field']! / 4,
  hold: offsets['Seat.hold']! / 4,
} as const;
export const wordsPerSlot = slotBytes / 4;

/** What every monitor's local state has: the reference, the seat, and what must not go while something uses them. */
export abstract class SeatState implements LocalState {
  readonly reference: SyncReference;
  /** Of the addon's calls. */
  readonly index: number;
  /** Word offsets of the monitor and of our seat in `slotWords`, once there is a seat. Of slot 0 where they are elsewhere. */
  monitorAt = 0;
  seatAt = 0;
  /** The latch's byte offset while a compare-and-swap may take it, else `neverFree`. */
  fast = neverFree;
  #seat = -1;

  constructor(reference: SyncReference) {
    this.reference = reference;
    this.index = reference.slot;
  }

  /** Our seat: taken at the first use. */
  get seat(): number {
    if (this.#seat >= 0) return this.#seat;
    this.#seat = orFail('ERR_MP_MEMORY', 'a seat at a shared object cannot be had', () =>
      native.joinMonitor(this.index),
    );
    if (this.reference.named !== true) {
      this.monitorAt = this.index * wordsPerSlot;
      this.seatAt = this.#seat * wordsPerSlot;
      if (!watching) this.fast = (this.monitorAt + word.latch) * 4;
    }
    return this.#seat;
  }

  /** Where the edge of what this environment holds lies (deadlock-graph.ts); 0: nowhere. */
  protected get edgeAt(): number {
    return this.reference.named === true ? 0 : Math.max(0, this.#seat);
  }

  forked(): void {
    this.#seat = -1;
    this.monitorAt = this.seatAt = 0;
    this.fast = neverFree;
  }

  slowDown(): void {
    this.fast = neverFree;
  }

  /** Whether a guard or a request is out: the object must stay although no handle is open. */
  abstract get mustStay(): boolean;

  leave(): void {
    if (this.#seat < 0) return;
    if (this.reference.named !== true) native.leaveMonitor(this.index, this.#seat);
    this.#seat = -1;
    this.fast = neverFree;
  }

  /** Throws if a named object's memory is damaged. */
  protected failDamaged(grant: number, what: string): void {
    if (grant === 5) throw this.reference.damagedError!(what);
  }
}

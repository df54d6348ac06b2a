/**
 * The addon's surface for semaphores, readers-writer locks, conditions, barriers and events (native/node/monitors.cc, semaphore.cc, …).
 *
 * An index is that of an object, or of a named lock that is open here. A seat is what joinMonitor gave; for named ones it is
 * ignored.
 */
import type { Outcome, OwnerInfo } from './arena-binding.js';

/** native/core/monitor.h's Grant, and 5: others have damaged a named object's memory. */
export const Grant = { waits: 0, granted: 1, told: 2, damaged: 5 } as const;
export type Grant = (typeof Grant)[keyof typeof Grant];

/** native/core/barrier.h's Arrival and BarrierOutcome. */
export const Arrival = { wait: 0, collect: 1, act: 2, outside: 3, broken: 4 } as const;
export type Arrival = (typeof Arrival)[keyof typeof Arrival];
export const BarrierOutcome = { nothing: 0, arrived: 1, tripped: 2, broken: 3 } as const;
export type BarrierOutcome = (typeof BarrierOutcome)[keyof typeof BarrierOutcome];

/** What a participant has of a monitor: the halves of native/core/monitor.h's Seat::hold. */
export interface SeatFacts {
  readonly owner: OwnerInfo | null;
  readonly mine: boolean;
  /** Its participant's owner id, and what that waits for: src/sync/deadlock-graph.ts. */
  readonly id: number;
  readonly blockedOn: bigint;
  readonly low: number;
  readonly high: number;
}

export interface MonitorBinding {
  joinMonitor(index: number): number;
  leaveMonitor(index: number, seat: number): void;
  /** Of one whose latch a compare-and-swap did not free: somebody waits for it. */
  leaveLatch(index: number): void;
  /** How many wait, the kind's fields, the object's detail. */
  monitorFields(index: number): number[];
  monitorSeats(index: number): SeatFacts[];
  /** Blocks this thread until the seat's bell rings. */
  waitBell(index: number, seat: number, timeoutMs: number): Outcome;
  /** The same through onWaitDone. */
  watchBell(index: number, seat: number): number;

  initSemaphore(index: number, units: number, bound: number): void;
  semaphoreTry(index: number, seat: number): Grant;
  semaphoreEnter(index: number, seat: number, spin: boolean): Grant;
  semaphoreCollect(index: number, seat: number): Grant;
  semaphoreWithdraw(index: number, seat: number): Grant;
  /** `untold`: the unit came with news of a death that nobody has been told. */
  semaphoreRelease(index: number, seat: number, untold?: boolean): boolean;
  /** How many of the units were this participant's own; -1: too many, and nothing has happened. */
  semaphorePost(index: number, seat: number, units: number): number;
  semaphoreConsume(index: number, seat: number): void;

  rwlockTry(index: number, seat: number, write: boolean): Grant;
  rwlockEnter(index: number, seat: number, write: boolean, spin: boolean): Grant;
  rwlockCollect(index: number, seat: number): Grant;
  rwlockWithdraw(index: number, seat: number): Grant;
  rwlockRelease(index: number, seat: number, write: boolean, untold?: boolean): boolean;
  rwlockSteal(index: number, seat: number): Grant;
  rwlockStolen(index: number, seat: number): number;
  /** Marks a named one, which nobody else has open, as gone: its name is to be taken away. False: others have it. */
  rwlockRetire(index: number, seat: number): boolean;
  rwlockGone(index: number, seat: number): boolean;
  /** Rings (onWaitDone) with the seat's bell; does not keep the loop alive. */
  watchStolen(index: number, seat: number): number;

  /** One more task of this environment waits: its ticket. */
  conditionEnter(index: number, seat: number): number;
  /** How many of this environment's tasks have been notified and are not done. */
  conditionGranted(index: number, seat: number): number;
  conditionDone(index: number, seat: number, notified: boolean, oldest: number): boolean;
  conditionNotify(index: number, seat: number, n: number): number;

  /** Arrival + 8 · phase. */
  barrierArrive(index: number, seat: number): number;
  barrierTrip(index: number, seat: number, phase: number): boolean;
  /** BarrierOutcome + 4 · base + 2²² · parties. */
  barrierCollect(index: number, seat: number): number;
  barrierWithdraw(index: number, seat: number): boolean;
  /** -1: whatever the phase. */
  barrierBreak(index: number, seat: number, phase: number): void;
  barrierReset(index: number, seat: number): void;

  eventSet(index: number): boolean;
  /** After the word was changed by a compare-and-swap: wakes who sleeps. */
  eventWake(index: number): void;
  eventClear(index: number): boolean;
  /** Odd when set. */
  eventWord(index: number): number;
  waitEvent(index: number, word: number, timeoutMs: number): Outcome;
  /** Whether it was set within some microseconds. */
  spinEvent(index: number, word: number): boolean;
  /** Whether the wait keeps the event loop alive. */
  watchEvent(index: number, word: number, holdsLoop: boolean): number;
}

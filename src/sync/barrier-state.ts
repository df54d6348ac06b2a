/**
 * What one environment knows of one barrier: which of its tasks have come, and which stand outside while a phase ends.
 * What becomes of them is said by the seat (native/core/barrier.h); its tasks get their indices in the order they came in.
 */
import { BrokenBarrierError } from '../errors.js';
import { typeError } from '../native/arguments.js';
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { Arrival, BarrierOutcome } from '../native/monitor-binding.js';
import { interrupted } from './interrupted.js';
import { SeatState } from './seat.js';
import type { SyncReference } from './sync-handle.js';
import type { LaterTask } from './wait-later.js';
import { addWait, forgetWait, keepAlive, listen } from './waits.js';

export type Action = () => unknown;

/** One party of this environment. */
export interface Party {
  readonly task: LaterTask<number>;
  /** Whether it blocks its thread: then the action must not be asynchronous. */
  readonly sync: boolean;
  readonly action: (sync: boolean) => unknown;
  /** Why it fails if the barrier breaks: its own doing. */
  own?: { readonly reason: unknown };
  phase: number;
  ended: boolean;
}

export class BarrierState extends SeatState {
  readonly #inside: Party[] = [];
  readonly #outside: Party[] = [];
  #waitId = 0;

  static of(reference: SyncReference): BarrierState {
    const known = reference.local;
    if (known instanceof BarrierState) return known;
    const state = new BarrierState(reference);
    reference.local = state;
    return state;
  }

  override forked(): void {
    super.forked();
    this.#inside.length = this.#outside.length = 0;
    this.#waitId = 0;
  }

  get mustStay(): boolean {
    return this.#inside.length > 0 || this.#outside.length > 0;
  }

  /** A party comes. */
  add(party: Party): void {
    listen();
    keepAlive(1);
    this.#arrive(party);
    this.#watch();
  }

  /** The party gives up: the barrier breaks, for all. */
  giveUp(party: Party, reason: unknown): void {
    this.#collect();
    if (party.ended) return;
    party.own = { reason };
    const outside = this.#outside.indexOf(party);
    if (outside >= 0) {
      this.#outside.splice(outside, 1);
      this.break();
      this.#fail(party);
      return;
    }
    native.barrierBreak(this.index, this.seat, party.phase);
    this.#collect();
  }

  /** Waits for the party's end, blocking this thread. */
  waitSync(party: Party, timeoutMs: number, what: string): void {
    this.#arrive(party); // nobody else needs to look at the bell, nor keep the loop alive, while we block
    const end = performance.now() + timeoutMs;
    while (!party.ended) {
      const outcome = native.waitBell(this.index, this.seat, Math.max(0, end - performance.now()));
      this.#collect();
      if (outcome === Outcome.acquired) continue;
      if (outcome === Outcome.interrupted) this.giveUp(party, interrupted(what));
      else this.giveUp(party, timedOutError(what, timeoutMs));
    }
  }

  break(): void {
    native.barrierBreak(this.index, this.seat, -1);
    this.#collect();
  }

  reset(): void {
    native.barrierReset(this.index, this.seat);
    this.#collect();
  }

  failRequests(handle: object, reason: () => unknown): void {
    this.#collect();
    const leaving = [...this.#outside, ...this.#inside].filter(({ task }) => task.handle === handle);
    for (const party of leaving) party.own = { reason: reason() };
    for (const party of leaving) {
      if (party.ended) continue;
      const at = this.#outside.indexOf(party);
      if (at >= 0) {
        this.#outside.splice(at, 1);
        this.#fail(party);
      } else if (native.barrierWithdraw(this.index, this.seat)) {
        this.#inside.splice(this.#inside.indexOf(party), 1);
        this.#fail(party);
      } else {
        this.break(); // it runs the action, or all have come: it cannot go as if it had not been there
      }
    }
  }

  #arrive(party: Party): void {
    if (this.mustStay) this.#collect(); // what a seat says is about those that have come
    const arrived = native.barrierArrive(this.index, this.seat);
    const arrival = arrived & 7;
    party.phase = Math.floor(arrived / 8);
    if (arrival === Arrival.broken) {
      this.#fail(party);
      return;
    }
    if (arrival === Arrival.outside) {
      this.#outside.push(party);
      return;
    }
    this.#inside.push(party);
    if (arrival === Arrival.collect) this.#collect();
    if (arrival === Arrival.act) this.#act(party);
  }

  /** The last one to come runs the action; then all go. */
  #act(party: Party): void {
    // Who has ended meanwhile may have been the last use of the object: its index may be another one's by now.
    const trip = (): void => {
      if (party.ended) return;
      native.barrierTrip(this.index, this.seat, party.phase); // false: broken meanwhile, as we shall see
      this.#collect();
    };
    const failed = (reason: unknown): void => {
      if (party.ended) return;
      party.own = { reason };
      native.barrierBreak(this.index, this.seat, party.phase);
      this.#collect();
    };
    let result: unknown;
    try {
      result = party.action(party.sync);
      const later = typeof (result as PromiseLike<unknown> | undefined)?.then === 'function';
      if (later && party.sync) {
        void Promise.resolve(result).catch(() => undefined); // reported as what it is: an action that must not be async
        throw typeError('Barrier.waitSync(): the action must not be async: this thread blocks meanwhile');
      }
      if (!later) {
        trip();
        return;
      }
    } catch (error) {
      failed(error);
      return;
    }
    Promise.resolve(result).then(trip, failed);
  }

  /** Tells the tasks what has become of them, and lets those come in who stood outside. */
  #collect(): void {
    const collected = native.barrierCollect(this.index, this.seat);
    const outcome = collected & 3;
    const base = (collected / 4) & 0xfffff;
    const parties = Math.floor(collected / 2 ** 22);
    if (outcome === BarrierOutcome.tripped) {
      this.#inside.splice(0, parties).forEach((party, i) => {
        this.#end(party);
        party.task.done(base + i);
      });
    } else if (outcome === BarrierOutcome.broken) {
      for (const party of this.#inside.splice(0, parties)) this.#fail(party);
    }
    for (const party of this.#outside.splice(0)) this.#arrive(party);
    if (!this.mustStay) this.#callOff();
  }

  #fail(party: Party): void {
    this.#end(party);
    party.task.fail(
      party.own === undefined
        ? new BrokenBarrierError('Barrier.wait(): the barrier is broken; reset() makes it usable again')
        : party.own.reason,
    );
  }

  #end(party: Party): void {
    party.ended = true;
    if (!party.sync) keepAlive(-1);
  }

  #watch(): void {
    if (this.#waitId !== 0 || !this.mustStay) return;
    this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
      native.watchBell(this.index, this.seat),
    );
    addWait(this.#waitId, () => {
      this.#waitId = 0;
      this.#collect();
      this.#watch();
    });
  }

  #callOff(): void {
    if (this.#waitId !== 0) {
      forgetWait(this.#waitId);
      native.cancelWait(this.#waitId);
      this.#waitId = 0;
    }
    this.reference.settle();
  }
}

export function timedOutError(what: string, timeoutMs: number): BrokenBarrierError {
  return new BrokenBarrierError(
    `${what}: not all parties came within ${timeoutMs} ms; the barrier is broken`,
  );
}

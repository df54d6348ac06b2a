/** A semaphore in this environment, and its guards. */
import { cas, me, slotWords } from '../memory/arena.js';
import { native } from '../native/load.js';
import type { Grant } from '../native/monitor-binding.js';
import { word } from './seat.js';
import { SeatLine } from './seat-line.js';
import type { SyncReference } from './sync-handle.js';

const unitsMask = (1 << 30) - 1;
const available = word.field;
const died = word.field + 2;

export class SemaphoreState extends SeatLine<null> {
  /** The guards that are out, the latest last. */
  readonly guards: SemaphoreGuard[] = [];
  protected readonly className = 'Semaphore';

  /** The state of a semaphore in this environment. */
  static of(reference: SyncReference): SemaphoreState {
    const known = reference.local;
    if (known instanceof SemaphoreState) return known;
    const state = new SemaphoreState(reference);
    reference.local = state;
    return state;
  }

  protected readonly oneIsEnough = false;

  protected get guardsOut(): number {
    return this.guards.length;
  }

  get mustStay(): boolean {
    return this.guards.length > 0 || this.queued > 0;
  }

  /** One compare-and-swap takes the latch, one gives it back: a unit that is free, when nobody waits or has died. */
  takeFast(): boolean {
    if (cas(this.fast, 0, me) !== 0) return false;
    const at = this.monitorAt;
    const units = slotWords[at + available]!;
    const free = units > 0 && slotWords[at + word.waiting] === 0 && slotWords[at + died] === 0;
    if (free) {
      slotWords[this.seatAt + word.hold]!++; // first: the sum follows from it (M2)
      slotWords[at + available] = units - 1;
    }
    if (cas(this.fast, me, 0) !== me) native.leaveLatch(this.index);
    return free;
  }

  /** Gives one of our units back. False: others have done so meanwhile. */
  releaseUnit(): boolean {
    if (cas(this.fast, 0, me) !== 0) return native.semaphoreRelease(this.index, this.seat);
    const at = this.monitorAt;
    const plain = slotWords[at + word.waiting] === 0 && (slotWords[this.seatAt + word.hold]! & unitsMask) > 0;
    if (plain) {
      slotWords[this.seatAt + word.hold]!--;
      slotWords[at + available]!++;
    }
    if (cas(this.fast, me, 0) !== me) native.leaveLatch(this.index);
    return plain || native.semaphoreRelease(this.index, this.seat);
  }

  protected override enter(_: null, spin: boolean): Grant {
    this.forgetEdge();
    return native.semaphoreEnter(this.index, this.seat, spin);
  }
  protected override tryEnter(): Grant {
    this.forgetEdge();
    return native.semaphoreTry(this.index, this.seat);
  }
  protected override collect(): Grant {
    this.forgetEdge();
    return native.semaphoreCollect(this.index, this.seat);
  }
  protected override withdraw(): Grant {
    this.forgetEdge();
    return native.semaphoreWithdraw(this.index, this.seat);
  }
  protected override giveBack(_: null, told: boolean): void {
    native.semaphoreRelease(this.index, this.seat, told);
  }
  protected override same(): boolean {
    return true;
  }

  /** A unit has become ours: a guard for it, or none if it is to be consumed. */
  guard(abandoned: boolean, owned: boolean): SemaphoreGuard {
    if (owned) {
      const guard = new SemaphoreGuard(this, abandoned);
      this.guards.push(guard);
      return guard;
    }
    native.semaphoreConsume(this.index, this.seat);
    this.settleSoon();
    return new SemaphoreGuard(null, abandoned);
  }

  release(guard: SemaphoreGuard): void {
    const { guards } = this;
    if (guards[guards.length - 1] === guard) guards.pop();
    else guards.splice(guards.indexOf(guard), 1);
    this.releaseUnit();
    if (guards.length === 0) this.settleSoon();
  }
}

/**
 * One unit of a semaphore. Give it back once, by `release()` or `using`; again is harmless. If its holder dies, it comes
 * back by itself. A guard that is dropped stays held.
 */
export class SemaphoreGuard implements Disposable {
  #state: SemaphoreState | null;
  /** True if a holder died with a unit: check what it was for before trusting it. */
  readonly abandoned: boolean;

  /** @internal null: of a unit that was consumed. */
  constructor(state: SemaphoreState | null, abandoned: boolean) {
    this.#state = state;
    this.abandoned = abandoned;
  }

  /** Gives the unit back; the one that has waited longest gets it. Does not block. */
  release(): void {
    const state = this.#state;
    this.#state = null;
    state?.release(this);
  }

  /** @internal */
  get out(): boolean {
    return this.#state !== null;
  }

  /** @internal The unit has been given back otherwise. */
  void(): void {
    this.#state = null;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** A semaphore in this environment, and its guards. */
import { cas, me, slotWords } from '../memory/arena.js';
import { native } from '../native/load.js';
import type { Grant } from '../native/monitor-binding.js';
import { word } from './seat.js';
import { SeatLine } from './seat-line.js';
import type { SyncReference } from './sync-handle.js';

const unitsMask = (1 << 30) - 1;
/** Constants of this module, so that V8 compiles them as such. */
const { waiting, hold } = word;
const available = word.field;
const died = word.field + 2;

export class SemaphoreState extends SeatLine<null> {
  /** The numbers of the guards that are out, the latest last: numbers cost no write barrier. */
  readonly guards: number[] = [];
  #lastGuard = 0;
  protected readonly className = 'Semaphore';

  /** The state of a semaphore in this environment. */
  static of(reference: SyncReference): SemaphoreState {
    const known = reference.local;
    if (known instanceof SemaphoreState) return known;
    const state = new SemaphoreState(reference);
    reference.local = state;
    return state;
  }

  override forked(): void {
    super.forked();
    this.guards.length = 0;
  }

  protected readonly oneIsEnough = false;

  protected get guardsOut(): number {
    return this.guards.length;
  }

  get mustStay(): boolean {
    this.closing = true;
    return this.guards.length > 0 || this.queued > 0;
  }

  /** One compare-and-swap takes the latch, one gives it back: a unit that is free, when nobody waits or has died. */
  takeFast(): boolean {
    const self = me;
    if (cas(this.fast, 0, self) !== 0) return false;
    const at = this.monitorAt;
    const words = slotWords; // one look at the binding
    const units = words[at + available]!;
    const free = units > 0 && words[at + waiting] === 0 && words[at + died] === 0;
    if (free) {
      words[this.seatAt + hold]!++; // first: the sum follows from it (M2)
      words[at + available] = units - 1;
    }
    if (cas(this.fast, self, 0) !== self) native.leaveLatch(this.index);
    return free;
  }

  /** Gives one of our units back. False: others have done so meanwhile. */
  releaseUnit(): boolean {
    const self = me;
    if (cas(this.fast, 0, self) !== 0) return native.semaphoreRelease(this.index, this.seat);
    const at = this.monitorAt;
    const words = slotWords;
    const plain = words[at + waiting] === 0 && (words[this.seatAt + hold]! & unitsMask) > 0;
    if (plain) {
      words[this.seatAt + hold]!--;
      words[at + available]!++;
    }
    if (cas(this.fast, self, 0) !== self) native.leaveLatch(this.index);
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
      const number = (this.#lastGuard = (this.#lastGuard + 1) | 0);
      this.guards.push(number);
      return new SemaphoreGuard(this, number, abandoned);
    }
    native.semaphoreConsume(this.index, this.seat);
    this.settleSoon();
    return new SemaphoreGuard(null, 0, abandoned);
  }

  /** The guard's unit, unless it has been given back otherwise. */
  release(guard: number): void {
    const { guards } = this;
    if (guards[guards.length - 1] === guard) {
      guards.pop();
    } else {
      const at = guards.lastIndexOf(guard);
      if (at < 0) return;
      guards.splice(at, 1);
    }
    this.releaseUnit();
    if (this.closing) this.settleSoon();
  }
}

/**
 * One unit of a semaphore. Give it back once, by `release()` or `using`; again is harmless. If its holder dies, it comes
 * back by itself. A guard that is dropped stays held.
 */
export class SemaphoreGuard implements Disposable {
  #state: SemaphoreState | null;
  readonly #number: number;
  /** True if a holder died with a unit: check what it was for before trusting it. */
  readonly abandoned: boolean;

  /** @internal null: of a unit that was consumed. */
  constructor(state: SemaphoreState | null, number: number, abandoned: boolean) {
    this.#state = state;
    this.#number = number;
    this.abandoned = abandoned;
  }

  /** @internal Whether the unit is still its own. */
  get out(): boolean {
    return this.#state?.guards.includes(this.#number) === true;
  }

  /** Gives the unit back; the one that has waited longest gets it. Does not block. */
  release(): void {
    const state = this.#state;
    this.#state = null;
    state?.release(this.#number);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

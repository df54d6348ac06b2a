/**
 * What one environment knows of one lock: whether it holds it, for whom, and which of its tasks wait.
 *
 * The shared word knows environments only (native/core/lock.h); among the tasks of one environment this file decides.
 * All handles of a lock in an environment share one LockState.
 *
 *   fast      the word's byte offset while a bare compare-and-swap may decide, else `neverFree`
 *   ticket    not 0: this environment took the lock and has not given it back (somebody else may have, by release()).
 *             Another one each time, so a guard is good for its own acquisition only
 *   queue     asynchronous requests, oldest first; only the first is known to a native waiter thread (`waitId`)
 *
 * S1  While `waitId` is set a waiter thread may own the lock on our behalf, so `fast` is `neverFree` and every other
 *     attempt of this environment first calls the thread off.
 * S2  A ticket excludes `waitId`: who waits behind our own guard waits here, not in the word. Should another
 *     environment release our lock, nothing wakes us: while somebody waits so, a timer looks (`#look`).
 */
import { DeadlockError } from '../errors.js';
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { cas, me, neverFree, slotWords } from '../memory/arena.js';
import type { LocalState, SyncReference } from './sync-handle.js';
import { BlockingWait, clearEdge, deadlockError, type Holder, watching } from './deadlock.js';
import type { Task } from './deadlock-tasks.js';
import { contention, outcomeOf, tellContention } from './diagnostics.js';
import { addWait, forgetWait, keepAlive, listen } from './waits.js';
import type { Line, Request } from './acquire-later.js';
import { interrupted } from './interrupted.js';
import { describeOwner, type Owner, toOwner } from './owner.js';

const { ownerMask, abandonedOwner } = native.layout;

/** The lock behind a state. */
export interface LockReference extends SyncReference {
  /** The byte offset of its word; `neverFree` if that is not in the arena. */
  readonly lockOffset: number;
}

/** What is needed to get a lock back as it was. */
export interface Suspended {
  readonly ticket: number;
  /** Of an RLock. */
  readonly depth: number;
  readonly holder: Holder | undefined;
}

const lockOutcomes = {
  [Outcome.acquired]: 'acquired',
  [Outcome.abandoned]: 'abandoned',
  [Outcome.timedOut]: 'timeout',
  [Outcome.interrupted]: 'interrupted',
  [Outcome.passedOn]: 'failed',
  [Outcome.damaged]: 'failed',
} as const;

export class LockState implements LocalState, Line<boolean> {
  readonly reference: LockReference;
  readonly offset: number;
  fast: number;
  ticket = 0;
  /** How deep an RLock's owner is in. */
  depth = 0;
  /** The ticket whose guards learn later that the lock was abandoned: it came back so from a condition's wait. */
  told = 0;
  #lastTicket = -1;
  /** Whether release() has more to do than to give the word back. */
  busy = false;
  readonly #queue: Request<boolean>[] = [];
  #waitId = 0;
  #looking = false;
  /** Whose the current acquisition is, while deadlocks are watched for. */
  #holder: Holder | undefined;

  private constructor(reference: LockReference) {
    this.reference = reference;
    this.offset = this.fast = reference.lockOffset;
    if (watching) this.slowDown();
  }

  forked(): void {
    this.ticket = this.depth = this.told = this.#waitId = 0;
    this.fast = watching ? neverFree : this.offset;
    this.busy = this.#looking = false;
    this.#holder = undefined;
    this.#queue.length = 0;
  }

  /** The state of a lock in this environment. */
  static of(reference: LockReference): LockState {
    const known = reference.local;
    if (known instanceof LockState) return known;
    const state = new LockState(reference);
    reference.local = state;
    return state;
  }

  /** An acquisition begins; returns its ticket. */
  take(): number {
    this.depth = 0;
    return (this.ticket = this.#lastTicket = (this.#lastTicket + 2) | 0); // odd, never 0
  }

  get held(): boolean {
    return this.ticket !== 0;
  }

  /** The current acquisition ends. */
  release(): void {
    this.ticket = 0;
    if (cas(this.offset, me, 0) !== me) native.releaseLock(this.reference.slot);
    if (this.busy) this.#afterRelease();
  }

  /** Gives the lock up, to get it back as it is now. */
  suspend(): Suspended {
    const suspended = this.#asItIs();
    this.release();
    return suspended;
  }

  /** The same, but no other task of this environment gets it: its thread is about to block. */
  suspendQuietly(): Suspended {
    const { busy } = this;
    const suspended = this.#asItIs();
    this.busy = false;
    this.release();
    this.busy = busy;
    return suspended;
  }

  #asItIs(): Suspended {
    return { ticket: this.ticket, depth: this.depth, holder: this.#holder };
  }

  /** The lock is ours again, as it was: the guards of then are good. */
  resume({ ticket, depth, holder }: Suspended, abandoned: boolean): void {
    this.ticket = ticket;
    this.#holder = holder;
    if (watching) clearEdge(this.reference.slot);
    this.depth = depth;
    if (abandoned) this.told = ticket;
  }

  slowDown(): void {
    this.fast = neverFree;
  }

  heldBy(_guard: object, holder: Holder): void {
    this.#holder = holder;
    if (this.reference.named !== true) clearEdge(this.reference.slot);
  }

  edgeSlot(tasks: readonly Task[] | null): number {
    const known = tasks === null || (this.#holder?.task != null && tasks.includes(this.#holder.task));
    return known && this.reallyHeld ? this.reference.slot : 0;
  }

  /** Whoever alive holds the lock, or null. */
  get owner(): Owner | null {
    return this.reference.named === true
      ? toOwner(native.lockOwner(this.reference.slot))
      : describeOwner(this.#ownerId);
  }

  /** Whether somebody alive holds the lock. */
  get locked(): boolean {
    return this.reference.named === true
      ? native.lockOwner(this.reference.slot) !== null
      : this.#ownerId !== 0;
  }

  /** The owner id in the word, 0 if nobody alive holds the lock. */
  get #ownerId(): number {
    const owner = Atomics.load(slotWords, this.offset >> 2) & ownerMask;
    return owner === 0 || owner === abandonedOwner || !native.ownerAlive(owner) ? 0 : owner;
  }

  /** Whether this environment's acquisition still stands: somebody else may have released it. */
  get reallyHeld(): boolean {
    if (this.held && !this.#wordIsOurs) this.ticket = 0;
    return this.held;
  }

  get #wordIsOurs(): boolean {
    return this.reference.named === true
      ? native.lockIsMine(this.reference.slot)
      : (Atomics.load(slotWords, this.offset >> 2) & ownerMask) === me;
  }

  /** Takes the lock if nobody alive holds it. */
  try(): Outcome {
    if (this.reallyHeld) return Outcome.timedOut;
    const late = this.#callOff();
    const outcome = late === Outcome.timedOut ? native.tryLock(this.reference.slot) : late;
    this.#failDamaged(outcome, 'Lock');
    if (outcome === Outcome.timedOut) this.#arm();
    return outcome;
  }

  /**
   * Waits for the lock, blocking this thread. `detect`: unless that closes a cycle of those who wait for each other.
   * @throws DeadlockError at once if this environment holds it itself: nobody could release it while we block
   */
  wait(timeoutMs: number, what: string, detect = false): Outcome {
    if (this.reallyHeld) {
      throw new DeadlockError(
        `${what}: this thread holds the lock already, so it would wait for itself for ever; release the guard first, or use an RLock`,
      );
    }
    const late = this.#callOff();
    if (late !== Outcome.timedOut) return late;
    const outcome =
      detect || contention.hasSubscribers
        ? this.#waitTold(timeoutMs, what, detect)
        : native.acquireLock(this.reference.slot, timeoutMs);
    if (outcome === Outcome.acquired || outcome === Outcome.abandoned) return outcome;
    this.#failDamaged(outcome, what);
    this.#arm();
    if (outcome === Outcome.interrupted) throw interrupted(what);
    return outcome;
  }

  /** The same as native.acquireLock(), for those who want to know of it. */
  #waitTold(timeoutMs: number, what: string, detect: boolean): Outcome {
    const { reference } = this;
    let outcome = native.tryLock(reference.slot);
    if (outcome !== Outcome.timedOut || timeoutMs === 0) return outcome;
    const since = performance.now();
    const wait = detect && reference.named !== true ? new BlockingWait(reference.slot) : null;
    try {
      if (wait?.cycle != null) throw deadlockError(what, wait.cycle);
      outcome = native.acquireLock(reference.slot, timeoutMs);
    } catch (error) {
      this.#arm();
      tellContention(reference, since, outcomeOf(error), true);
      throw error;
    } finally {
      wait?.end();
    }
    tellContention(reference, since, lockOutcomes[outcome], true);
    return outcome;
  }

  /** Queues an asynchronous request; returns a function that takes it out again (false: it has ended already). */
  enqueue(request: Request<boolean>): () => boolean {
    listen();
    this.#queue.push(request);
    this.busy = true;
    keepAlive(1);
    if (this.#queue.length === 1) this.#arm();
    return () => this.#dequeue(request);
  }

  /** Ends every request made through a handle. */
  failRequests(handle: object, reason: () => unknown): void {
    for (const request of [...this.#queue]) {
      if (request.handle === handle && this.#dequeue(request)) request.fail(reason());
    }
  }

  /** Releases what we do not hold: somebody else's, or what a waiter thread took for a task not yet told. False: free. */
  releaseAny(): boolean {
    const late = this.#callOff();
    let released = true;
    if (late === Outcome.timedOut) released = native.releaseAnyLock(this.reference.slot);
    else this.#giveBack(late);
    this.#arm();
    return released;
  }

  /** A guard or a request is out: the object must stay although no handle is open. */
  get mustStay(): boolean {
    this.busy = true;
    return this.reallyHeld || this.#queue.length > 0;
  }

  #failDamaged(outcome: Outcome, what: string): void {
    if (outcome !== Outcome.damaged) return;
    for (const request of this.#queue.splice(0)) {
      keepAlive(-1);
      request.fail(this.reference.damagedError!(what));
    }
    throw this.reference.damagedError!(what);
  }

  #afterRelease(): void {
    this.busy = this.#queue.length > 0;
    if (this.busy) this.#arm();
    else this.reference.settle();
  }

  #dequeue(request: Request<boolean>): boolean {
    const at = this.#queue.indexOf(request);
    if (at < 0) return false;
    const late = at === 0 ? this.#callOff() : Outcome.timedOut;
    this.#queue.splice(at, 1);
    keepAlive(-1);
    // The lock came together with the end of the wait: we own it by now; give it back rather than strand it.
    if (late !== Outcome.timedOut) this.#giveBack(late);
    if (this.#queue.length > 0 && !this.held) this.#arm();
    else if (this.#queue.length === 0 && !this.held) this.#afterRelease();
    return true;
  }

  /** Lets go of a lock that no task has been told of: what a dead owner left behind is news for the next one. */
  #giveBack(outcome: Outcome): void {
    if (outcome === Outcome.abandoned) native.abandonLock(this.reference.slot);
    else native.releaseLock(this.reference.slot);
  }

  /** Calls the waiter thread off. acquired or abandoned: too late, we own the lock. */
  #callOff(): Outcome {
    if (this.#waitId === 0) return Outcome.timedOut;
    const id = this.#waitId;
    forgetWait(id);
    this.#waitId = 0;
    this.fast = watching ? neverFree : this.offset;
    return native.cancelWait(id);
  }

  /** Gets the lock for the first request: at once, or by a waiter thread. */
  #arm(): void {
    while (this.#queue.length > 0 && !this.held && this.#waitId === 0) {
      const first = this.#queue[0]!;
      const outcome = native.tryLock(this.reference.slot);
      if (outcome === Outcome.damaged) {
        this.#queue.shift();
        keepAlive(-1);
        first.fail(this.reference.damagedError!('Lock.acquire()'));
        continue;
      }
      if (outcome !== Outcome.timedOut) {
        this.#grantFirst(outcome === Outcome.abandoned);
        continue;
      }
      try {
        this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits for a lock', () =>
          native.waitLock(this.reference.slot, Infinity, performance.now() - first.since),
        );
      } catch (error) {
        this.#queue.shift();
        keepAlive(-1);
        first.fail(error);
        continue;
      }
      this.fast = neverFree; // S1
      addWait(this.#waitId, (ended) => {
        this.#ended(ended);
      });
    }
    if (this.#queue.length > 0 && this.held) this.#look();
  }

  /** Notices that somebody else released the lock we hold while tasks wait behind it (S2): soon at first, then calmly. */
  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    let { ticket } = this;
    let delay = 1;
    const look = (): void => {
      if (this.#queue.length > 0 && this.reallyHeld) {
        delay = ticket === this.ticket ? Math.min(2 * delay, 64) : 1;
        ({ ticket } = this);
        setTimeout(look, delay).unref(); // who waits keeps the loop alive
        return;
      }
      this.#looking = false;
      this.#arm();
    };
    setTimeout(look, delay).unref();
  }

  #ended(outcome: Outcome): void {
    this.#waitId = 0;
    this.fast = watching ? neverFree : this.offset;
    // passedOn: our loop was busy and others waited, so the thread let them have the lock; we stand in line again.
    if (outcome === Outcome.acquired || outcome === Outcome.abandoned) {
      // A waiter thread cannot tell: give it up, and hear so from the next attempt.
      if (this.reference.named === true && !native.lockIntact(this.reference.slot))
        native.releaseLock(this.reference.slot);
      else this.#grantFirst(outcome === Outcome.abandoned);
    }
    this.#arm();
  }

  #grantFirst(abandoned: boolean): void {
    const first = this.#queue.shift();
    keepAlive(-1);
    this.busy = true;
    if (first === undefined) this.#giveBack(abandoned ? Outcome.abandoned : Outcome.acquired);
    else first.grant(abandoned);
  }
}

/**
 * How the tasks of one environment stand in line for something they get by its one seat: a semaphore's unit, a place in a
 * readers-writer lock.
 *
 *   queue     asynchronous requests, oldest first; only the first has the seat stand in line (`inLine`)
 *   waitId    the waiter thread's wait for the seat's bell, while the first is in line
 *
 * Q1  While the seat is in line nobody else of this environment uses it: who wants to calls it back first.
 * Q2  A grant that comes too late, or that nobody is told of, is given back so that the next one hears what it would have.
 */
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { Grant } from '../native/monitor-binding.js';
import type { Line, Request } from './acquire-later.js';
import { interrupted } from './interrupted.js';
import { BlockingWait, clearEdge, deadlockError, type Holder, watching } from './deadlock.js';
import type { Task } from './deadlock-tasks.js';
import { contention, outcomeOf, tellContention } from './diagnostics.js';
import { SeatState } from './seat.js';
import { addWait, forgetWait, keepAlive, listen } from './waits.js';

interface Asked<A> extends Request<boolean> {
  readonly ask: A;
}

/** A guard, and whose it is. */
interface Held {
  readonly guard: { readonly out: boolean };
  readonly holder: Holder;
}

/** A: what is asked for. */
export abstract class SeatLine<A> extends SeatState {
  readonly #queue: Asked<A>[] = [];
  #inLine = false;
  #waitId = 0;
  /** For what the seat is in line. */
  #lineAsk: A | undefined;
  /** No handle is open any more: whoever uses the object last gives it back. Set by `mustStay`, which asks for it. */
  protected closing = false;
  /** Guards that may be out, while deadlocks are watched for. */
  #held: Held[] = [];

  override forked(): void {
    super.forked();
    this.#queue.length = 0;
    this.#inLine = false;
    this.#waitId = 0;
    this.#lineAsk = undefined;
    this.#held = [];
  }

  /** Takes what is asked for, or has the seat stand in line. */
  protected abstract enter(ask: A, spin: boolean): Grant;
  protected abstract tryEnter(ask: A): Grant;
  protected abstract collect(): Grant;
  protected abstract withdraw(): Grant;
  /** Gives back what nobody has been told of. */
  protected abstract giveBack(ask: A, told: boolean): void;
  protected abstract same(a: A, b: A): boolean;
  protected abstract readonly className: string;

  /** How many guards are out. */
  protected abstract readonly guardsOut: number;
  /** Whether one guard that stays keeps others out; else all must stay for that. */
  protected abstract readonly oneIsEnough: boolean;

  heldBy(guard: { readonly out: boolean }, holder: Holder): void {
    this.#held = this.#held.filter((held) => held.guard.out);
    this.#held.push({ guard, holder });
  }

  edgeSlot(tasks: readonly Task[] | null): number {
    if (this.guardsOut === 0) return 0;
    if (tasks === null) return this.edgeAt;
    const theirs = this.#held.filter(
      ({ guard, holder }) => guard.out && holder.task !== null && tasks.includes(holder.task),
    );
    return theirs.length > 0 && (this.oneIsEnough || theirs.length === this.guardsOut) ? this.edgeAt : 0;
  }

  /** More of it may become ours now: no edge stands for all of it any more. */
  protected forgetEdge(): void {
    if (watching && !this.oneIsEnough && this.edgeAt !== 0) clearEdge(this.edgeAt);
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Takes it without waiting. */
  try(ask: A): Grant {
    const what = `${this.className}.tryAcquire()`;
    // What was granted to the seat in line is the first task's; and nobody takes anything past our own tasks.
    if (this.#inLine) this.#collectNow();
    if (this.#queue.length > 0) return Grant.waits;
    const grant = this.tryEnter(ask);
    this.failDamaged(grant, what);
    return grant;
  }

  /** Waits for it, blocking this thread. */
  wait(ask: A, timeoutMs: number, what: string, detect = false): Grant {
    const late = this.#callBack(ask);
    if (late !== Grant.waits) {
      this.#arm(); // the task for which the seat stood in line waits on
      return late;
    }
    let grant = this.enter(ask, timeoutMs > 0);
    this.failDamaged(grant, what);
    if (grant !== Grant.waits) {
      this.#arm();
      return grant;
    }
    const since = performance.now();
    const end = since + timeoutMs;
    const wait = detect && this.reference.named !== true ? new BlockingWait(this.index) : null;
    let stopped: unknown;
    try {
      if (wait?.cycle != null) {
        grant = this.withdraw();
        if (grant === Grant.waits) throw deadlockError(what, wait.cycle);
      }
      while (grant === Grant.waits) {
        const outcome = native.waitBell(this.index, this.seat, Math.max(0, end - performance.now()));
        if (outcome === Outcome.acquired) {
          grant = this.collect();
          this.failDamaged(grant, what);
          continue;
        }
        grant = this.withdraw();
        if (grant === Grant.waits && outcome === Outcome.interrupted) throw interrupted(what);
        break;
      }
    } catch (error) {
      stopped = error;
      throw error;
    } finally {
      wait?.end();
      this.#arm();
      if (contention.hasSubscribers) {
        const ended = grant === Grant.told ? 'abandoned' : grant === Grant.waits ? 'timeout' : 'acquired';
        tellContention(this.reference, since, stopped === undefined ? ended : outcomeOf(stopped), true);
      }
    }
    return grant;
  }

  line(ask: A): Line<boolean> {
    return { enqueue: (request) => this.#enqueue({ ...request, ask }) };
  }

  failRequests(handle: object, reason: () => unknown): void {
    for (const request of [...this.#queue]) {
      if (request.handle === handle && this.#dequeue(request)) request.fail(reason());
    }
  }

  #enqueue(request: Asked<A>): () => boolean {
    listen();
    this.#queue.push(request);
    keepAlive(1);
    if (this.#queue.length === 1) this.#arm();
    return () => this.#dequeue(request);
  }

  #dequeue(request: Asked<A>): boolean {
    const at = this.#queue.indexOf(request);
    if (at < 0) return false;
    if (at === 0) {
      const { ask } = request;
      const late = this.#callBack(ask);
      this.#queue.shift();
      keepAlive(-1);
      if (late === Grant.granted || late === Grant.told) this.giveBack(ask, late === Grant.told);
      this.#arm();
    } else {
      this.#queue.splice(at, 1);
      keepAlive(-1);
    }
    this.settleSoon();
    return true;
  }

  /** Takes the seat out of the line. Not `waits`: too late, it had been granted what `ask` asks for. */
  #callBack(ask: A): Grant {
    if (!this.#inLine) return Grant.waits;
    this.#forgetBell();
    this.#inLine = false;
    const late = this.withdraw();
    if (late !== Grant.granted && late !== Grant.told) return Grant.waits;
    if (this.same(ask, this.#lineAsk!)) return late;
    this.giveBack(this.#lineAsk!, late === Grant.told);
    return Grant.waits;
  }

  /** Sees to it that the first request is in line, and its bell watched. */
  #arm(): void {
    while (this.#queue.length > 0 && this.#waitId === 0) {
      const first = this.#queue[0]!;
      try {
        if (!this.#inLine) {
          const grant = this.enter(first.ask, false);
          this.failDamaged(grant, `${this.className}.acquire()`);
          if (grant !== Grant.waits) {
            this.#grantFirst(grant === Grant.told);
            continue;
          }
          this.#inLine = true;
          this.#lineAsk = first.ask;
        }
        this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
          native.watchBell(this.index, this.seat),
        );
      } catch (error) {
        if (this.#inLine) this.#giveUpLine();
        this.#queue.shift();
        keepAlive(-1);
        first.fail(error);
        continue;
      }
      addWait(this.#waitId, () => {
        this.#rung();
      });
    }
  }

  /** Looks for the grant that the bell has not told us of yet. */
  #collectNow(): void {
    const grant = this.collect();
    if (grant !== Grant.granted && grant !== Grant.told) return;
    this.#forgetBell();
    this.#inLine = false;
    this.#grantFirst(grant === Grant.told);
    this.#arm();
  }

  #forgetBell(): void {
    if (this.#waitId === 0) return;
    forgetWait(this.#waitId);
    native.cancelWait(this.#waitId);
    this.#waitId = 0;
  }

  #giveUpLine(): void {
    this.#inLine = false;
    const late = this.withdraw();
    if (late === Grant.granted || late === Grant.told) this.giveBack(this.#lineAsk!, late === Grant.told);
  }

  #rung(): void {
    this.#waitId = 0;
    const grant = this.collect();
    // waits: our loop was busy and the waiter thread let others have it; we are in line again.
    if (grant === Grant.granted || grant === Grant.told) {
      this.#inLine = false;
      this.#grantFirst(grant === Grant.told);
    } else if (grant === Grant.damaged) {
      this.#inLine = false; // the next attempt says so
    }
    this.#arm();
    this.settleSoon();
  }

  #grantFirst(told: boolean): void {
    const first = this.#queue.shift()!;
    keepAlive(-1);
    first.grant(told);
  }

  /** Gives the object back if that was the last use of it. */
  protected settleSoon(): void {
    this.reference.settle();
  }
}

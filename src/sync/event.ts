import { inspect } from 'node:util';
import { cas, Reference, slotWords } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { type Handle, registerKind } from '../transfer/handle.js';
import {
  deleteNamed,
  listNamed,
  namedEvent,
  type NamedLockOptions,
  namedOptions,
  NamedReference,
  nameOf,
  nameText,
  openNamed,
  reopenNamed,
} from './named-lock.js';
import { interrupted } from './interrupted.js';
import {
  type LocalState,
  openObject,
  type SyncAddress,
  SyncHandle,
  type SyncReference,
} from './sync-handle.js';
import { waitLater, type LaterTask } from './wait-later.js';
import { parseSyncWait, beginWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';
import { addWait, forgetWait, keepAlive, listen } from './waits.js';

const { layout } = native;
/** In 32-bit words of a slot: see native/core/event.h. */
const stateWord = layout.offsets['Slot.value']! / 4;
const sleepsWord = layout.offsets['Slot.word']! / 4;

class EventState implements LocalState {
  readonly reference: SyncReference;
  readonly index: number;
  /** Word offsets in `slotWords`; 0 for a named one, whose words are elsewhere. */
  readonly #at: number;
  readonly #sleeps: number;
  readonly #tasks = new Set<LaterTask<boolean>>();
  #waitId = 0;
  /** The word that is waited from. */
  #from = 0;

  private constructor(reference: SyncReference) {
    this.reference = reference;
    this.index = reference.slot;
    const start = reference.named === true ? 0 : (this.index * layout.slotBytes) / 4;
    this.#at = start === 0 ? 0 : start + stateWord;
    this.#sleeps = start + sleepsWord;
  }

  static of(reference: SyncReference): EventState {
    const known = reference.local;
    if (known instanceof EventState) return known;
    const state = new EventState(reference);
    reference.local = state;
    return state;
  }

  forked(): void {
    this.#tasks.clear();
    this.#waitId = 0;
  }

  get mustStay(): boolean {
    return this.#tasks.size > 0;
  }

  get word(): number {
    return this.#at === 0 ? this.#checked(native.eventWord(this.index)) : Atomics.load(slotWords, this.#at);
  }

  /** What came out of a named event's memory, unless that is damaged. */
  #checked(word: number): number {
    if (!native.lockIntact(this.index)) throw this.reference.damagedError!('Event');
    return word;
  }

  set(): void {
    if (this.#at === 0) {
      this.#checked(Number(native.eventSet(this.index)));
      return;
    }
    for (;;) {
      const w = Atomics.load(slotWords, this.#at);
      if ((w & 1) !== 0) return;
      if (cas(this.#at * 4, w, (w + 2) | 1) !== w) continue;
      const latest = Atomics.load(slotWords, this.#sleeps);
      if (((latest - (w | 1)) | 0) >= 0) native.eventWake(this.index); // E2
      return;
    }
  }

  clear(): void {
    if (this.#at === 0) {
      this.#checked(Number(native.eventClear(this.index)));
      return;
    }
    for (;;) {
      const w = Atomics.load(slotWords, this.#at);
      if ((w & 1) === 0 || cas(this.#at * 4, w, w & ~1) === w) return;
    }
  }

  waitSync(timeoutMs: number, what: string): boolean {
    const from = this.word;
    if ((from & 1) !== 0) return true;
    const outcome = native.waitEvent(this.index, from, timeoutMs);
    if (outcome === Outcome.interrupted) throw interrupted(what);
    return outcome === Outcome.acquired;
  }

  /** A task waits until the event is set. */
  add(task: LaterTask<boolean>): void {
    const from = this.word;
    if ((from & 1) !== 0) {
      task.done(true);
      return;
    }
    // All tasks of one watch wait from the same word: if it has changed, it has been set for those that were there.
    if (this.#waitId !== 0 && this.#from !== from) this.#finish();
    if (this.#waitId === 0) {
      listen();
      this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
        native.watchEvent(this.index, from, true),
      );
      this.#from = from;
      addWait(this.#waitId, () => {
        this.#waitId = 0;
        this.#finish();
      });
    }
    this.#tasks.add(task);
    keepAlive(1);
  }

  remove(task: LaterTask<boolean>): void {
    if (!this.#tasks.delete(task)) return;
    keepAlive(-1);
    if (this.#tasks.size === 0) this.#callOff();
  }

  /** The time is up: true nevertheless if it was set meanwhile, and our loop was too busy to hear of it. */
  timedOut(task: LaterTask<boolean>): void {
    if (!this.#tasks.has(task)) return;
    try {
      const set = this.word !== this.#from;
      this.remove(task);
      task.done(set);
    } catch (error) {
      this.remove(task);
      task.fail(error); // damaged
    }
  }

  failRequests(handle: object, reason: () => unknown): void {
    for (const task of [...this.#tasks]) {
      if (task.handle !== handle) continue;
      this.remove(task);
      task.fail(reason());
    }
  }

  #finish(): void {
    const tasks = [...this.#tasks];
    this.#tasks.clear();
    this.#callOff();
    for (const task of tasks) {
      keepAlive(-1);
      task.done(true);
    }
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

export interface NamedEventFacts {
  name: string;
  isSet: boolean;
}

/**
 * An event that processes and threads wait for: set or clear.
 *
 * `set()` wakes all who wait, and asks none of them: those who waited when it was set are done, even if `clear()` follows
 * at once. Nobody holds it, so no death changes it. Costs 64 bytes of shared memory and no descriptor.
 */
export class Event extends SyncHandle<EventState> {
  /** @param options with a name: as of {@link Lock} */
  constructor(options?: NamedLockOptions);
  /** @internal */
  constructor(reference: Reference | NamedReference);
  constructor(given?: unknown) {
    super(EventState.of(referenceFor(given)));
  }

  /** Takes a name away: as {@link Lock.delete}. */
  static delete(name: string): void {
    deleteNamed(namedEvent, name);
  }

  /** Those with a name that this user may read, and whether they are set. */
  static list(): NamedEventFacts[] {
    return listNamed(namedEvent, (name, { isSet }) => ({ name, isSet }));
  }

  /** The name it was opened with; null for one without. */
  get name(): string | null {
    return nameOf(this.opened('name').reference);
  }

  protected override get kindName(): string {
    return 'Event';
  }

  /** Whether it is set right now. Does not block. */
  isSet(): boolean {
    return (this.opened('isSet()').word & 1) !== 0;
  }

  /** Sets it, and wakes all who wait. Does not block. */
  set(): void {
    this.opened('set()').set();
  }

  /** Clears it. Does not block. */
  clear(): void {
    this.opened('clear()').clear();
  }

  /**
   * Waits until the event is set, without blocking the event loop, which is kept alive meanwhile. Resolves to true, or to
   * false after `timeout` milliseconds.
   * @throws the signal's reason when aborted, ClosedError after close()
   */
  async wait(options?: number | WaitOptions): Promise<boolean> {
    const state = this.opened('wait()');
    const { timeout, signal } = beginWait(options, 'Event.wait()');
    if ((state.word & 1) !== 0) return true;
    if (timeout === 0) return false;
    return waitLater<boolean>({
      handle: this,
      timeout,
      signal,
      begin(task) {
        state.add(task);
      },
      timedOut(task) {
        state.timedOut(task);
      },
      aborted(task, reason) {
        state.remove(task);
        task.fail(reason);
      },
    });
  }

  /**
   * Waits until the event is set, blocking this thread. False after `timeout` milliseconds.
   * @throws InterruptedError, or ClosedError
   */
  waitSync(options?: number | SyncWaitOptions): boolean {
    const what = 'Event.waitSync()';
    const state = this.opened('waitSync()');
    const { timeout } = parseSyncWait(options, what);
    if ((state.word & 1) !== 0) return true;
    return timeout > 0 && state.waitSync(timeout, what);
  }

  [inspect.custom](): string {
    if (this.state === null) return '<Event closed>';
    return `<Event${nameText(this.state.reference)} ${this.isSet() ? 'set' : 'clear'}>`;
  }
}

function referenceFor(given: unknown): SyncReference {
  if (given instanceof Reference || given instanceof NamedReference) return given;
  const named = namedOptions(namedEvent, given);
  return named === null ? Reference.create(layout.kindEvent, 0) : openNamed(namedEvent, named);
}

registerKind<SyncAddress>('Event', (a) => new Event(openObject(a, layout.kindEvent, 'Event')));
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedEvent',
  ({ name, id }) => new Event(reopenNamed(namedEvent, name, id)),
);

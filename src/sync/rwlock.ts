import { inspect } from 'node:util';
import { DeadlockError, TimeoutError } from '../errors.js';
import { cas, me, Reference, slotWords } from '../memory/arena.js';
import { native } from '../native/load.js';
import { Grant } from '../native/monitor-binding.js';
import { type Handle, registerKind } from '../transfer/handle.js';
import { acquireLater } from './acquire-later.js';
import {
  deleteNamed,
  listNamed,
  type NamedLockOptions,
  namedOptions,
  NamedReference,
  namedRWLock,
  nameOf,
  nameText,
  openNamed,
  reopenNamed,
} from './named-lock.js';
import { type Call, detects, took, watched, watching } from './deadlock.js';
import { type Owner, ownerText, toOwner } from './owner.js';
import { word } from './seat.js';
import { SeatLine } from './seat-line.js';
import { openObject, type SyncAddress, SyncHandle, type SyncReference } from './sync-handle.js';
import { parseSyncWait, beginWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';

export type RWMode = 'read' | 'write';

/** The fields and the seat's bits: native/core/rwlock.h. */
const { waiting, hold } = word; // constants of this module, so that V8 compiles them as such
const readers = word.field;
const writer = word.field + 1;
const died = word.field + 2;
const writesBit = 1 << 28;
const readsMask = writesBit - 1;

/** @internal A readers-writer lock in this environment. */
export class RWLockState extends SeatLine<RWMode> {
  protected readonly className = 'RWLock';
  /** Guards that are out. */
  reads = 0;
  writes = false;

  static of(reference: SyncReference): RWLockState {
    const known = reference.local;
    if (known instanceof RWLockState) return known;
    const state = new RWLockState(reference);
    reference.local = state;
    return state;
  }

  protected readonly oneIsEnough = true;

  protected get guardsOut(): number {
    return this.reads + (this.writes ? 1 : 0);
  }

  get mustStay(): boolean {
    this.closing = true;
    return this.reads > 0 || this.writes || this.queued > 0;
  }

  /** One compare-and-swap takes the latch, one gives it back: in, when there is room and nobody waits or has died. */
  takeFast(mode: RWMode): boolean {
    const self = me;
    if (cas(this.fast, 0, self) !== 0) return false;
    const at = this.monitorAt;
    const words = slotWords; // one look at the binding
    const held = this.seatAt + hold;
    let room = words[at + waiting] === 0 && words[at + writer] === 0 && words[at + died] === 0;
    if (mode === 'read') {
      if (room) {
        words[held]!++; // first: the sum follows from it (M2)
        words[at + readers]!++;
      }
    } else if ((room &&= words[at + readers] === 0)) {
      words[held]! |= writesBit;
      words[at + writer] = self;
    }
    if (cas(this.fast, self, 0) !== self) native.leaveLatch(this.index);
    return room;
  }

  /** Gives a read, or the write, back. False: it has been stolen. */
  releaseOne(mode: RWMode): boolean {
    const write = mode === 'write';
    const self = me;
    if (cas(this.fast, 0, self) !== 0) return native.rwlockRelease(this.index, this.seat, write);
    const at = this.monitorAt;
    const words = slotWords;
    const held = this.seatAt + hold;
    const ours = (words[held]! & (write ? writesBit : readsMask)) !== 0;
    const plain = ours && words[at + waiting] === 0;
    if (plain && write) {
      words[held]! &= ~writesBit;
      words[at + writer] = 0;
    } else if (plain) {
      words[held]!--;
      words[at + readers]!--;
    }
    if (cas(this.fast, self, 0) !== self) native.leaveLatch(this.index);
    return plain || native.rwlockRelease(this.index, this.seat, write);
  }

  protected override enter(mode: RWMode, spin: boolean): Grant {
    return native.rwlockEnter(this.index, this.seat, mode === 'write', spin);
  }
  protected override tryEnter(mode: RWMode): Grant {
    return native.rwlockTry(this.index, this.seat, mode === 'write');
  }
  protected override collect(): Grant {
    return native.rwlockCollect(this.index, this.seat);
  }
  protected override withdraw(): Grant {
    return native.rwlockWithdraw(this.index, this.seat);
  }
  protected override giveBack(mode: RWMode, told: boolean): void {
    native.rwlockRelease(this.index, this.seat, mode === 'write', told);
  }
  protected override same(a: RWMode, b: RWMode): boolean {
    return a === b;
  }

  /** How often this environment was stolen from (locks.request()). */
  get stolen(): number {
    return native.rwlockStolen(this.index, this.seat);
  }

  /** Takes the lock away from whoever has it. */
  steal(what: string): Grant {
    const grant = native.rwlockSteal(this.index, this.seat);
    this.failDamaged(grant, what);
    return grant;
  }

  /** Waits as `wait`, unless this very thread holds what it would wait for. */
  waitSync(mode: RWMode, timeoutMs: number, what: string, detect: boolean): Grant {
    if (this.writes || (mode === 'write' && this.reads > 0)) {
      const grant = this.try(mode);
      if (grant !== Grant.waits) return grant; // others have taken it away from us
      throw new DeadlockError(
        `${what}: this thread ${this.writes ? 'writes' : 'reads'} already, so it would wait for itself for ever; release the guard first`,
      );
    }
    return this.wait(mode, timeoutMs, what, detect);
  }

  guard(mode: RWMode, abandoned: boolean): RWGuard {
    if (mode === 'write') this.writes = true;
    else this.reads++;
    return new RWGuard(this, mode, abandoned);
  }

  release(mode: RWMode): void {
    if (mode === 'write') this.writes = false;
    else this.reads--;
    this.releaseOne(mode);
    if (this.closing) this.settleSoon();
  }
}

/** One read, or the write. Release it once, by `release()` or `using`; again is harmless. A dropped one stays held. */
export class RWGuard implements Disposable {
  #state: RWLockState | null;
  readonly mode: RWMode;
  /** True if a writer died while it wrote, and no writer has been told before: check the data before trusting it. */
  readonly abandoned: boolean;

  /** @internal */
  constructor(state: RWLockState, mode: RWMode, abandoned: boolean) {
    this.#state = state;
    this.mode = mode;
    this.abandoned = abandoned;
  }

  /** @internal */
  get out(): boolean {
    return this.#state !== null;
  }

  /** Makes room for those who wait. Does not block. */
  release(): void {
    const state = this.#state;
    this.#state = null;
    state?.release(this.mode);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

export interface NamedRWLockFacts {
  name: string;
  /** Who writes, or null. */
  writer: Owner | null;
  readers: number;
}

/**
 * A readers-writer lock between processes and threads: many readers or one writer.
 *
 * Whoever comes while somebody waits stands behind: a writer waits for those that read already, and for no later ones. So
 * a task that reads must not ask to read again: a writer that came in between would wait for it, and it for the writer.
 * A reader that dies is not counted any more. After a writer that died the next ones have `guard.abandoned === true`,
 * readers until a writer has been told. Not upgradable: release the read, then ask to write.
 *
 * ```js
 * const guard = await rw.read();
 * try { … } finally { guard.release() }
 * ```
 */
export class RWLock extends SyncHandle<RWLockState> {
  /** @param options with a name: as of {@link Lock} */
  constructor(options?: NamedLockOptions);
  /** @internal */
  constructor(reference: Reference | NamedReference);
  constructor(given?: unknown) {
    super(RWLockState.of(referenceFor(given)));
  }

  /** Takes a name away: as {@link Lock.delete}. */
  static delete(name: string): void {
    deleteNamed(namedRWLock, name);
  }

  /** Those with a name that this user may read, and who is in. */
  static list(): NamedRWLockFacts[] {
    return listNamed(namedRWLock, (name, { owner, fields }) => ({
      name,
      writer: toOwner(owner),
      readers: fields[1]!,
    }));
  }

  /** The name it was opened with; null for one without. */
  get name(): string | null {
    return nameOf(this.opened('name').reference);
  }

  protected override get kindName(): string {
    return 'RWLock';
  }

  /** How many reads are out right now. Does not block. */
  get readers(): number {
    return native.monitorFields(this.opened('readers').index)[1]!;
  }

  /** Who writes right now, or null. */
  get writer(): Owner | null {
    const seats = native.monitorSeats(this.opened('writer').index);
    return toOwner(seats.find(({ low }) => (low & writesBit) !== 0)?.owner ?? null);
  }

  /** How many environments (main threads and worker threads) wait right now. */
  get waiters(): number {
    return native.monitorFields(this.opened('waiters').index)[0]!;
  }

  /**
   * Waits until it may read, without blocking the event loop, which is kept alive meanwhile.
   * @throws TimeoutError, the signal's reason, or ClosedError
   */
  read(options?: number | WaitOptions): Promise<RWGuard> {
    return this.#later('read', options);
  }

  /** The same for writing. */
  write(options?: number | WaitOptions): Promise<RWGuard> {
    return this.#later('write', options);
  }

  /**
   * Waits until it may read, blocking this thread.
   * @throws TimeoutError, InterruptedError, ClosedError; DeadlockError at once if this thread writes
   */
  readSync(options?: number | SyncWaitOptions): RWGuard {
    return this.#sync('read', options);
  }

  /** The same for writing. DeadlockError at once if this thread reads or writes. */
  writeSync(options?: number | SyncWaitOptions): RWGuard {
    return this.#sync('write', options);
  }

  /** Reads if nobody writes and nobody waits; never waits. Null: not now. (`using` of null runs unlocked!) */
  tryRead(): RWGuard | null {
    return this.#try('read');
  }

  /** Writes if nobody reads or writes, and nobody waits; never waits. Null: not now. */
  tryWrite(): RWGuard | null {
    return this.#try('write');
  }

  #later(mode: RWMode, options: number | WaitOptions | undefined): Promise<RWGuard> {
    return watching || detects(options)
      ? watched(options, (call) => this.#acquire(mode, options, call))
      : this.#acquire(mode, options, null);
  }

  async #acquire(
    mode: RWMode,
    options: number | WaitOptions | undefined,
    call: Call | null,
  ): Promise<RWGuard> {
    const what = `RWLock.${mode}()`;
    const state = this.opened(`${mode}()`);
    const { timeout, signal } = beginWait(options, what);
    if (state.queued === 0 && state.takeFast(mode)) return state.guard(mode, false);
    if (timeout === 0) {
      const grant = state.try(mode);
      if (grant === Grant.waits) throw new TimeoutError(`${what}: the lock is taken`);
      return took(state, state.guard(mode, grant === Grant.told), call);
    }
    return acquireLater({
      line: state.line(mode),
      reference: state.reference,
      call,
      handle: this,
      what,
      timeout,
      signal,
      missed: 'the lock was not to be had',
      granted: (told) => took(state, state.guard(mode, told), call),
    });
  }

  #sync(mode: RWMode, options: number | SyncWaitOptions | undefined): RWGuard {
    const state = this.opened(`${mode}Sync()`);
    if (options === undefined && state.takeFast(mode)) return state.guard(mode, false);
    const what = `RWLock.${mode}Sync()`;
    const { timeout } = parseSyncWait(options, what);
    const grant = state.waitSync(mode, timeout, what, timeout > 0 && detects(options));
    if (grant === Grant.waits)
      throw new TimeoutError(`${what}: the lock was not to be had within ${timeout} ms`);
    return took(state, state.guard(mode, grant === Grant.told));
  }

  #try(mode: RWMode): RWGuard | null {
    const state = this.opened(mode === 'read' ? 'tryRead()' : 'tryWrite()');
    if (state.takeFast(mode)) return state.guard(mode, false);
    const grant = state.try(mode);
    return grant === Grant.waits ? null : took(state, state.guard(mode, grant === Grant.told));
  }

  [inspect.custom](): string {
    if (this.state === null) return '<RWLock closed>';
    const { writer: who, readers: count, waiters } = this;
    const held = who !== null ? `writer=${ownerText(who)}` : count > 0 ? `readers=${count}` : 'free';
    return `<RWLock${nameText(this.state.reference)} ${held}${waiters === 0 ? '' : ` waiters=${waiters}`}>`;
  }
}

function referenceFor(given: unknown): SyncReference {
  if (given instanceof Reference || given instanceof NamedReference) return given;
  const named = namedOptions(namedRWLock, given);
  return named === null ? Reference.create(native.layout.kindRWLock, 0) : openNamed(namedRWLock, named);
}

registerKind<SyncAddress>('RWLock', (a) => new RWLock(openObject(a, native.layout.kindRWLock, 'RWLock')));
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedRWLock',
  ({ name, id }) => new RWLock(reopenNamed(namedRWLock, name, id)),
);

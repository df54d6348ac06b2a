import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { damaged, Reference } from '../memory/arena.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { type FunctionRef, referenceTo } from '../transfer/function-ref.js';
import { functionIn, resolveFunction } from '../transfer/function-resolve.js';
import { type Handle, registerKind, toHandle } from '../transfer/handle.js';
import { type Action, BarrierState, type Party, timedOutError } from './barrier-state.js';
import { openObject, type SyncAddress, SyncHandle } from './sync-handle.js';
import { waitLater } from './wait-later.js';
import { parseSyncWait, parseWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';

/** native/core/barrier.h: the most parties, and the bit of the detail that says there is an action. */
const partiesMax = 2 ** 20 - 1;
const acts = 2 ** 31;
const modeField = 3;
const brokenMode = 4;

export interface BarrierOptions {
  /**
   * Called by one of the parties, whichever comes last, when all have come and before any goes. May be async. To travel to
   * another process it has to be a function that a module exports.
   */
  action?: (() => unknown) | undefined;
  /** Milliseconds that `wait()` waits by default; Infinity unless given. */
  timeout?: number | undefined;
}

interface BarrierAddress extends SyncAddress {
  readonly action: FunctionRef | null;
  /** null: Infinity, which JSON (process.send) does not know. */
  readonly timeout: number | null;
}

/**
 * A barrier: so many parties wait for each other; when all have come, all go on, each with an index of its own.
 *
 * Then it is as new, for the next round. A party that dies while it waits is not counted: another one may come in its
 * place (a timeout is what ends the wait if none does). If the one that runs the action dies, the barrier is broken. Costs
 * 64 bytes of shared memory, 64 more for each thread that uses it, and no descriptor.
 */
export class Barrier extends SyncHandle<BarrierState> {
  readonly #timeout: number;
  readonly #action: Action | FunctionRef | null;

  /** @param parties how many have to come: 1 to 1,048,575 */
  constructor(parties: number, options?: BarrierOptions);
  /** @internal */
  constructor(reference: Reference, address: BarrierAddress);
  constructor(given: unknown, options: unknown = {}) {
    if (given instanceof Reference) {
      super(BarrierState.of(given));
      const { action, timeout } = options as BarrierAddress;
      this.#action = action;
      this.#timeout = timeout ?? Infinity;
      return;
    }
    const what = 'new Barrier()';
    if (typeof given !== 'number')
      throw typeError(`${what}: expects a number of parties, not ${show(given)}`);
    if (!Number.isInteger(given) || given < 1 || given > partiesMax)
      throw rangeError(`${what}: expects a whole number of parties from 1 to ${partiesMax}, not ${given}`);
    if (typeof options !== 'object' || options === null)
      throw typeError(`${what}: expects { action, timeout }, not ${show(options)}`);
    const { action = null, timeout } = options as BarrierOptions;
    if (action !== null && typeof action !== 'function')
      throw typeError(`${what}: action must be a function, not ${show(action)}`);
    const wait = parseWait(timeout, what);
    super(
      BarrierState.of(Reference.create(native.layout.kindBarrier, action === null ? given : given + acts)),
    );
    this.#action = action;
    this.#timeout = wait.timeout;
  }

  protected override get kindName(): string {
    return 'Barrier';
  }

  /** How many have to come. */
  get parties(): number {
    return native.monitorFields(this.opened('parties').index)[7]! % acts;
  }

  /** How many have come and wait right now. Does not block. */
  get nWaiting(): number {
    return native.monitorFields(this.opened('nWaiting').index)[1]!;
  }

  /** Whether it is broken: by a timeout, an abort, an action that failed, or abort(). */
  get broken(): boolean {
    return native.monitorFields(this.opened('broken').index)[modeField] === brokenMode;
  }

  /**
   * Waits until all parties have come, without blocking the event loop. Resolves to this party's index, 0 to parties - 1.
   * @throws BrokenBarrierError if the barrier is or gets broken: by a timeout or an aborted signal of any party, by abort()
   * or reset(), by an action that fails; that action's error, to the party that ran it; the signal's reason; ClosedError
   */
  async wait(options?: number | WaitOptions): Promise<number> {
    const what = 'Barrier.wait()';
    const state = this.opened('wait()');
    const { timeout, signal } = this.#withDefault(parseWait(options, what), options);
    signal?.throwIfAborted();
    let party: Party;
    return waitLater<number>({
      handle: this,
      timeout,
      signal,
      begin: (task) => {
        party = { task, sync: false, action: this.#act, phase: 0, ended: false };
        state.add(party);
      },
      timedOut() {
        state.giveUp(party, timedOutError(what, timeout));
      },
      aborted(_, reason) {
        state.giveUp(party, reason);
      },
    });
  }

  /**
   * The same, blocking this thread; the action must not be async.
   * @throws as wait(); InterruptedError, which breaks the barrier
   */
  waitSync(options?: number | SyncWaitOptions): number {
    const what = 'Barrier.waitSync()';
    const state = this.opened('waitSync()');
    const { timeout } = this.#withDefault(parseSyncWait(options, what), options);
    let index = -1;
    let failure: { reason: unknown } | undefined;
    const task = {
      handle: this,
      done(value: number): void {
        index = value;
      },
      fail(reason: unknown): void {
        failure = { reason };
      },
    };
    state.waitSync({ task, sync: true, action: this.#act, phase: 0, ended: false }, timeout, what);

    if (failure !== undefined) throw failure.reason;
    return index;
  }

  /** Makes it as new. Those who wait get a BrokenBarrierError. Does not block. */
  reset(): void {
    this.opened('reset()').reset();
  }

  /** Breaks it, until reset(): those who wait, and those who come, get a BrokenBarrierError. Does not block. */
  abort(): void {
    this.opened('abort()').break();
  }

  override [toHandle](): Handle {
    const action = typeof this.#action === 'function' ? referenceTo(this.#action) : this.#action;
    const timeout = this.#timeout === Infinity ? null : this.#timeout;
    return { ...super[toHandle](), action, timeout } as BarrierAddress;
  }

  [inspect.custom](): string {
    if (this.state === null) return '<Barrier closed>';
    const fields = native.monitorFields(this.state.index);
    const broken = fields[modeField] === brokenMode;
    return `<Barrier ${broken ? 'broken' : `${fields[1]} of ${fields[7]! % acts} waiting`}>`;
  }

  #withDefault<W extends { timeout: number }>(wait: W, options: unknown): W {
    const given =
      typeof options === 'number' || (options as SyncWaitOptions | undefined)?.timeout !== undefined;
    return given ? wait : { ...wait, timeout: this.#timeout };
  }

  /** Runs the action here. */
  readonly #act = (sync: boolean): unknown => {
    const action = this.#action;
    if (typeof action === 'function') return action();
    if (action === null) throw damaged('Barrier');
    if (!sync) return resolveFunction(action).then((f) => (f as Action)());
    const namespace: unknown = createRequire(import.meta.url)(fileURLToPath(action.module));
    return (functionIn(namespace as Record<string, unknown>, action) as Action)();
  };
}

registerKind<BarrierAddress>('Barrier', (address) => {
  const { action, timeout } = address;
  const whole = action === null || (typeof action === 'object' && typeof action.module === 'string');
  if (!whole || (timeout !== null && !(typeof timeout === 'number' && timeout >= 0)))
    throw damaged('Barrier');
  return new Barrier(openObject(address, native.layout.kindBarrier, 'Barrier'), address);
});

/**
 * Deadlock detection: on by request (`{ detectDeadlock: true }`, detectDeadlocks(), or MULTIPROC_DETECT_DEADLOCK=1).
 *
 * While `watching`, no fast path takes anything in this environment (the words they look at are those of a lock that is
 * never free), so every acquisition comes through the slow paths, which note whose it is. A wait that is to sleep and asks
 * for detection writes the edges of everything its task holds, looks for a cycle (deadlock-graph.ts), and takes them back
 * when it ends. A wait that blocks its thread stands for all tasks of its environment.
 */
import { DeadlockError, type DeadlockStep } from '../errors.js';
import { Reference } from '../memory/arena.js';
import { show, typeError } from '../native/arguments.js';
import { type Edge, findCycle, removeEdge, writeEdge } from './deadlock-graph.js';
import {
  currentTask,
  type Delivery,
  type Task,
  unwatched,
  waitingTasks,
  watchDelivery,
  watchTasks,
} from './deadlock-tasks.js';
import { tellAbandoned } from './diagnostics.js';
import type { SyncReference } from './sync-handle.js';
export { clearEdge } from './deadlock-graph.js';
export { runBody } from './deadlock-tasks.js';

/** Whether this environment keeps book of who holds what. Once on, it stays on. */
export let watching = false;
let everyCall = false;

function watch(): void {
  if (watching) return;
  watching = true;
  watchTasks();
  for (const { local } of Reference.all()) local?.slowDown?.();
}

/** Switches detection on or off for every acquisition of this environment. */
export function detectDeadlocks(on = true): void {
  if (typeof (on as unknown) !== 'boolean')
    throw typeError(`detectDeadlocks(): expects true or false, not ${show(on)}`);
  everyCall = on;
  if (on) watch();
}
if (process.env['MULTIPROC_DETECT_DEADLOCK'] === '1') detectDeadlocks();

/** Whether a call is to look for deadlocks. */
export function detects(options: unknown): boolean {
  if (everyCall) return true;
  const asked =
    typeof options === 'object' &&
    options !== null &&
    (options as { detectDeadlock?: unknown }).detectDeadlock === true;
  if (asked) watch();
  return asked;
}

/** Who holds a guard, as far as that is known. */
export interface Holder {
  readonly task: Task | null;
}

/** What a lock's, semaphore's or readers-writer lock's local state does for detection. */
export interface Holding<G> {
  readonly reference: SyncReference;
  /** A guard was given out. */
  heldBy(guard: G, holder: Holder): void;
}

/** Notes a guard that came on a slow path. `call`: of an asynchronous acquisition. */
export function took<G extends { readonly abandoned: boolean }>(
  state: Holding<NoInfer<G>>,
  guard: G,
  call?: Call | null,
): G {
  if (watching) state.heldBy(guard, call ?? { task: currentTask() });
  if (guard.abandoned) tellAbandoned(state.reference, call === undefined);
  return guard;
}

function publish(target: number, tasks: readonly Task[] | null): Edge[] {
  const written: Edge[] = [];
  for (const { local } of Reference.all()) {
    const slot = local?.edgeSlot?.(tasks) ?? 0;
    if (slot !== 0) written.push(writeEdge(slot, target));
  }
  return written;
}

export function deadlockError(what: string, cycle: readonly DeadlockStep[]): DeadlockError {
  const who = ({ owner: { name, pid, thread } }: DeadlockStep): string =>
    `${name}${thread === 0 ? '' : ` thread ${thread}`} (pid ${pid})`;
  const chain = cycle.map((s) => `${who(s)} holds and waits for ${s.waitsFor}`).slice(1);
  const first = cycle[0]!;
  const text = [`${who(first)} holds ${first.holds} and waits for ${first.waitsFor}`, ...chain].join(
    ', which ',
  );
  return new DeadlockError(
    `${what}: deadlock: ${text}; take them in one order everywhere, or give up what you hold first`,
    cycle,
  );
}

/** A wait that blocks this thread: nothing that this environment holds is given back meanwhile. */
export class BlockingWait {
  readonly #written: Edge[];
  readonly cycle: DeadlockStep[] | null;

  constructor(target: number) {
    this.#written = publish(target, null);
    this.cycle = this.#written.length === 0 ? null : findCycle(target, this.#written);
  }

  end(): void {
    for (const edge of this.#written.reverse()) removeEdge(edge, true);
  }
}

/** How an asynchronous wait is ended from outside. */
export interface Ending {
  readonly what: string;
  readonly leave: () => boolean;
  readonly fail: (reason: unknown) => void;
}

/** One asynchronous acquisition, from its call to its guard. */
export class Call implements Delivery, Holder {
  reactions = 0;
  reaction: Promise<unknown> | undefined;
  thenUsed = false;
  task: Task | null = null;
  readonly #detect: boolean;
  #target = 0;
  #ending: Ending | undefined;
  #written: Edge[] = [];
  /** Where it was called. */
  readonly #at: { stack?: string } = {};

  constructor(detect: boolean) {
    this.#detect = detect;
  }

  /** It waits from now on. */
  begins(reference: SyncReference, ending: Ending): void {
    if (!this.#detect || reference.named === true) return;
    this.#target = reference.slot;
    this.#ending = ending;
    Error.captureStackTrace(this.#at, watched);
  }

  ends(): void {
    this.#ending = undefined;
    this.#withdraw();
  }

  onAwait(): void {
    // When the stretch that awaits is over, what it stands at is known.
    if (this.#ending !== undefined) queueMicrotask(this.#look);
  }

  readonly #look = (): void => {
    const ending = this.#ending;
    this.#withdraw();
    if (ending === undefined) return;
    const tasks = waitingTasks(this);
    if (tasks.length === 0) return;
    this.#written = publish(this.#target, tasks);
    if (this.#written.length === 0) return;
    const cycle = findCycle(this.#target, this.#written);
    if (cycle === null || !ending.leave()) return;
    const error = deadlockError(ending.what, cycle);
    error.stack = `${error.name}: ${error.message}${(this.#at.stack ?? '').replace(/^.*/, '')}`;
    ending.fail(error);
  };

  #withdraw(): void {
    for (const edge of this.#written) removeEdge(edge, false);
    this.#written = [];
  }
}

/** Makes an asynchronous acquisition whose guard is attributed to whoever awaits it. */
export function watched<T>(options: unknown, run: (call: Call) => Promise<T>): Promise<T> {
  const call = new Call(detects(options));
  const promise = unwatched(() => run(call));
  watchDelivery(promise, call);
  return promise;
}

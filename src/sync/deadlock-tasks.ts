/**
 * Which task holds a guard, and what that task stands at: for deadlock detection, on only while that is.
 *
 * A task is one call of an async function, from one `await` to the next. V8's promise hooks do not name tasks; but while a
 * continuation runs, the function it continues is the bottom of the stack, so whatever it calls is over before it stops:
 *
 *   T1  The last promise event of a continuation is the await at which its function stops. If the function has ended, the
 *       last event is that its promise was settled.
 *   T2  A guard belongs to the task whose await is the one reaction on the promise that delivered it. `then` on such a
 *       promise is noticed by a property of its own, which await does not look at; who used it is not known.
 *   T3  A call that a task awaits is known (its task's `awaitedBy`) where nothing else can have come in between: the body of
 *       runExclusive(), whose first stretch we run ourselves; and a call that was the only one to make a promise in the
 *       stretch, stopped at a promise of ours, and was awaited at once.
 *
 * What is not known is taken to be able to go on: no alarm comes of it. All maps are weak, keyed by promises.
 */
import { promiseHooks } from 'node:v8';

type Any = Promise<unknown>;

export class Task {
  /** The await it stands at; undefined while it runs and when it has ended. */
  standsAt: Any | undefined;
  /** The reactions on the promise of its call; empty where that promise is not known. */
  readonly awaitedBy = new Set<Any>();
}

/** A promise that brings a guard. */
export interface Delivery {
  /** Its reactions; of the first one the promise. */
  reactions: number;
  reaction: Any | undefined;
  /** Somebody called `then`, `catch`, or handed it to Promise.all() and the like. */
  thenUsed: boolean;
  /** Whose guard it is. */
  task: Task | null;
  /** Somebody awaits it. */
  onAwait(): void;
}

type Event = { readonly promise: Any } & (
  { readonly kind: 'opened' | 'settled' } | { readonly kind: 'awaited'; readonly on: Any }
);

/** A continuation that runs. */
interface Stretch {
  readonly self: Any;
  task: Task | undefined;
  /** Promises made that are no reactions: calls of async functions, `new Promise()`. */
  opened: number;
  /** Recorded for a task. */
  readonly events: Event[];
}

const deliveries = new WeakMap<Any, Delivery>();
const deliveredTo = new WeakMap<Any, Delivery>();
/** By the await it stands at. */
const tasks = new WeakMap<Any, Task>();
const callOf = new WeakMap<Any, Task>();
const awaitsCall = new WeakMap<Any, Task>();
const stretches: Stretch[] = [];
let muted = 0;

export function watchTasks(): void {
  promiseHooks.createHook({ init, before, after, settled });
}

function init(promise: Any, on: Any | undefined): void {
  if (muted > 0) return;
  const stretch = stretches.at(-1);
  if (on === undefined) {
    if (stretch === undefined) return;
    stretch.opened++;
    if (stretch.task !== undefined) stretch.events.push({ kind: 'opened', promise });
    return;
  }
  if (stretch?.task !== undefined) stretch.events.push({ kind: 'awaited', promise, on });
  const delivery = deliveries.get(on);
  if (delivery !== undefined) {
    delivery.reactions++;
    delivery.reaction ??= promise;
    deliveredTo.set(promise, delivery);
    delivery.onAwait();
    return;
  }
  const call = callOf.get(on);
  if (call !== undefined) {
    call.awaitedBy.add(promise);
    awaitsCall.set(promise, call);
  }
}

function before(promise: Any): void {
  let task = tasks.get(promise);
  const delivery = deliveredTo.get(promise);
  if (delivery !== undefined && isAwaited(delivery)) {
    task ??= taskAt(promise);
    delivery.task = task;
  }
  if (task !== undefined) task.standsAt = undefined;
  stretches.push({ self: promise, task, opened: 0, events: [] });
}

function after(promise: Any): void {
  const stretch = stretches.pop();
  if (stretch?.self !== promise || stretch.task === undefined) return;
  const { events, task } = stretch;
  const last = events.at(-1);
  if (last?.kind !== 'awaited') return; // T1: it has ended
  stand(task, last.promise);
  // T3
  const [opened, stopped] = events.slice(-3);
  if (events.length < 3 || stretch.opened !== 1) return;
  if (opened!.kind !== 'opened' || stopped!.kind !== 'awaited') return;
  const delivery = deliveries.get(stopped!.on);
  if (last.on === opened!.promise && delivery !== undefined && isAwaited(delivery))
    callStandsAt(opened!.promise, stopped!.promise).awaitedBy.add(last.promise);
}

function settled(promise: Any): void {
  // The promise that V8 makes of an awaited value is made of the call's, and settled before anything else.
  const call = awaitsCall.get(promise);
  if (call?.awaitedBy.has(promise) === true) call.awaitedBy.delete(promise);
  const stretch = stretches.at(-1);
  if (muted === 0 && stretch?.task !== undefined && promise !== stretch.self)
    stretch.events.push({ kind: 'settled', promise });
}

function stand(task: Task, at: Any): void {
  task.standsAt = at;
  tasks.set(at, task);
}

/** The task of a call that stands at an await. */
function callStandsAt(call: Any, at: Any): Task {
  const task = taskAt(at);
  callOf.set(call, task);
  return task;
}

function taskAt(reaction: Any): Task {
  let task = tasks.get(reaction);
  if (task === undefined) stand((task = new Task()), reaction);
  return task;
}

function isAwaited({ reactions, thenUsed }: Delivery): boolean {
  return reactions === 1 && !thenUsed;
}

/** Runs what makes promises of its own that are none of the caller's. */
export function unwatched<T>(run: () => T): T {
  muted++;
  try {
    return run();
  } finally {
    muted--;
  }
}

/** From now on we hear who awaits a promise. */
export function watchDelivery(promise: Any, delivery: Delivery): void {
  deliveries.set(promise, delivery);
  Reflect.defineProperty(promise, 'then', {
    configurable: true,
    writable: true,
    value(this: Any, ...args: Parameters<Any['then']>) {
      delivery.thenUsed = true;
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with `this`
      return Reflect.apply<Any, typeof args, Any>(Promise.prototype.then, this, args);
    },
  });
}

/** The task that runs, if whoever calls is that task itself and not a call of it that goes on by itself. */
export function currentTask(): Task | null {
  const stretch = stretches.at(-1);
  if (stretch === undefined || stretch.opened > 0) return null;
  return (stretch.task ??= new Task());
}

const asyncFunction = Object.getPrototypeOf(async () => {
  await Promise.resolve();
}) as object;

/** Calls a body that the running task awaits afterwards (T3). */
export function runBody<G, T>(body: (guard: G) => T | PromiseLike<T>, guard: G): T | PromiseLike<T> {
  const stretch = stretches.at(-1);
  if (stretch?.task === undefined || Object.getPrototypeOf(body) !== asyncFunction) return body(guard);
  const from = stretch.events.length;
  const call = body(guard) as Any;
  const last = stretch.events.at(-1);
  if (stretch.events.length > from && last?.kind === 'awaited') callStandsAt(call, last.promise);
  return call as PromiseLike<T>;
}

/** The task that awaits a delivery, the task that awaits that one, and so on. Empty: not known. */
export function waitingTasks(delivery: Delivery): Task[] {
  const found: Task[] = [];
  if (!isAwaited(delivery)) return found;
  for (let at = delivery.reaction; at !== undefined;) {
    const task: Task = taskAt(at);
    if (task.standsAt !== at || found.includes(task)) break;
    found.push(task);
    at = task.awaitedBy.size === 1 ? [...task.awaitedBy][0] : undefined;
  }
  return found;
}

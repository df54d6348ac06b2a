/**
 * What hands a pool's tasks to its workers, and takes their results.
 *
 *   call ──▶ a worker's ring, if one has room ──▶ worker ──▶ its other ring, doorbell ──▶ pump ──▶ promise
 *        └─▶ backlog ──(pump, when there is room)──┘
 *
 * D1  Nothing here blocks, but a spin of some microseconds when nothing has come and somebody waits.
 * D2  A task is in one place: the backlog, one worker's ring, or ended. A worker's death, and a steal, take it back from the
 *     ring (pool_board.h, P1) with the bytes that it was put with.
 * D3  A task ends once, for its caller; its worker may be at it still (`abort`).
 */
import { ProcessError, WorkerDiedError } from '../errors.js';
import { longestTimer } from '../sync/at-deadline.js';
import { keepAlive } from '../sync/waits.js';
import { putTogether, type Thrown } from '../transfer/error-transfer.js';
import { Backlog } from './backlog.js';
import { ResultKind } from './board.js';
import { monotonic } from './clock.js';
import { Crew, type CrewOptions, type Employer } from './crew.js';
import { taskEnded, tellTask } from './diagnostics.js';
import { Doorbell } from './doorbell.js';
import { Functions } from './functions.js';
import { type Host, terminated, type WorkerEnd, workerDied } from './host.js';
import { RunLimits } from './limits.js';
import { type Link, Undecoded, windowMax } from './link.js';
import { oomKills } from './oom.js';
import type { CheckedPoolOptions } from './options.js';
import { remoteCause } from './remote-cause.js';
import { Measures } from './stats.js';
import type { Task } from './task.js';
import type { TraceFile } from './trace.js';
import type { Saying } from './worker.js';

/** How many results are taken in one turn of the loop. */
const turnMax = 512;
/** A worker that has not answered for so long has a long task: others take over what is queued behind that. */
const stealAfterMs = 2;
export type DispatcherOptions = CrewOptions & Pick<CheckedPoolOptions, 'grace'>;

type State = 'running' | 'closing' | 'ended';

/** A call that hands in tasks one after the other. */
export interface Feeding {
  /** No task of it can be done any more. */
  stop(reason: unknown): unknown;
}

export class Dispatcher {
  readonly functions = new Functions();
  readonly measures = new Measures();
  readonly limits = new RunLimits((task, reason) => this.abort(task, reason));
  readonly #options: DispatcherOptions;
  readonly #trace: TraceFile | null;
  readonly #doorbell = new Doorbell();
  readonly #crew: Crew;
  readonly #links: readonly Link[];
  readonly #backlog = new Backlog();
  /** Tasks that were answered with what another module must be loaded for, first: no worker has to do with them any more. */
  readonly #undecoded = new Set<Task>();
  /** How many tasks have not ended for their callers. */
  #pending = 0;
  /** Calls that may hand in more tasks: the pool does not end before them. */
  readonly #feeding = new Set<Feeding>();
  #state: State = 'running';
  /** Why no task can be done any more. */
  #broken: unknown = null;
  #pump: 'idle' | 'soon' | 'listening' = 'idle';
  #stealTimer: NodeJS.Timeout | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(host: Host, options: DispatcherOptions, trace: TraceFile | null) {
    this.#options = options;
    this.#trace = trace;
    this.#crew = new Crew(host, options, this.#employer());
    this.#links = this.#crew.links;
    try {
      this.#crew.fill();
    } catch (error) {
      this.terminate();
      throw error;
    }
    this.#listen();
  }

  #employer(): Employer {
    return {
      doorbell: this.#doorbell.event,
      measures: this.measures,
      pending: () => this.#pending,
      state: () => this.#state,
      broken: () => this.#broken,
      isFinishing: () => this.#isFinishing,
      ended: (link, end) => {
        this.#ended(link, end);
      },
      takeBack: (tasks) => {
        this.#backlog.unshift(tasks);
      },
      break: (error) => {
        this.#break(error);
      },
      changed: () => {
        this.#pumpSoon();
      },
    };
  }

  get state(): State {
    return this.#state;
  }
  get broken(): unknown {
    return this.#broken;
  }
  get pending(): number {
    return this.#pending;
  }
  get links(): readonly Link[] {
    return this.#links;
  }
  get host(): Host {
    return this.#crew.host;
  }
  get size(): number {
    return this.#crew.most;
  }
  get running(): number {
    let running = this.#undecoded.size;
    for (const { outstanding } of this.#links) running += Math.min(outstanding, this.#options.concurrency);
    return running;
  }
  /** How many tasks the workers may be given at once. */
  get room(): number {
    let room = 0;
    for (const link of this.#links) if (link.accepts) room += link.window;
    return room;
  }
  get concurrency(): number {
    return this.#options.concurrency;
  }

  /** Hands a task in. Its arguments are taken as they are now. Never throws: what is wrong with them is the task's error. */
  submit(task: Task, value: unknown, rootName: string): void {
    if (this.#broken !== null) {
      task.threw(this.#broken);
      return;
    }
    this.#pending++;
    this.measures.submitted(task);
    if (taskEnded.hasSubscribers) tellTask(task);
    try {
      // One for a certain worker waits for no others: that worker may not be there when its turn comes.
      const waits = this.#backlog.length > 0 && task.only === null;
      if (waits || !this.#offer(task, value, rootName)) {
        this.#backlog.push(task, value, rootName);
        this.#crew.grow();
      }
    } catch (error) {
      this.#fail(task, error);
      return;
    }
    this.#pumpSoon();
  }

  /** Keeps the pool open for a call until let go, or stops it at once. */
  hold(call: Feeding): void {
    if (this.#broken !== null) call.stop(this.#broken);
    else if (this.#state === 'ended') call.stop(terminated(this.host.poolName));
    else this.#feeding.add(call);
  }

  letGo(call: Feeding): void {
    if (this.#feeding.delete(call) && this.#state === 'closing') this.#pumpSoon();
  }

  #offer(task: Task, value: unknown, rootName: string): boolean {
    const link = this.#pick(task);
    return link?.offer(task, value, rootName) === true;
  }

  /** The first worker that has nothing to do, which is one that has just been busy; else the one with the fewest tasks. */
  #pick({ only }: Task): Link | null {
    if (only !== null) return !only.isLeaving && only.outstanding < windowMax ? only : null;
    let best: Link | null = null;
    let fewest = Infinity;
    for (const link of this.#links) {
      const { outstanding } = link;
      if (outstanding >= fewest || outstanding >= link.window || !link.accepts) continue;
      if (outstanding === 0) return link;
      best = link;
      fewest = outstanding;
    }
    return best;
  }

  /** Tells what a task has come to. */
  #return(task: Task, value: unknown): void {
    this.#leave(task);
    task.returned(value);
    task.letGo();
  }

  #fail(task: Task, error: unknown): void {
    this.#leave(task);
    task.threw(error);
    task.letGo();
  }

  #leave(task: Task): void {
    if (task.isEnded) return;
    if (this.#undecoded.size > 0) this.#undecoded.delete(task);
    this.measures.ended(task);
    this.#pending--;
  }

  /**
   * Ends a task for its caller, with `reason`. One that nobody has started is dropped; one that runs hears its signal, and if it
   * goes on past the grace its worker is replaced. False: it has ended.
   */
  abort(task: Task, reason: unknown, running = true): boolean {
    if (task.isEnded) return false;
    const { link } = task;
    if (link === null || link.withdraw(task)) {
      this.#fail(task, reason);
      this.#pumpSoon();
      return true;
    }
    if (!running) return false;
    link.abort(task, textOf(reason));
    this.#leave(task);
    task.threw(reason);
    this.#giveGrace(link, task);
    return true;
  }

  /** A worker that goes on with a task for longer than the grace, since it could know of its abort, is replaced. */
  #giveGrace(link: Link, task: Task): void {
    const left = (): number => link.toldAt(task) + this.#options.grace - performance.now();
    if (left() > longestTimer) return;
    const goesOn = (): boolean => task.link === link && !link.hasEnded;
    const look = (): void => {
      if (!goesOn()) return;
      // It may have answered, and another task runs by now.
      if (this.#takeFrom(link, windowMax) > 0) this.#pumpSoon();
      if (!goesOn()) return;
      if (left() > 0) this.#giveGrace(link, task);
      else link.kill();
    };
    setTimeout(look, Math.max(0, left())).unref();
  }

  // ---- Results -----------------------------------------------------------------------------------------------------------

  #pumpSoon(): void {
    if (this.#pump === 'soon') return;
    if (this.#pump === 'listening') this.#doorbell.ignore();
    this.#pump = 'soon';
    setImmediate(this.#run);
  }

  /** Takes what has come, and hands on what waits; if nothing has come, looks a little longer and then listens. */
  readonly #run = (): void => {
    if (this.#state === 'ended') return;
    this.#pump = 'idle';
    this.#doorbell.clear();
    let got = this.#takeAll();
    this.#handOn();
    if (got === 0 && this.#pending > 0 && this.#doorbell.spin()) {
      this.#doorbell.clear();
      got = this.#takeAll();
      this.#handOn();
    }
    this.#settle();
    if ((this.#state as State) === 'ended') return;
    if (got > 0) this.#pumpSoon();
    else this.#listen();
  };

  #listen(): void {
    if (this.#pump !== 'idle') return;
    this.#pump = 'listening';
    // A program that waits for a task lives on; an idle pool keeps none.
    this.#doorbell.listen(() => {
      this.#pump = 'soon';
      this.#run();
    }, this.#pending > 0);
    this.#stealSoon();
  }

  #takeAll(): number {
    let got = 0;
    const each = Math.max(16, Math.floor(turnMax / this.#links.length));
    for (const link of [...this.#links]) got += this.#takeFrom(link, each);
    return got;
  }

  #takeFrom(link: Link, max: number): number {
    let got = 0;
    while (got < max && link.look()) {
      got++;
      this.#took(link);
    }
    if (got === 0) return 0;
    const now = performance.now();
    // A worker that has answered half of what it may have faster than we could look is given more at once.
    if (got * 2 >= link.window && link.window < windowMax) link.window = Math.min(windowMax, link.window * 2);
    else if ((now - link.activeAt) / got > stealAfterMs) link.window = link.windowLeast;
    link.activeAt = now;
    oomKills.lookSometimes(now);
    if (link.outstanding === 0) {
      link.idleSince = now;
      if (!link.accepts) this.#crew.retire(link);
    }
    return got;
  }

  #took(link: Link): void {
    const { task, kind, times, value } = link.take();
    if (task !== null && this.#trace !== null) this.#trace.add(link, task, link.board.times(times));
    if (!(value instanceof Undecoded)) {
      this.#arrived(link, task, kind, value);
      return;
    }
    if (task !== null) {
      task.link = null;
      if (!task.isEnded) this.#undecoded.add(task);
    }
    value.promise.then(
      (decoded) => {
        this.#arrived(link, task, kind, decoded);
        this.#pumpSoon();
      },
      (error: unknown) => {
        if (task !== null) this.#fail(task, error);
        else if (kind === ResultKind.said) this.#break(error); // all that needs modules is an initializer's error
        this.#pumpSoon();
      },
    );
  }

  #arrived(link: Link, task: Task | null, kind: number, value: unknown): void {
    if (kind === ResultKind.said) {
      this.#heard(link, value as Saying);
    } else if (task === null) {
      // Its caller does not wait any more.
    } else if (kind === ResultKind.returned) {
      this.#return(task, value);
    } else {
      const { thrown } = value as { thrown: Thrown };
      this.#fail(task, rebuilt(thrown, task.fn.findClass, `${task.fn.name}()`, link));
    }
  }

  #heard(link: Link, saying: Saying): void {
    switch (saying.says) {
      case 'ready':
        this.#crew.ready(link);
        this.#wake();
        return;
      case 'retire':
        this.#crew.retire(link);
        return;
      case 'broken':
        this.#break(rebuilt(saying.thrown as Thrown, () => undefined, 'initializer', link));
    }
  }

  /** Gives what waits to workers that have room for it. */
  #handOn(): void {
    for (let task = this.#backlog.peek(); task !== null; task = this.#backlog.peek()) {
      if (!task.isEnded && task.only?.isLeaving === true) {
        this.#fail(task, goneBefore(task, task.only));
      } else if (!task.isEnded) {
        const link = this.#pick(task);
        if (link === null || !link.offerRecord(task)) break;
      }
      this.#backlog.shift();
    }
    if (this.#backlog.length > 0) this.#crew.grow();
    else this.#wake();
  }

  // ---- Long tasks --------------------------------------------------------------------------------------------------------

  /** As long as one worker has nothing to do while tasks are queued at another. */
  #stealSoon(): void {
    if (this.#stealTimer !== undefined || !this.#isUneven()) return;
    this.#stealTimer = setTimeout(() => {
      this.#stealTimer = undefined;
      this.#steal();
      this.#stealSoon();
    }, stealAfterMs);
    this.#stealTimer.unref();
  }

  #isUneven(): boolean {
    const spare = this.#links.some((l) => l.outstanding === 0 && l.accepts) || this.#crew.mayGrow;
    return spare && this.#links.some(({ outstanding }) => outstanding > this.#options.concurrency);
  }

  #steal(): void {
    const now = performance.now();
    for (const victim of this.#links) {
      if (now - victim.activeAt < stealAfterMs || victim.outstanding <= this.#options.concurrency) continue;
      if (this.#crew.mayGrow) this.#crew.grow();
      const idle = this.#links.filter((l) => l.outstanding === 0 && l.accepts);
      if (idle.length === 0) return;
      const queued = victim.outstanding - this.#options.concurrency;
      const share = Math.ceil((queued * idle.length) / (idle.length + 1));
      victim.window = victim.windowLeast;
      const tasks = victim.withdrawNewest(share);
      if (tasks.length === 0) continue;
      this.#backlog.unshift(tasks);
      this.#handOn();
    }
    this.#pumpSoon();
  }

  // ---- The end -----------------------------------------------------------------------------------------------------------

  #ended(link: Link, end: WorkerEnd): void {
    link.hasEnded = true;
    while (this.#takeFrom(link, turnMax) > 0);
    const note = this.#crew.strike(link, end);
    const { started, queued } = link.leftBehind();
    const { worker } = link;
    const now = monotonic();
    for (const task of started) {
      const { name } = task.fn;
      this.#trace?.add(link, task, [link.since(task), now]);
      const died = workerDied(worker.name, worker.pid, end, `${note}, while it ran ${name}()`, {
        id: task.number,
        name,
      });
      this.#fail(task, died);
    }
    const lost = queued.filter(({ only }) => only !== null);
    for (const task of lost)
      this.#fail(task, workerDied(worker.name, worker.pid, end, `${note}, before ${task.fn.name}() began`));
    this.#backlog.unshift(queued.filter((task) => task.only === null && !task.isEnded));
    this.#trace?.forget(link);
    link.close();
    this.#crew.checkStarts(link, end, note);
    this.#crew.replace();
    this.#settle();
    this.#wake();
    this.#pumpSoon();
  }

  /** No task can be done any more. */
  #break(error: unknown): void {
    if (this.#broken !== null || this.#state === 'ended') return;
    this.#broken = error;
    this.#failAll(() => error);
    for (const link of this.#links) link.kill();
    this.#wake();
  }

  #failAll(reason: () => unknown): void {
    for (const call of [...this.#feeding]) call.stop(reason());
    for (const task of this.#backlog.clear()) if (!task.isEnded) this.#fail(task, reason());
    for (const task of [...this.#undecoded]) this.#fail(task, reason());
    for (const link of this.#links)
      for (const task of [...link.tasks()]) if (!task.isEnded) this.#fail(task, reason());
  }

  resize(min: number, max: number): void {
    this.#crew.resize(min, max);
  }

  /** No task comes any more. */
  close(): void {
    if (this.#state === 'running') this.#state = 'closing';
    this.#settle();
  }

  /** Nothing is to be done any more. */
  get #isFinishing(): boolean {
    return this.#state === 'closing' && this.#pending === 0 && this.#feeding.size === 0;
  }

  /** Ends workers that nobody needs. */
  #settle(): void {
    this.#crew.watchIdle();
    if (!this.#isFinishing || this.#backlog.length > 0) return;
    for (const link of [...this.#links]) if (link.outstanding === 0) this.#crew.retire(link);
    if (this.#links.length === 0) this.#finish();
  }

  /** Ends all workers, and with them all tasks. */
  terminate(): void {
    if (this.#state === 'ended') return;
    this.#state = 'closing';
    this.#broken ??= terminated(this.#crew.host.poolName);
    this.#failAll(() => terminated(this.#crew.host.poolName));
    for (const link of this.#links) link.worker.terminate();
    if (this.#links.length === 0) this.#finish();
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#stealTimer);
    this.#crew.close();
    this.limits.close();
    this.#doorbell.close();
    this.#trace?.close();
    this.#wake();
  }

  /** Until no worker is left. */
  async ended(): Promise<void> {
    keepAlive(1);
    try {
      await this.until(() => this.#state === 'ended');
    } finally {
      keepAlive(-1);
    }
  }

  /** When a task would be given to a worker at once. @throws what broke the pool */
  async ready(): Promise<void> {
    keepAlive(1);
    try {
      await this.until(
        () =>
          this.#broken !== null ||
          this.#state === 'ended' ||
          (this.#backlog.length === 0 &&
            this.#links.length >= this.#crew.least &&
            this.#links.every((l) => l.isReady) &&
            (this.#links.length === 0 || this.#links.some((l) => l.accepts && l.outstanding < l.window))),
      );
    } finally {
      keepAlive(-1);
    }
    if (this.#broken !== null) throw this.#broken as Error;
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds())
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
      });
  }

  #wake(): void {
    if (this.#waiters.size === 0) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter();
  }

  /** @throws MultiprocessingError unless tasks may be handed in */
  checkRunning(what: string): void {
    if (this.#state === 'running' && this.#broken === null) return;
    if (this.#broken !== null && this.#state === 'running') throw this.#broken as Error;
    throw new ProcessError('ERR_MP_STATE', `${what}: the pool was closed; make a new one`);
  }
}

/** The error that something threw in a worker. */
function rebuilt(
  thrown: Thrown,
  findClass: (name: string) => unknown,
  where: string,
  { worker: { name, pid } }: Link,
): unknown {
  let error: unknown;
  try {
    error = putTogether(thrown, findClass);
    return remoteCause(error, `${where} in ${name} (pid ${pid})`);
  } catch (failure) {
    return error ?? failure; // a class of the program has its own idea of what its errors have
  }
}

function textOf(reason: unknown): string {
  try {
    return String(reason instanceof Error ? reason.message : reason);
  } catch {
    return 'aborted'; // it cannot be told
  }
}

/** For a task that only this worker was to run. */
function goneBefore({ fn }: Task, { worker: { name, pid } }: Link): WorkerDiedError {
  return new WorkerDiedError(`${name} (pid ${pid}) was replaced before ${fn.name}() began`, {
    pid,
    exitCode: null,
    signal: null,
  });
}

/** A pool's workers: how many there are, and when one is started, replaced, or let go. */
import { longestTimer } from '../sync/at-deadline.js';
import type { Event } from '../sync/event.js';
import { tellWorker } from './diagnostics.js';
import { type Host, type Seat, type WorkerEnd, workerDied } from './host.js';
import { Link } from './link.js';
import { oomKills } from './oom.js';
import type { CheckedPoolOptions } from './options.js';
import type { Measures } from './stats.js';
import type { Task } from './task.js';

/**
 * So many workers in a row that end before they are ready, and the pool is broken. It takes more that were killed: somebody may be
 * killing whatever there is, and that says nothing about the next one.
 */
const startsMax = 5;
const killedMax = 25;
const startAgainMs = 100;

export type CrewOptions = Pick<CheckedPoolOptions, 'min' | 'max' | 'maxTasksPerChild' | 'idleTimeout'> &
  Pick<Seat, 'concurrency' | 'maxMemory' | 'traces' | 'initializer' | 'initargs'>;

/** What the dispatcher is to its workers. */
export interface Employer {
  readonly doorbell: Event;
  readonly measures: Measures;
  pending(): number;
  state(): 'running' | 'closing' | 'ended';
  broken(): unknown;
  /** Whether nothing is to be done any more. */
  isFinishing(): boolean;
  ended(link: Link, end: WorkerEnd): void;
  /** Takes back what a worker that leaves has not begun. */
  takeBack(tasks: readonly Task[]): void;
  /** Workers cannot be had any more. */
  break(error: unknown): void;
  /** One may have been started. */
  changed(): void;
}

export class Crew {
  readonly host: Host;
  readonly links: Link[] = [];
  readonly #options: CrewOptions;
  readonly #employer: Employer;
  #min: number;
  #max: number;
  #started = 0;
  /** Starts in vain since the last one that was not, as a part of those that are too many. */
  #failures = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #startTimer: NodeJS.Timeout | undefined;

  constructor(host: Host, options: CrewOptions, employer: Employer) {
    this.host = host;
    this.#options = options;
    this.#employer = employer;
    this.#min = options.min;
    this.#max = options.max;
  }

  get least(): number {
    return this.#min;
  }
  get most(): number {
    return this.#max;
  }

  /** Those that stay. */
  get #staying(): Link[] {
    return this.links.filter(({ isRetiring }) => !isRetiring);
  }

  get mayGrow(): boolean {
    return (
      this.links.length < this.#max && this.#employer.state() !== 'ended' && this.#startTimer === undefined
    );
  }

  grow(): void {
    if (this.mayGrow && this.#employer.broken() === null) this.#tryStart();
  }

  /** Starts as many as there must be. @throws what the start of one does */
  fill(): void {
    while (this.#staying.length < this.#min) this.#start();
  }

  #start(): void {
    const number = ++this.#started;
    const { concurrency, maxMemory, traces, initializer, initargs, maxTasksPerChild } = this.#options;
    const { doorbell, measures } = this.#employer;
    const seat = { number, doorbell, concurrency, maxMemory, traces, initializer, initargs };
    const name = `${this.host.poolName}Worker-${number}`;
    const link = new Link(this.host, seat, name, maxTasksPerChild, (its, end) => {
      this.#employer.ended(its, end);
    });
    this.links.push(link);
    measures.workerStarted(link);
    tellWorker(link.worker, null);
  }

  /** One that is to replace another: where it cannot be started now, it may be in a moment. */
  #tryStart(): void {
    try {
      this.#start();
    } catch (error) {
      if (this.#hasFailed(startsMax) && this.links.length === 0) {
        this.#employer.break(error);
        return;
      }
      this.#startTimer ??= setTimeout(() => {
        this.#startTimer = undefined;
        this.replace();
        this.#employer.changed();
      }, startAgainMs);
    }
  }

  /** One more start was in vain, of a kind of which `most` in a row are too many. */
  #hasFailed(most: number): boolean {
    this.#failures += 1 / most;
    return this.#failures >= 1 - 1e-9;
  }

  /** Sees to it that there are as many workers as there should be. */
  replace(): void {
    const employer = this.#employer;
    if (employer.state() === 'ended' || employer.broken() !== null || employer.isFinishing()) return;
    const wanted = employer.pending() > 0 ? Math.max(1, this.#min) : this.#min;
    while (this.#staying.length < wanted && this.#startTimer === undefined) this.#tryStart();
  }

  ready(link: Link): void {
    link.isReady = true;
    this.#failures = 0;
  }

  /** It finishes what it runs, and ends. */
  retire(link: Link): void {
    if (link.isRetiring || link.hasEnded) return;
    link.isRetiring = true;
    this.#employer.takeBack(link.withdrawNewest(Infinity));
    link.finish();
    this.replace();
    this.#employer.changed();
  }

  /** It has ended, and what it gave was taken. What is known of its end beside its code or signal. */
  strike(link: Link, end: WorkerEnd): string {
    const at = this.links.indexOf(link);
    if (at >= 0) this.links.splice(at, 1);
    this.#employer.measures.workerEnded(link);
    tellWorker(link.worker, end);
    if (link.wasKilled) return ', because a task went on after its abort';
    const isLikely = end.signal === 'SIGKILL' && oomKills.explains(link.oomKillsBefore);
    if (!isLikely) oomKills.look();
    return isLikely ? ', probably by the OOM killer' : '';
  }

  /** Whether one that has ended was the last that was tried: none of them ever was ready. */
  checkStarts(link: Link, end: WorkerEnd, note: string): void {
    if (link.isReady || link.isRetiring) return;
    if (this.#employer.broken() !== null || this.#employer.state() === 'ended') return;
    const wasKilled = end.signal === 'SIGKILL' || end.signal === 'SIGTERM';
    if (!this.#hasFailed(wasKilled ? killedMax : startsMax)) return;
    const { name, pid } = link.worker;
    this.#employer.break(workerDied(name, pid, end, `${note}, before it was ready`));
  }

  /** Workers that have had nothing to do for long, beyond the least that there must be, end. */
  watchIdle(): void {
    const { idleTimeout } = this.#options;
    if (idleTimeout === Infinity || this.#idleTimer !== undefined || this.links.length <= this.#min) return;
    const look = (): void => {
      this.#idleTimer = undefined;
      const now = performance.now();
      for (const link of [...this.links].reverse()) {
        if (this.#staying.length <= this.#min) break;
        if (link.outstanding === 0 && !link.isRetiring && now - link.idleSince >= idleTimeout)
          this.retire(link);
      }
      this.watchIdle();
    };
    this.#idleTimer = setTimeout(look, Math.min(Math.max(10, idleTimeout / 2), longestTimer)).unref();
  }

  resize(min: number, max: number): void {
    this.#min = min;
    this.#max = max;
    this.fill();
    const staying = this.#staying.sort((a, b) => a.outstanding - b.outstanding);
    for (const link of staying.slice(0, Math.max(0, staying.length - max))) this.retire(link);
    this.#employer.changed();
  }

  /** No more are started. */
  close(): void {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#startTimer);
  }
}

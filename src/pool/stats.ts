/** What a pool measures of itself. */
import { createHistogram, type Histogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Link } from './link.js';
import type { Task } from './task.js';

export interface PoolStats {
  /** Workers that live, and of those the ones that have something to do. */
  workers: number;
  busy: number;
  /** Tasks that no worker has started, and those that run. */
  queued: number;
  running: number;
  /** Tasks that have ended in whatever way, since the pool was made. */
  completed: number;
  /** Workers that have been started, and those that have ended. */
  started: number;
  ended: number;
  /** The part of the workers' time in which they ran tasks, since the pool was made: 0 to 1. */
  utilisation: number;
  /**
   * How long tasks took from call to end, in nanoseconds. Of tasks that come faster than some ten thousand a second only one in
   * 16 is measured.
   */
  latency: Histogram;
}

/** Of so many tasks one is measured when they come fast. */
const sampleEvery = 16;

export class Measures {
  readonly latency: RecordableHistogram = createHistogram();
  submittedCount = 0;
  endedCount = 0;
  workersStarted = 0;
  workersEnded = 0;
  #busyOfEnded = 0;
  #aliveOfEnded = 0;
  readonly #startedAt = new WeakMap<Link, number>();

  submitted(task: Task): void {
    const n = this.submittedCount++;
    if (n % sampleEvery === 0 || n - this.endedCount < sampleEvery) task.since = performance.now();
  }

  ended(task: Task): void {
    this.endedCount++;
    if (task.since !== 0)
      this.latency.record(Math.max(1, Math.round((performance.now() - task.since) * 1e6)));
  }

  workerStarted(link: Link): void {
    this.workersStarted++;
    this.#startedAt.set(link, performance.now());
  }

  workerEnded(link: Link): void {
    this.workersEnded++;
    this.#busyOfEnded += link.board.busy;
    this.#aliveOfEnded += performance.now() - (this.#startedAt.get(link) ?? performance.now());
  }

  utilisation(links: readonly Link[]): number {
    const now = performance.now();
    let busy = this.#busyOfEnded;
    let alive = this.#aliveOfEnded;
    for (const link of links) {
      busy += link.board.busy;
      alive += now - (this.#startedAt.get(link) ?? now);
    }
    return alive === 0 ? 0 : Math.min(1, busy / alive);
  }
}

/** What a task can know of itself, in the worker that runs it. */
import { AsyncLocalStorage } from 'node:async_hooks';

export interface CurrentTask {
  /** Different for each task of a worker. */
  readonly id: number;
  /** Aborted when whoever waits for the task does not any more: its timeout has passed, or its caller's signal was aborted. */
  readonly signal: AbortSignal;
  /** The worker's number in its pool, from 1. */
  readonly worker: number;
}

/** A task while it runs. Its signal is made when it is first asked for. */
export class RunningTask implements CurrentTask {
  readonly id: number;
  readonly worker: number;
  #controller: AbortController | null = null;
  #reason: unknown;
  #isAborted = false;

  constructor(id: number, worker: number) {
    this.id = id;
    this.worker = worker;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#isAborted;
  }

  abort(reason: unknown): void {
    this.#isAborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** Of workers that run several tasks at once. */
const storage = new AsyncLocalStorage<RunningTask>();
/** Of those that run one after the other. */
let only: (() => RunningTask | null) | null = null;

/** The task that this code runs for: null outside of a pool's workers, and between tasks. */
export function currentTask(): CurrentTask | null {
  return storage.getStore() ?? only?.() ?? null;
}

/** By a worker that runs one task at a time: says which. */
export function setTaskSource(source: () => RunningTask | null): void {
  only = source;
}

export function runAs<T>(task: RunningTask, body: () => T): T {
  return storage.run(task, body);
}

const state: Record<string, unknown> = {};

/**
 * An object that belongs to the worker this code runs in, for what its initializer prepares and its tasks use: empty at first,
 * and as long-lived as the worker. Every process and thread has one.
 */
export function workerState<T extends object = Record<string, unknown>>(): T {
  return state as T;
}

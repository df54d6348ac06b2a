/** What pools tell on node:diagnostics_channel, to whoever has subscribed. */
import { channel } from 'node:diagnostics_channel';
import type { Worker, WorkerEnd } from './host.js';
import type { Task } from './task.js';

/** On `multiproc:pool:task`: a task, which is a call or a chunk of a map, has ended for its caller. */
export interface PoolTaskMessage {
  /** The function's name. */
  readonly task: string;
  /** From the call to its end. */
  readonly durationMs: number;
}

/** On `multiproc:pool:worker`: a worker was started, or has ended. */
export interface PoolWorkerMessage {
  readonly worker: string;
  readonly pid: number;
  readonly what: 'started' | 'ended';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export const taskEnded = channel('multiproc:pool:task');
export const workers = channel('multiproc:pool:worker');

/** Call only if `taskEnded.hasSubscribers`. */
export function tellTask(task: Task): void {
  const since = performance.now();
  const before = task.onEnd;
  task.onEnd = () => {
    before?.();
    taskEnded.publish({
      task: task.fn.name,
      durationMs: performance.now() - since,
    } satisfies PoolTaskMessage);
  };
}

export function tellWorker({ name, pid }: Worker, end: WorkerEnd | null): void {
  if (!workers.hasSubscribers) return;
  const { exitCode, signal } = end ?? { exitCode: null, signal: null };
  const what = end === null ? 'started' : 'ended';
  workers.publish({ worker: name, pid, what, exitCode, signal } satisfies PoolWorkerMessage);
}

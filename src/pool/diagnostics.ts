/** What pools tell on node:diagnostics_channel, to whoever has subscribed. */
import { channel } from 'node:diagnostics_channel';
import type { Task } from './task.js';

/** On `multiproc:pool:task`: a task handed in by apply() or applyAsync() has ended. */
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
export function tellTask(task: Task, _what: string): void {
  const since = performance.now();
  task.onEnd = () => {
    taskEnded.publish({ task: task.fn.name, durationMs: performance.now() - since } satisfies PoolTaskMessage);
  };
}

/** Where a pool's workers live: in processes or in threads. */
import { ClosedError, WorkerDiedError } from '../errors.js';
import type { FunctionRef } from '../transfer/function-ref.js';
import type { Connection } from '../connection/connection.js';
import type { Event } from '../sync/event.js';
import type { SharedBoard } from './board.js';

/** What a worker is given at its start. */
export interface Seat {
  /** From 1. */
  readonly number: number;
  readonly tasks: Connection;
  /** What it must hear while tasks run: numbers of tasks that are not wanted any more. */
  readonly control: Connection;
  readonly board: SharedBoard;
  readonly doorbell: Event;
  readonly concurrency: number;
  /** 0: no limit. */
  readonly maxMemory: number;
  readonly traces: boolean;
  readonly initializer: FunctionRef | null;
  readonly initargs: readonly unknown[];
}

export interface WorkerEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What was thrown in it that nobody caught, where that can be known. */
  readonly cause?: unknown;
}

/** A started worker. */
export interface Worker {
  readonly name: string;
  readonly pid: number;
  /** Ends it at once, whatever it does. */
  kill(): void;
  /** Ends it, after a moment for handlers of SIGTERM that it has. */
  terminate(): void;
}

export interface Host {
  readonly poolName: string;
  /** @param ended called once, some turn of the loop after the worker has ended */
  start(seat: Seat, name: string, ended: (end: WorkerEnd) => void): Worker;
}

export function workerDied(
  who: string,
  pid: number,
  { exitCode, signal, cause }: WorkerEnd,
  note: string,
  task?: unknown,
): WorkerDiedError {
  const how = signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`;
  const error = new WorkerDiedError(`${who} (pid ${pid}) ${how}${note}`, { pid, exitCode, signal, task });
  if (cause !== undefined)
    Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
  return error;
}

export function terminated(poolName: string): ClosedError {
  return new ClosedError(`${poolName} was terminated: the task will not be done`);
}

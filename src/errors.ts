/**
 * The errors of the package: one base class with a `code`, subclasses only where callers catch by type.
 *
 * They are made where they are thrown, so that the stack shows the call; every message names the object and the remedy.
 */

/** What every error of this package is. `code` is stable (`ERR_MP_…`); messages are for people. */
export class MultiprocessingError extends Error {
  readonly code: string;
  /** Set where the operating system spoke: its symbolic error code and the call that failed. */
  declare readonly errno?: string;
  declare readonly syscall?: string;

  constructor(code: string, message: string, options?: ErrorOptions & { errno?: string; syscall?: string }) {
    super(message, options);
    this.code = code;
    if (options?.errno !== undefined) this.errno = options.errno;
    if (options?.syscall !== undefined) this.syscall = options.syscall;
  }

  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'MultiprocessingError',
      configurable: true,
      writable: true,
    });
  }
}

/** A class of error with a fixed code and a `name` of its own, without touching `constructor.name` tricks at throw. */
function named<T extends new (...args: never[]) => Error>(cls: T, name: string): T {
  Object.defineProperty(cls.prototype, 'name', { value: name, configurable: true, writable: true });
  return cls;
}

/** A wait ended because its timeout passed. */
export class TimeoutError extends MultiprocessingError {
  constructor(message: string) {
    super('ERR_MP_TIMEOUT', message);
  }
}
/** A blocking wait ended because a SIGINT or SIGTERM arrived that the program listens for. */
export class InterruptedError extends MultiprocessingError {
  constructor(message: string) {
    super('ERR_MP_INTERRUPTED', message);
  }
}
/** One who holds something that the one before it waits for. */
export interface DeadlockStep {
  readonly owner: { readonly pid: number; readonly name: string; readonly thread: number };
  /** E.g. `Lock #5`. */
  readonly holds: string;
  readonly waitsFor: string;
}
/** The wait could never end: those who hold what is waited for wait for what the caller holds. */
export class DeadlockError extends MultiprocessingError {
  /** Who holds what and waits for what, the caller first; empty where this thread itself holds what it asked for. */
  readonly cycle: readonly DeadlockStep[];

  constructor(message: string, cycle: readonly DeadlockStep[] = []) {
    super('ERR_MP_DEADLOCK', message);
    this.cycle = cycle;
  }
}
/** A barrier is broken: somebody who was waited for will not come. */
export class BrokenBarrierError extends MultiprocessingError {
  constructor(message: string) {
    super('ERR_MP_BROKEN_BARRIER', message);
  }
}
/**
 * The handle was closed, or the object it stood for is gone. Of connections also the other side's: `ERR_MP_EOF` where it has
 * closed and nothing is left to receive, `ERR_MP_BROKEN_PIPE` where it is no longer there to be sent to.
 */
export class ClosedError extends MultiprocessingError {
  constructor(
    message: string,
    code: 'ERR_MP_CLOSED' | 'ERR_MP_EOF' | 'ERR_MP_BROKEN_PIPE' = 'ERR_MP_CLOSED',
    options?: ErrorOptions & { errno?: string; syscall?: string },
  ) {
    super(code, message, options);
  }
}
/** There is nothing to take. */
export class EmptyError extends MultiprocessingError {
  constructor(message: string) {
    super('ERR_MP_EMPTY', message);
  }
}
/** There is no room for more. */
export class FullError extends MultiprocessingError {
  constructor(message: string) {
    super('ERR_MP_FULL', message);
  }
}
/** The queue was shut down. */
export class ShutDownError extends MultiprocessingError {
  constructor(message: string) {
    super('ERR_MP_SHUT_DOWN', message);
  }
}
/** A message does not fit where it was to be received into. It has been taken, and is `bytes`. */
export class BufferTooShortError extends MultiprocessingError {
  readonly bytes: Buffer;

  constructor(message: string, bytes: Buffer) {
    super('ERR_MP_BUFFER_TOO_SHORT', message);
    this.bytes = bytes;
  }
}
/** The two sides of a connection have not proved to each other that they know the same authkey. */
export class AuthenticationError extends MultiprocessingError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_MP_AUTHENTICATION', message, options);
  }
}
/** A process could not be started, or a call does not fit the state it is in. */
export class ProcessError extends MultiprocessingError {}
/** A process ended before it gave a result. */
export class WorkerDiedError extends MultiprocessingError {
  readonly pid: number;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly task: unknown;

  constructor(
    message: string,
    end: { pid: number; exitCode: number | null; signal: NodeJS.Signals | null; task?: unknown },
  ) {
    super('ERR_MP_WORKER_DIED', message);
    this.pid = end.pid;
    this.exitCode = end.exitCode;
    this.signal = end.signal;
    this.task = end.task;
  }
}
/** An error of another process whose class cannot be found here; `remoteName` is the class it had there. */
export class RemoteError extends MultiprocessingError {
  readonly remoteName: string;

  constructor(remoteName: string, message: string) {
    super('ERR_MP_REMOTE', message);
    this.remoteName = remoteName;
  }
}

named(TimeoutError, 'TimeoutError');
named(InterruptedError, 'InterruptedError');
named(DeadlockError, 'DeadlockError');
named(BrokenBarrierError, 'BrokenBarrierError');
named(ClosedError, 'ClosedError');
named(EmptyError, 'EmptyError');
named(FullError, 'FullError');
named(ShutDownError, 'ShutDownError');
named(BufferTooShortError, 'BufferTooShortError');
named(AuthenticationError, 'AuthenticationError');
named(ProcessError, 'ProcessError');
named(WorkerDiedError, 'WorkerDiedError');
named(RemoteError, 'RemoteError');

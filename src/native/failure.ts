/** Failures of system calls, turned into the package's own error with the name of what was tried. */
import { MultiprocessingError } from '../errors.js';

interface NativeFailure extends Error {
  errno?: string;
  syscall?: string;
}

/** The system's name of what went wrong, e.g. 'ENOENT'. */
export function errnoOf(error: unknown): string | undefined {
  return (error as NativeFailure | undefined)?.errno;
}

/** Runs a native call; an error of the system comes out as `code`, with `what` in front of the system's sentence. */
export function orFail<T>(code: string, what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { errno, syscall, message } = error as NativeFailure;
    if (errno === undefined || syscall === undefined) throw error;
    throw new MultiprocessingError(code, `${what}: ${message}`, { errno, syscall, cause: error });
  }
}

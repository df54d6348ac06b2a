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
    throw asFailure(code, what, error);
  }
}

/** What orFail() makes of an error. Where a call is hot. */
export function asFailure(code: string, what: string, error: unknown): unknown {
  const { errno, syscall, message } = error as NativeFailure;
  if (errno === undefined || syscall === undefined) return error;
  const none = errno === 'EMFILE' || errno === 'ENFILE'; // descriptors, whatever they were for
  return new MultiprocessingError(none ? 'ERR_MP_DESCRIPTORS' : code, `${what}: ${message}`, {
    errno,
    syscall,
    cause: error,
  });
}

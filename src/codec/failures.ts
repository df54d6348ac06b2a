import { MultiprocessingError } from '../errors.js';

/** The caller's stack is at its end: whatever is being done, it is not known how it would have gone. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/** The error for bytes that no encoder wrote. */
export function damaged(why: string, cause?: unknown): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_DAMAGED',
    `A message cannot be read: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

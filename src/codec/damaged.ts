import { MultiprocessingError } from '../errors.js';

/** The error for bytes that no encoder wrote. */
export function damaged(why: string, cause?: unknown): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_DAMAGED',
    `A message cannot be read: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

/** Messages of many that cannot be read: the others must not be lost for them. */
import { MultiprocessingError } from '../errors.js';
import { valueAtOnce, valueLater } from '../message/reader.js';

/** In place of a message that was taken and cannot be read. */
class Unreadable {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** What reading a message has thrown, as what stands in its place: its value, `later` perhaps a promise for it. */
export function inPlaceOf(error: unknown, later: boolean): unknown {
  try {
    return later ? valueLater(error).catch((e: unknown) => new Unreadable(e)) : valueAtOnce(error);
  } catch (failure) {
    return new Unreadable(failure);
  }
}

/**
 * The messages, if all could be read.
 * @throws what kept a single one from being read; of several MultiprocessingError `ERR_MP_UNREADABLE`, which has the others
 */
export function allRead(values: unknown[], what: string): unknown[] {
  const failed = values.filter((value) => value instanceof Unreadable);
  if (failed.length === 0) return values;
  const { error } = failed[0]!;
  if (values.length === 1) throw error;
  throw Object.assign(
    new MultiprocessingError(
      'ERR_MP_UNREADABLE',
      `${what}: ${failed.length} of ${values.length} messages cannot be read, the first because of the cause of this ` +
        'error; it has the others as `messages`',
      { cause: error },
    ),
    { messages: values.filter((value) => !(value instanceof Unreadable)) },
  );
}

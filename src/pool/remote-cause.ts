/** Where an error of a task came from: the last cause of it, with the stack it had there. */
import { types } from 'node:util';
import { RemoteError } from '../errors.js';

export function remoteCause(thrown: unknown, where: string): unknown {
  if (!types.isNativeError(thrown)) return thrown;
  let last: Error = thrown;
  for (const seen = new Set<Error>(); types.isNativeError(last.cause) && !seen.has(last); last = last.cause)
    seen.add(last);
  if (last.cause !== undefined || !Object.isExtensible(last)) return thrown;
  const cause = new RemoteError(thrown.name, `thrown by ${where}`);
  cause.stack = `${cause.name}: ${cause.message}\n${thrown.stack ?? ''}`;
  Object.defineProperty(last, 'cause', {
    value: cause,
    enumerable: false,
    writable: true,
    configurable: true,
  });
  return thrown;
}

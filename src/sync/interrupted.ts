import { InterruptedError } from '../errors.js';

/** A signal with a listener ended a blocking wait; the listener runs when this thread is back in its event loop. */
export function interrupted(what: string): InterruptedError {
  return new InterruptedError(`${what}: interrupted by a signal that this program listens for`);
}

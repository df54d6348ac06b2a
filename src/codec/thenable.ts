/**
 * Messages that promises would call. An async function that returns an object with a function `then` calls that, so a sender
 * could choose what its receiver runs. Neither writer nor reader lets such a message pass.
 */
import { kindOf } from './kinds.js';

/** Whether a value is one, or becomes one by being sent. Only a message with a function in it can be. */
export function isThenable(value: unknown): boolean {
  if (typeof value === 'function') return typeof (value as { then?: unknown }).then === 'function';
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'then')) return false;
  const kind = kindOf(value);
  return (
    (kind === 'instance' || kind === 'array') &&
    Object.prototype.propertyIsEnumerable.call(value, 'then') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

import { typeError } from '../native/arguments.js';
import { type Handle, isShareable, openHandle, toHandle } from './handle.js';

/**
 * A plain cloneable handle of a shared object, for channels that know nothing of multiproc: `postMessage`,
 * `process.send`, cluster. It does not keep the object alive: keep yours open until the other side has opened its own.
 */
export function share(object: object): Handle {
  if (typeof object !== 'object' || (object as unknown) === null || !isShareable(object)) {
    throw typeError('share(): takes a shared object: a Lock, an RLock, a Value …');
  }
  return object[toHandle]();
}

/**
 * The shared object behind a handle. Works in any thread or process of the same process tree.
 * @throws ClosedError if the object is gone
 */
export function open<T extends object = object>(handle: Handle): T {
  if (typeof handle !== 'object' || (handle as unknown) === null || typeof handle.multiproc !== 'string') {
    throw typeError('open(): takes a handle made by share()');
  }
  return openHandle(handle) as T;
}

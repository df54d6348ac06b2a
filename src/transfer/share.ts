import { arenaPlaces } from '../memory/arena.js';
import { typeError } from '../native/arguments.js';
import { type Handle, isShareable, openHandle, toHandle } from './handle.js';

/**
 * A plain handle of a shared object, for channels that know nothing of multiproc: `postMessage`, `process.send`, cluster,
 * JSON. It does not keep the object alive: keep yours open until the other side has opened its own.
 */
export function share(object: object): Handle {
  if (typeof object !== 'object' || (object as unknown) === null || !isShareable(object)) {
    throw typeError('share(): takes a shared object: a Lock, an RLock, a Value, an Array …');
  }
  const handle = object[toHandle]();
  return 'arena' in handle ? Object.assign(handle, { at: arenaPlaces() }) : handle;
}

/**
 * The shared object behind a handle, in any thread or process of the same user on this machine.
 *
 * A process that was not started by multiproc (child_process, cluster, an unrelated one) joins the sharer's process tree
 * by its first open(): call it before making shared objects of its own, which would begin a tree of its own.
 * @throws ClosedError if the object is gone
 * @throws MultiprocessingError `ERR_MP_NOT_FOUND` if those who shared it have ended, `ERR_MP_HANDLE` if the handle is none,
 * or this process belongs to another tree already
 */
export function open<T extends object = object>(handle: Handle): T {
  if (typeof handle !== 'object' || (handle as unknown) === null || typeof handle.multiproc !== 'string') {
    throw typeError('open(): takes a handle made by share()');
  }
  return openHandle(handle) as T;
}

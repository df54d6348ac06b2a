/**
 * Handles: how a shared object crosses to another process or thread.
 *
 * A handle is a plain cloneable object. It names an object that lives in shared memory; it does not keep it alive.
 * Whoever sends one pins the object until the receiver has opened it (`pin`), or gives the receiver a reference of its
 * own beforehand (`grant`).
 */
import { MultiprocessingError } from '../errors.js';

export interface Handle {
  /** The kind of object, e.g. 'Lock'; says which opener rebuilds it. */
  readonly multiproc: string;
}

export const toHandle = Symbol('multiproc.toHandle');
export const pin = Symbol('multiproc.pin');
export const grant = Symbol('multiproc.grant');

/** On objects that are of one process only: a sentence for the error, saying what to send instead. */
export const staysHere = Symbol('multiproc.staysHere');

/** What every shared object implements. */
export interface Shareable {
  /** The handle of this object. Throws ClosedError after close(). */
  [toHandle](): Handle;
  /** Keeps the shared object alive, even past close(), until the returned function is called. */
  [pin](): () => void;
  /** Gives the participant with this owner id a reference of its own, as if it had opened the handle already. */
  [grant](ownerId: number): void;
}

const openers = new Map<string, (handle: never) => object>();

/** Tells how handles of a kind become objects again. Once per kind, at import. */
export function registerKind<H extends Handle>(kind: string, open: (handle: H) => object): void {
  openers.set(kind, open);
}

export function isShareable(value: object): value is Shareable {
  return toHandle in value;
}

/** The object a handle stands for. */
export function openHandle(handle: Handle): object {
  const open = openers.get(handle.multiproc);
  if (open === undefined) {
    throw new MultiprocessingError(
      'ERR_MP_HANDLE',
      `open(): not a handle of this version of multiproc: kind ${JSON.stringify(handle.multiproc)}`,
    );
  }
  return open(handle as never);
}

/** The objects of what arrived as a list of handles; throws what `refusal` gives if it is none. */
export function openHandles(handles: unknown, refusal: () => Error): object[] {
  if (!Array.isArray(handles)) throw refusal();
  return (handles as unknown[]).map((handle) => {
    if (typeof handle !== 'object' || handle === null || typeof (handle as Handle).multiproc !== 'string')
      throw refusal();
    return openHandle(handle as Handle);
  });
}

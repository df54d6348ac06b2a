/** Locks (and the like) by name: opening, making and deleting them, and which there are. See native/core/named_lock.h. */
import { randomBytes } from 'node:crypto';
import { threadId } from 'node:worker_threads';
import { MultiprocessingError } from '../errors.js';
import { neverFree } from '../memory/arena.js';
import { parseMode } from '../memory/create-array.js';
import { orSegmentFailure, requestFor } from '../memory/segment.js';
import { creationFailure, errnoOf, segmentFailure, segmentProblem } from '../memory/segment-errors.js';
import { parseShared, type SegmentPlace } from '../memory/segment-name.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import {
  type FileIdentity,
  type NamedFacts,
  type OpenedLock,
  SegmentKind,
} from '../native/segment-binding.js';
import type { LockReference } from './lock-state.js';
import type { LocalState } from './sync-handle.js';

/** A class whose objects can have names. Names of one do not meet those of another. */
export interface NamedClass {
  readonly className: string;
  readonly segmentKind: SegmentKind;
  /** In front of its names in shared memory. */
  readonly prefix: string;
}
const named = (className: string, segmentKind: SegmentKind, word: string): NamedClass => ({
  className,
  segmentKind,
  prefix: `multiproc.${word}.`,
});
export const namedLock = named('Lock', SegmentKind.lock, 'lock');
export const namedRLock = named('RLock', SegmentKind.rlock, 'rlock');
export const namedSemaphore = named('Semaphore', SegmentKind.semaphore, 'semaphore');
export const namedBoundedSemaphore = named('BoundedSemaphore', SegmentKind.boundedSemaphore, 'bounded');
export const namedEvent = named('Event', SegmentKind.event, 'event');
export const namedRWLock = named('RWLock', SegmentKind.rwlock, 'rwlock');
/** What locks.request() meets on. */
export const namedRequest = named('locks', SegmentKind.rwlock, 'request');

/** Others that make and delete the same name all the time are given up on after as many rounds. */
const roundsMax = 100;

export interface NamedLockOptions {
  /** What unrelated programs meet on: `x` or `shm://x`. */
  name: string;
  /** Who may open it, as of a file, if it is made by this call: 0o600 by default, the owner alone. Not cut by the umask. */
  mode?: number | undefined;
}

/** This environment's one use of a named lock, counted among the handles that have it. */
export class NamedReference implements LockReference {
  static readonly #open = new Map<number, NamedReference>();

  readonly slot: number;
  readonly of: NamedClass;
  readonly place: SegmentPlace;
  readonly id: string;
  readonly file: FileIdentity;
  readonly named = true;
  /** The word is not among those of the tree's arena: every call goes through the addon. */
  readonly lockOffset = neverFree;
  local: LocalState | undefined;
  #count = 0;

  private constructor(of: NamedClass, place: SegmentPlace, { index, id, device, inode }: OpenedLock) {
    this.slot = index;
    this.of = of;
    this.place = place;
    this.id = id.toString(16);
    this.file = { device, inode };
    NamedReference.#open.set(index, this);
  }

  /** Those that are open in this environment. */
  static all(): Iterable<NamedReference> {
    return NamedReference.#open.values();
  }

  /** Opens what has the name; counts one more user. Null: nothing has it. */
  static find(of: NamedClass, place: SegmentPlace, what: string): NamedReference | null {
    let found;
    try {
      found = native.openNamedLock(requestFor(place, of.segmentKind), threadId);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw openFailure(error, what);
    }
    if (found.problem !== '') throw segmentProblem(found, what, of.className);
    const reference = NamedReference.#open.get(found.index) ?? new NamedReference(of, place, found);
    reference.#count++;
    return reference;
  }

  get address(): { readonly name: string; readonly id: string } {
    return { name: this.place.label, id: this.id };
  }
  /** A name needs nobody to keep it. */
  pin(): () => void {
    return () => undefined;
  }
  grant(): void {
    // who opens the handle becomes a participant by itself
  }
  /** One user less; the last one closes it, unless a guard is still out (`local.mustStay`). */
  release(): void {
    if (--this.#count === 0) this.settle();
  }
  settle(): void {
    if (this.#count > 0 || this.local?.mustStay === true || NamedReference.#open.get(this.slot) !== this)
      return;
    NamedReference.#open.delete(this.slot);
    native.closeNamedLock(this.slot);
  }

  damagedError(what: string): MultiprocessingError {
    return new MultiprocessingError(
      'ERR_MP_DAMAGED',
      `${what}: the memory of ${this.of.className} ${JSON.stringify(this.place.label)} was damaged: somebody overwrote or shortened it, or ` +
        'there was no memory left for it. What it guards may have been used by several at once; close it, delete it, and open it again',
    );
  }
}

function openFailure(error: unknown, what: string): unknown {
  const errno = errnoOf(error);
  const options = { errno: errno!, cause: error };
  if (errno === 'EAGAIN') {
    return new MultiprocessingError(
      'ERR_MP_PARTICIPANTS',
      `${what}: 511 threads have it open already; no more can`,
      options,
    );
  }
  if (errno === 'E2BIG') {
    return new MultiprocessingError(
      'ERR_MP_LIMIT',
      `${what}: this thread has 1,024 named locks open already; close some`,
      options,
    );
  }
  return segmentFailure(error, what);
}

export function parsePlace(of: NamedClass, name: unknown, what: string): SegmentPlace {
  if (typeof name === 'string' && name.startsWith('file://')) {
    throw rangeError(
      `${what}: a ${of.className} cannot be in a file: its owners would not outlive the machine's next start`,
    );
  }
  const text = typeof name === 'string' && name.startsWith('shm://') ? name.slice('shm://'.length) : name;
  return parseShared(text, of.prefix, what);
}

/** What a named semaphore starts with, if it is made: native/core/semaphore.h. */
export interface Start {
  readonly units: number;
  readonly bound: number;
}
const noUnits: Start = { units: 0, bound: 0 };

/** What has that name; makes it if there is nothing. */
export function openNamed(of: NamedClass, options: NamedLockOptions, start = noUnits): NamedReference {
  const what = `new ${of.className}({ name: ${show(options.name)} })`;
  return openAt(of, parsePlace(of, options.name, what), options, what, start);
}

export function openAt(
  of: NamedClass,
  place: SegmentPlace,
  options: { readonly mode?: number | undefined },
  what: string,
  start = noUnits,
): NamedReference {
  const request = {
    ...requestFor(place, of.segmentKind),
    mode: parseMode(options.mode, what),
    id: randomBytes(8).readBigUInt64LE(),
  };
  for (let round = 0; round < roundsMax; round++) {
    const found = NamedReference.find(of, place, what);
    if (found !== null) return found;
    try {
      native.createNamedLock(request, start.units, start.bound);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw creationFailure(error, what, place);
    }
  }
  throw new MultiprocessingError('ERR_MP_EXISTS', `${what}: others keep making and deleting it; try again`);
}

/** What is behind a handle that has travelled: the very same, or an error. */
export function reopenNamed(of: NamedClass, name: unknown, id: unknown): NamedReference {
  const what = `open(${of.className} ${show(name)})`;
  if (typeof name !== 'string' || typeof id !== 'string')
    throw new MultiprocessingError('ERR_MP_HANDLE', `${what}: this handle is damaged`);
  const found = NamedReference.find(of, parsePlace(of, name, what), what);
  if (found?.id === id) return found;
  found?.release();
  throw new MultiprocessingError(
    'ERR_MP_NOT_FOUND',
    `${what}: it was deleted meanwhile${found === null ? '' : '; another one has its name now'}`,
  );
}

export function deleteNamed(of: NamedClass, name: unknown): void {
  const what = `${of.className}.delete(${show(name)})`;
  const place = parsePlace(of, name, what);
  orSegmentFailure(what, () => {
    native.unlinkSegment(place.name, false);
  });
}

/** Those of a class that this user may read, by name. Damaged ones are not among them. */
export function listNamed<T>(of: NamedClass, describe: (name: string, facts: NamedFacts) => T): T[] {
  const names = orSegmentFailure(`${of.className}.list()`, () => native.listSegments());
  return names
    .filter((name) => name.startsWith(of.prefix))
    .sort()
    .flatMap((name) => {
      const label = name.slice(of.prefix.length);
      try {
        const found = native.namedLockFacts(requestFor({ label, name, isPath: false }, of.segmentKind));
        return found.problem === '' ? [describe(label, found)] : [];
      } catch {
        return []; // deleted meanwhile, or another user's
      }
    });
}

/** What a constructor was given, if it asks for a name. */
export function namedOptions(of: NamedClass, given: unknown): NamedLockOptions | null {
  if (given === undefined) return null;
  const what = `new ${of.className}()`;
  if (typeof given !== 'object' || given === null)
    throw typeError(`${what}: expects { name, mode }, not ${show(given)}`);
  const { name, mode } = given as Partial<NamedLockOptions>;
  // Not an anonymous one: a name that is missing by mistake would lock nobody out.
  if (name === undefined) throw typeError(`${what}: the options need a name; without a name give none`);
  return { name, mode };
}

/** The name as inspect() shows it; nothing for an object without. */
export function nameText(reference: object): string {
  const name = nameOf(reference);
  return name === null ? '' : ` ${show(name)}`;
}

/** The name an object was opened with; null for one without. */
export function nameOf(reference: object): string | null {
  return reference instanceof NamedReference ? reference.place.label : null;
}

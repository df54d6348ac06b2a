/** Locks by name: opening and making them, which there are, and taking one away. See native/core/named_lock.h. */
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
import { SegmentKind } from '../native/segment-binding.js';
import type { LockReference } from './lock-state.js';
import { type Owner, toOwner } from './owner.js';

/** In front of names in shared memory. */
const prefix = 'multiproc.lock.';
/** Others that make and delete the same name all the time are given up on after as many rounds. */
const roundsMax = 100;

export interface NamedLockOptions {
  /** What unrelated programs meet on: `x` or `shm://x`. */
  name: string;
  /** Who may open it, as of a file, if it is made by this call: 0o600 by default, the owner alone. Not cut by the umask. */
  mode?: number | undefined;
}

export interface NamedLockFacts {
  name: string;
  /** Who holds it, or null. */
  owner: Owner | null;
}

/** This environment's one use of a named lock, counted among the handles that have it. */
export class NamedReference implements LockReference {
  static readonly #open = new Map<number, NamedReference>();

  readonly slot: number;
  readonly place: SegmentPlace;
  readonly id: string;
  readonly named = true;
  /** The word is not among those of the tree's arena: every call goes through the addon. */
  readonly lockOffset = neverFree;
  local: LockReference['local'];
  #count = 0;

  private constructor(slot: number, place: SegmentPlace, id: string) {
    this.slot = slot;
    this.place = place;
    this.id = id;
    NamedReference.#open.set(slot, this);
  }

  /** Opens what has the name; counts one more user. Null: nothing has it. */
  static find(place: SegmentPlace, what: string): NamedReference | null {
    let found;
    try {
      found = native.openNamedLock(requestFor(place, SegmentKind.lock), threadId);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw openFailure(error, what);
    }
    if (found.problem !== '') throw segmentProblem(found, what, 'Lock');
    const { index, id } = found;
    const reference = NamedReference.#open.get(index) ?? new NamedReference(index, place, id.toString(16));
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
      `${what}: the memory of Lock ${JSON.stringify(this.place.label)} was damaged: somebody overwrote or shortened it, or ` +
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

function parsePlace(name: unknown, what: string): SegmentPlace {
  if (typeof name === 'string' && name.startsWith('file://')) {
    throw rangeError(
      `${what}: a lock cannot be in a file: its owners would not outlive the machine's next start`,
    );
  }
  const text = typeof name === 'string' && name.startsWith('shm://') ? name.slice('shm://'.length) : name;
  return parseShared(text, prefix, what);
}

/** The lock of that name; makes it if there is none. */
export function openNamed(options: NamedLockOptions): NamedReference {
  const what = `new Lock({ name: ${show(options.name)} })`;
  const place = parsePlace(options.name, what);
  const request = {
    ...requestFor(place, SegmentKind.lock),
    mode: parseMode(options.mode, what),
    id: randomBytes(8).readBigUInt64LE(),
  };
  for (let round = 0; round < roundsMax; round++) {
    const found = NamedReference.find(place, what);
    if (found !== null) return found;
    try {
      native.createNamedLock(request);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw creationFailure(error, what, place);
    }
  }
  throw new MultiprocessingError('ERR_MP_EXISTS', `${what}: others keep making and deleting it; try again`);
}

/** The lock behind a handle that has travelled: the very same, or an error. */
export function reopenNamed(name: unknown, id: unknown): NamedReference {
  const what = `open(Lock ${show(name)})`;
  if (typeof name !== 'string' || typeof id !== 'string')
    throw new MultiprocessingError('ERR_MP_HANDLE', `${what}: this handle is damaged`);
  const found = NamedReference.find(parsePlace(name, what), what);
  if (found?.id === id) return found;
  found?.release();
  throw new MultiprocessingError(
    'ERR_MP_NOT_FOUND',
    `${what}: it was deleted meanwhile${found === null ? '' : '; another lock has its name now'}`,
  );
}

export function deleteNamed(name: unknown): void {
  const what = `Lock.delete(${show(name)})`;
  const place = parsePlace(name, what);
  orSegmentFailure(what, () => {
    native.unlinkSegment(place.name, false);
  });
}

export function listNamed(): NamedLockFacts[] {
  const names = orSegmentFailure('Lock.list()', () => native.listSegments());
  return names
    .filter((name) => name.startsWith(prefix))
    .sort()
    .flatMap((name) => {
      const label = name.slice(prefix.length);
      try {
        const found = native.namedLockOwner(requestFor({ label, name, isPath: false }, SegmentKind.lock));
        return found.problem === '' ? [{ name: label, owner: toOwner(found.owner) }] : [];
      } catch {
        return []; // deleted meanwhile, or another user's
      }
    });
}

/** What `new Lock(…)` was given, if it asks for a name. */
export function namedOptions(given: unknown): NamedLockOptions | null {
  if (given === undefined) return null;
  if (typeof given !== 'object' || given === null)
    throw typeError(`new Lock(): expects { name, mode }, not ${show(given)}`);
  const { name, mode } = given as Partial<NamedLockOptions>;
  // Not an anonymous lock: a name that is missing by mistake would lock nobody out.
  if (name === undefined) throw typeError('new Lock(): the options need a name; without a name give none');
  return { name, mode };
}

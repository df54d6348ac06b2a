/**
 * The arena as this environment sees it: the words of all slots, who we are, and references to objects.
 *
 * `slotWords`, `cas` and `me` are live bindings read on every hot path; they are set once, before the first object exists.
 */
import { randomBytes } from 'node:crypto';
import { threadId } from 'node:worker_threads';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { errnoOf, orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import type { LocalState } from '../sync/sync-handle.js';
import { type CompareExchange, mapSlots } from './words.js';

const { layout } = native;
const wordsPerSlot = layout.slotBytes / 4;
const headerWord = layout.offsets['Slot.header']! / 4;
const lockWord = layout.offsets['Slot.word']! / 4;
const detailWord = layout.offsets['Slot.detail']! / 4;
const valueOffset = layout.offsets['Slot.value']!;
const bytesWord = layout.offsets['Slot.bytes']! / 4;
const slotMax = layout.slotsBytes / layout.slotBytes;

/** The byte offset of a word that is never free (slot 0 is nobody's): sends a fast path to its slow half. */
export const neverFree = lockWord * 4;

/** All slots as 32-bit words. Empty until the arena is there. */
export let slotWords = new Int32Array(0);
/** The compare-and-swap of those words, by byte offset. */
export let cas: CompareExchange = () => -1;
/** This environment's owner id: what a lock word holds while we own it. */
export let me = 0;
/** As handles say it; '' before there is one. */
let arenaId = '';

/** Makes this process tree's arena if there is none yet, and becomes a participant. */
export function ensureArena(): void {
  if (me !== 0) return;
  if (native.arenaInfo() === null) {
    const id = randomBytes(8).readBigUInt64LE();
    orFail('ERR_MP_MEMORY', 'the shared memory of this process tree cannot be made', () => {
      native.createArena(id);
    });
  }
  enter();
}

/**
 * Uses the arena of the parent, whose descriptor this process has inherited. Before anything else of the package.
 * @throws MultiprocessingError `ERR_MP_LAYOUT_VERSION` if another version of multiproc made it
 */
export function attachArena(fd: number): void {
  mapArena(fd);
  enter();
}

/** The same without taking part: a forkserver, for its children. What it preloads may take part all the same. */
export function mapArena(fd: number): void {
  const problem = orFail('ERR_MP_MEMORY', `descriptor ${fd} cannot be opened as an arena`, () =>
    native.openArena(fd),
  );
  if (problem !== '') throw arenaError(problem);
  mapWords();
}

/** A forked child: it is somebody else than the server, whose place in the arena it must not take for its own. */
export function enterAfterFork(): void {
  me = 0;
  enter();
  Reference.openAgain();
}

/** Keeps objects until the returned function is called. */
export function pinEach(references: Iterable<Reference>): () => void {
  const unpins = Array.from(references, (reference) => reference.pin());
  return () => {
    for (const unpin of unpins.splice(0)) unpin();
  };
}

function arenaError(problem: string): MultiprocessingError {
  const [code, message] = arenaProblems[problem as keyof typeof arenaProblems];
  return new MultiprocessingError(code, message);
}

const arenaProblems = {
  unready: ['ERR_MP_DAMAGED', 'the shared memory was never finished: its creator died while making it'],
  not_an_arena: ['ERR_MP_DAMAGED', 'that is no shared memory of multiproc'],
  other_size: ['ERR_MP_DAMAGED', 'the shared memory is not the size it should have'],
  other_version: [
    'ERR_MP_LAYOUT_VERSION',
    `the shared memory has another layout than this version of multiproc (${layout.version}): let all processes load the same version`,
  ],
  other_libc: [
    'ERR_MP_LAYOUT_VERSION',
    'the shared memory was made by a Node.js with another C library: run all processes with one build of Node.js',
  ],
} as const satisfies Record<string, readonly [code: string, message: string]>;

function mapWords(): void {
  if (arenaId !== '') return;
  const slots = orFail('ERR_MP_UNSUPPORTED', 'this JavaScript runtime cannot use shared memory', mapSlots);
  arenaId = native.arenaInfo()!.id.toString(16);
  slotWords = new Int32Array(slots.buffer);
  ({ cas } = slots);
}

function enter(): void {
  mapWords();
  const owner = orFail(
    'ERR_MP_PARTICIPANTS',
    'no more JavaScript threads can join this process tree (4,095 are alive)',
    () => native.enter(threadId),
  );
  me = owner;
}

/** The arena's descriptor in this process, for children to inherit. */
export function arenaDescriptor(): number {
  ensureArena();
  return native.arenaInfo()!.fd;
}

/** The name others see in `lock.owner`. */
export function setEnvironmentName(name: string): void {
  native.rename(name);
}

export function ownOwnerId(): number {
  ensureArena();
  return me;
}

/** What a reference says of the object in a slot: its generation and kind (native/core/ring.h). */
export function headerOf(slot: number): number {
  return (slotWords[slot * wordsPerSlot + headerWord]! & ~0x80) >>> 0;
}

/** Gives back what participants that have died held: after a child was reaped, and whenever a leak must not wait. */
export function sweepDead(): void {
  if (me !== 0) native.sweep();
}

/** A handle that cannot have come out of share(). */
export function damaged(what: string): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_HANDLE', `open(): this ${what} handle is damaged`);
}

/** Where an object lies: what handles carry. */
export interface Address {
  readonly arena: string;
  readonly slot: number;
  readonly generation: number;
  /** In handles for processes that multiproc has not started: who has the arena, as which descriptor. */
  readonly at?: readonly ArenaPlace[];
}

export interface ArenaPlace {
  readonly pid: number;
  readonly fd: number;
}

/** Who is sure to have the arena: this process, and the one that made it. */
export function arenaPlaces(): ArenaPlace[] {
  ensureArena();
  const { fd, creatorPid, creatorFd } = native.arenaInfo()!;
  const own = { pid: process.pid, fd };
  return creatorPid === own.pid ? [own] : [own, { pid: creatorPid, fd: creatorFd }];
}

const isIndex = (value: unknown, end: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;

/** Whether an address can have come out of share(). */
function isAddress({ arena, slot, generation, at }: Address): boolean {
  const places: unknown = at ?? [];
  return (
    isIndex(slot, slotMax) && isIndex(generation, 1 << 24) &&
    typeof arena === 'string' && /^[\da-f]{1,16}$/.test(arena) && Array.isArray(places) && places.length <= 8 &&
    places.every((place: unknown) => {
      const { pid, fd } = (place ?? {}) as Partial<ArenaPlace>;
      return isIndex(pid, 2 ** 31) && pid > 0 && isIndex(fd, 2 ** 31);
    })
  ); // prettier-ignore
}

/** Makes sure that this environment is in the arena of an address; a process that has none joins it. */
function enterArenaOf({ arena, at = [] }: Address, what: string): void {
  if (me === 0 && native.arenaInfo() === null) join(arena, at, what);
  ensureArena();
  if (arena === arenaId) return;
  throw new MultiprocessingError(
    'ERR_MP_HANDLE',
    `open(): this ${what} belongs to another process tree, and this process has shared objects of its own already; ` +
      'call open() with a handle of that tree before anything else of multiproc',
  );
}

function join(arena: string, places: readonly ArenaPlace[], what: string): void {
  let refused: Error | undefined;
  for (const { pid, fd } of places) {
    try {
      const problem = native.joinArena(pid, fd, BigInt(`0x${arena}`));
      if (problem === '') return;
      // Else: the descriptor is another one's by now, perhaps of another program.
      if (problem.startsWith('other_')) throw arenaError(problem);
    } catch (error) {
      if (error instanceof MultiprocessingError) throw error;
      if (errnoOf(error) !== 'ENOENT') refused = error as Error;
    }
  }
  if (refused !== undefined) {
    const error = refused;
    orFail('ERR_MP_ACCESS', `open(): this process cannot get at the memory of this ${what}`, () => {
      throw error;
    });
  }
  const pids = places.map(({ pid }) => pid).join(' and ');
  throw new MultiprocessingError(
    'ERR_MP_NOT_FOUND',
    pids === ''
      ? `open(): this ${what} handle does not say where its memory is: pass on what share() returned`
      : `open(): this ${what} cannot be reached: nobody who could give its memory is alive here (pid ${pids})`,
  );
}

/**
 * This environment's one reference to a shared object, counted among the handles that use it.
 * The shared side knows only whether an environment holds the object, so a death never miscounts.
 */
export class Reference {
  static readonly #open = new Map<number, Reference>();

  readonly slot: number;
  readonly generation: number;
  readonly kind: number;
  #count = 1;
  /** What this environment keeps beside the object, shared by all its handles: a lock's local state. */
  local: LocalState | undefined;
  /** The same for its bytes. */
  block: object | undefined;

  private constructor(slot: number, kind: number) {
    this.slot = slot;
    this.kind = kind;
    this.generation = slotWords[slot * wordsPerSlot + headerWord]! >>> 8;
    Reference.#open.set(slot, this);
  }

  /** Those that are open in this environment. */
  static all(): Iterable<Reference> {
    return Reference.#open.values();
  }

  /** A new object: its lock free, its value 0. */
  static create(kind: number, detail: number): Reference {
    ensureArena();
    const slot = orFail('ERR_MP_MEMORY', 'a shared object cannot be made', () =>
      native.createObject(kind, detail),
    );
    return new Reference(slot, kind);
  }

  /** One more user of what lies in a slot that this environment holds. */
  static ofHeld(slot: number, kind: number): Reference {
    const known = Reference.#open.get(slot);
    if (!Reference.isOpen(slot)) return new Reference(slot, kind);
    known!.#count++;
    return known!;
  }

  /** A new object with bytes of its own, all zero. */
  static createBlock(kind: number, detail: number, bytes: number, what: string): Reference {
    ensureArena();
    const slot = orFail('ERR_MP_MEMORY', `${what}: ${bytes} bytes of shared memory cannot be had`, () =>
      native.createBlock(kind, detail, bytes),
    );
    return new Reference(slot, kind);
  }

  /** In a forked child: what the server has open is open here, too. */
  static openAgain(): void {
    for (const { slot, generation, kind } of Reference.#open.values())
      native.openObject(slot, generation, kind);
  }

  /** Whether a handle of this environment has the object that is in a slot now. */
  static isOpen(slot: number): boolean {
    const known = Reference.#open.get(slot);
    return known !== undefined && known.generation === headerOf(slot) >>> 8;
  }

  /** Whether something of this environment is held: see LocalState. */
  static anyMustStay(): boolean {
    return [...Reference.#open.values()].some((reference) => reference.local?.mustStay === true);
  }

  /** The object at an address; counts one more user. Throws ClosedError if it is gone. */
  static open(address: Address, kind: number, what: string): Reference {
    if (!isAddress(address)) throw damaged(what);
    if (address.arena !== arenaId) enterArenaOf(address, what);
    const { slot, generation } = address;
    const known = Reference.#open.get(slot);
    if (known?.generation === generation && known.kind === kind) {
      known.#count++;
      return known;
    }
    if (known?.generation === generation) throw damaged(what); // it is of another kind
    const opened = orFail('ERR_MP_MEMORY', `this ${what} cannot be opened`, () =>
      native.openObject(slot, generation, kind),
    );
    if (!opened) {
      throw new ClosedError(`open(): this ${what} is gone: everybody who held it closed it or ended`);
    }
    return new Reference(slot, kind);
  }

  get address(): Address {
    return { arena: arenaId, slot: this.slot, generation: this.generation };
  }
  /** The byte offset of the lock word. */
  get lockOffset(): number {
    return this.slot * layout.slotBytes + lockWord * 4;
  }
  /** The byte offset of the value in the buffer of `slotWords`. */
  get valueOffset(): number {
    return this.slot * layout.slotBytes + valueOffset;
  }
  get detail(): number {
    return slotWords[this.slot * wordsPerSlot + detailWord]!;
  }

  /** How many bytes of its own the object has. */
  get bytes(): number {
    const at = this.slot * wordsPerSlot + bytesWord;
    return (slotWords[at]! >>> 0) + (slotWords[at + 1]! >>> 0) * 2 ** 32; // little-endian, as all systems of ours
  }

  retain(): void {
    this.#count++;
  }
  /** One user less; the last one gives the object back, unless a guard is still out (`local.mustStay`). */
  release(): void {
    if (--this.#count === 0) this.settle();
  }
  /** Gives the object back if nothing here uses it any more. */
  settle(): void {
    if (this.#count > 0 || this.local?.mustStay === true || Reference.#open.get(this.slot) !== this) return;
    Reference.#open.delete(this.slot);
    this.local?.leave?.();
    native.closeObject(this.slot);
  }
  /** Keeps the object until the returned function is called. */
  pin(): () => void {
    this.retain();
    let pinned = true;
    return () => {
      if (pinned) this.release();
      pinned = false;
    };
  }
  /** Gives another participant a reference of its own. */
  grant(ownerId: number): void {
    orFail('ERR_MP_MEMORY', 'a reference cannot be recorded', () => native.grantObject(ownerId, this.slot));
  }
}

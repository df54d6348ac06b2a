/**
 * The arena as this environment sees it: the words of all slots, who we are, and references to objects.
 *
 * `slotWords`, `cas` and `me` are live bindings read on every hot path; they are set once, before the first object exists.
 */
import { randomBytes } from 'node:crypto';
import { threadId } from 'node:worker_threads';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { type CompareExchange, mapSlots } from './words.js';

const { layout } = native;
const wordsPerSlot = layout.slotBytes / 4;
const headerWord = layout.offsets['Slot.header']! / 4;
const lockWord = layout.offsets['Slot.word']! / 4;
const detailWord = layout.offsets['Slot.detail']! / 4;
const valueOffset = layout.offsets['Slot.value']!;

/** The byte offset of a word that is never free (slot 0 is nobody's): sends a fast path to its slow half. */
export const neverFree = lockWord * 4;

/** All slots as 32-bit words. Empty until the arena is there. */
export let slotWords = new Int32Array(0);
/** The compare-and-swap of those words, by byte offset. */
export let cas: CompareExchange = () => -1;
/** This environment's owner id: what a lock word holds while we own it. */
export let me = 0;
let arenaId = 0n;

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
  const problem = orFail('ERR_MP_MEMORY', `descriptor ${fd} cannot be opened as an arena`, () =>
    native.openArena(fd),
  );
  if (problem !== '') {
    const [code, message] = arenaProblems[problem as keyof typeof arenaProblems];
    throw new MultiprocessingError(code, message);
  }
  enter();
}

const arenaProblems = {
  unready: ['ERR_MP_DAMAGED', 'the inherited arena was never finished: its creator died while making it'],
  not_an_arena: ['ERR_MP_DAMAGED', 'the inherited descriptor is not an arena of multiproc'],
  other_size: ['ERR_MP_DAMAGED', 'the inherited arena is shorter than it says'],
  other_version: [
    'ERR_MP_LAYOUT_VERSION',
    `the inherited arena has another layout than this version of multiproc (${layout.version}): let the parent and its children load the same version`,
  ],
  other_libc: [
    'ERR_MP_LAYOUT_VERSION',
    'the inherited arena was made by a Node.js with another C library: run the whole process tree with one build of Node.js',
  ],
} as const satisfies Record<string, readonly [code: string, message: string]>;

function enter(): void {
  const slots = orFail('ERR_MP_UNSUPPORTED', 'this JavaScript runtime cannot use shared memory', mapSlots);
  const owner = orFail(
    'ERR_MP_PARTICIPANTS',
    'no more JavaScript threads can join this process tree (4,095 are alive)',
    () => native.enter(threadId),
  );
  arenaId = native.arenaInfo()!.id;
  slotWords = new Int32Array(slots.buffer);
  ({ cas } = slots);
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

/** Gives back what participants that have died held: after a child was reaped, and whenever a leak must not wait. */
export function sweepDead(): void {
  if (me !== 0) native.sweep();
}

const slotCount = layout.slotsBytes / layout.slotBytes;

function isIndex(value: unknown, end: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
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
  local: { readonly mustStay: boolean } | undefined;

  private constructor(slot: number, kind: number) {
    this.slot = slot;
    this.kind = kind;
    this.generation = slotWords[slot * wordsPerSlot + headerWord]! >>> 8;
    Reference.#open.set(slot, this);
  }

  /** A new object: its lock free, its value 0. */
  static create(kind: number, detail: number): Reference {
    ensureArena();
    const slot = orFail('ERR_MP_MEMORY', 'a shared object cannot be made', () =>
      native.createObject(kind, detail),
    );
    return new Reference(slot, kind);
  }

  /** The object at an address; counts one more user. Throws ClosedError if it is gone. */
  static open(address: Address, kind: number, what: string): Reference {
    ensureArena();
    const { arena, slot, generation } = address;
    if (typeof arena !== 'string' || !isIndex(slot, slotCount) || !isIndex(generation, 1 << 24)) {
      throw damaged(what);
    }
    if (arena !== arenaId.toString(16)) {
      throw new MultiprocessingError(
        'ERR_MP_HANDLE',
        `open(): this ${what} belongs to another process tree; processes share objects with those they start`,
      );
    }
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
    return { arena: arenaId.toString(16), slot: this.slot, generation: this.generation };
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

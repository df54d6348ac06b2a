/** The addon's surface for the arena, participants, objects and locks. Owner ids, slots and outcomes are numbers. */

export interface Census {
  participants: number;
  participantHigh: number;
  objects: number;
  slotsReserved: number;
  /** Slots that keep an extent of the heap for the next block of its size. */
  spares: number;
  /** Addresses of the heap that belong to slots, in bytes. */
  heapUsed: number;
  /** Memory that spares keep, in bytes. */
  heapWarm: number;
}

export interface Layout {
  readonly version: number;
  /** Byte offsets, e.g. `offsets['Slot.word']`. Stated in native/core/layout.h, nowhere else. */
  readonly offsets: Readonly<Record<string, number>>;
  readonly slotBytes: number;
  /** Of all slots together: a multiple of WebAssembly's pages. */
  readonly slotsBytes: number;
  readonly kindLock: number;
  readonly kindValue: number;
  readonly kindArray: number;
  readonly kindList: number;
  readonly kindSemaphore: number;
  readonly kindRWLock: number;
  readonly kindCondition: number;
  readonly kindBarrier: number;
  readonly kindEvent: number;
  readonly kindQueue: number;
  readonly kindRing: number;
  readonly kindPipe: number;
  readonly kindPipeEnd: number;
  readonly kindParcel: number;
  /** In front of the rings of a pipe or queue; and of the words of one direction. */
  readonly pipeBlockBytes: number;
  readonly pipeRingBytes: number;
  readonly queueBlockBytes: number;
  /** Of a pool's board, its entries, and how many there are. */
  readonly poolBoardBytes: number;
  readonly poolEntryBytes: number;
  readonly poolEntries: number;
  readonly ownerMask: number;
  readonly abandonedOwner: number;
}

/** How an attempt to get a lock ended; the numbers are native/core/lock.h's Outcome. */
export const Outcome = {
  acquired: 0,
  abandoned: 1,
  timedOut: 2,
  interrupted: 3,
  passedOn: 4,
  damaged: 5,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** `pid` is NaN for a process of another pid namespace. */
export interface OwnerInfo {
  pid: number;
  environment: number;
  name: string;
}

export interface ArenaBinding {
  readonly layout: Layout;
  createArena(id: bigint): void;
  /** '' or why the segment cannot be used. Takes the descriptor over. */
  openArena(fd: number): string;
  /** The same with what another process has as its descriptor `fd`, if it is the arena with that id. */
  joinArena(pid: number, fd: number, id: bigint): string;
  arenaInfo(): { fd: number; id: bigint; creatorPid: number; creatorFd: number } | null;
  /** All slots as an external ArrayBuffer. */
  slots(): ArrayBuffer;
  /** Maps all slots over a WebAssembly memory. */
  mapSlots(buffer: ArrayBuffer): void;
  enter(environmentId: number): number;
  rename(name: string): void;
  ownerInfo(ownerId: number): OwnerInfo | null;
  ownerAlive(ownerId: number): boolean;
  sweep(): number;
  createObject(kind: number, detail: number): number;
  openObject(index: number, generation: number, kind: number): boolean;
  grantObject(ownerId: number, index: number): boolean;
  closeObject(index: number): void;
  census(): Census;

  /** An object with bytes of its own, all zero: the index of its slot. */
  createBlock(kind: number, detail: number, bytes: number): number;
  /** A new buffer over the bytes of a block that this environment holds. One at a time. */
  openBlock(index: number): ArrayBuffer;
  /** Detaches it. False: its bytes were moved to another buffer and may still be used. */
  closeBlock(index: number, buffer: ArrayBuffer): boolean;

  // Locks: an index of an object, or of a named lock that is open here.

  /** Blocks this thread. */
  acquireLock(index: number, timeoutMs: number): Outcome;
  tryLock(index: number): Outcome;
  releaseLock(index: number): boolean;
  releaseAnyLock(index: number): boolean;
  /** Whoever alive holds it. */
  lockOwner(index: number): OwnerInfo | null;
  /** How many environments wait for it: the dead are not counted. */
  lockWaiters(index: number): number;
  lockIsMine(index: number): boolean;
  /** False: somebody has damaged a named lock's memory. */
  lockIntact(index: number): boolean;
  /** Releases what this environment holds as if it had died: the next owner is told. */
  abandonLock(index: number): void;
  /** Starts an asynchronous wait that began `agoMs` ago; its end comes through onWaitDone. */
  waitLock(index: number, timeoutMs: number, agoMs: number): number;
  cancelWait(id: number): Outcome;
  onWaitDone(done: (id: number, outcome: Outcome) => void): void;
}

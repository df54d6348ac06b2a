/** What one environment has of one name of `locks.request()`: its lock while somebody here uses it, and who holds it. */
import { MultiprocessingError } from '../errors.js';
import type { SegmentPlace } from '../memory/segment-name.js';
import { native } from '../native/load.js';
import { openAt, type NamedReference, namedRequest } from './named-lock.js';
import { type RWMode, RWLockState } from './rwlock.js';
import { addWait, forgetWait, listen } from './waits.js';

/** How long a name stays open here after its last use. */
const idleMs = 1000;
/** Others that make and retire the same name all the time are given up on after as many rounds. */
const roundsMax = 1000;

/** A lock that a callback of this environment has. */
export interface Holding {
  readonly mode: RWMode;
  /** How often we had been stolen from when it was granted. */
  readonly epoch: number;
  /** Tells its request that it was stolen. */
  readonly stolen: () => void;
}

export class RequestEntry {
  static readonly #open = new Map<string, RequestEntry>();

  readonly state: RWLockState;
  readonly #place: SegmentPlace;
  readonly #reference: NamedReference;
  readonly #holdings = new Set<Holding>();
  #users = 0;
  #idle: NodeJS.Timeout | undefined;
  #watchId = 0;

  private constructor(place: SegmentPlace, reference: NamedReference) {
    this.#place = place;
    this.#reference = reference;
    this.state = RWLockState.of(reference);
    RequestEntry.#open.set(place.name, this);
  }

  /** The entry of a name, opened or made; counts one more user. */
  static use(place: SegmentPlace, what: string): RequestEntry {
    const entry = RequestEntry.#open.get(place.name) ?? RequestEntry.#openNew(place, what);
    entry.#users++;
    clearTimeout(entry.#idle);
    return entry;
  }

  static #openNew(place: SegmentPlace, what: string): RequestEntry {
    if (RequestEntry.#open.size === 0) process.once('exit', RequestEntry.#retireAll);
    for (let round = 0; round < roundsMax; round++) {
      const reference = openAt(namedRequest, place, {}, what);
      const state = RWLockState.of(reference);
      if (!native.rwlockGone(reference.slot, state.seat)) return new RequestEntry(place, reference);
      unlink(place, reference);
      reference.release();
    }
    throw new MultiprocessingError('ERR_MP_EXISTS', `${what}: others keep making and deleting it; try again`);
  }

  static readonly #retireAll = (): void => {
    for (const entry of RequestEntry.#open.values()) entry.#retire();
  };

  /** One user less. */
  done(): void {
    if (--this.#users > 0) return;
    this.#idle = setTimeout(() => {
      this.#retire();
    }, idleMs);
    this.#idle.unref();
  }

  /** A callback has the lock now. */
  add(mode: RWMode, stolen: () => void): Holding {
    const holding = { mode, stolen, epoch: this.state.stolen };
    this.#holdings.add(holding);
    if (this.#watchId === 0) this.#watch();
    return holding;
  }

  /** It has it no longer. Who was stolen from, and has not heard of it, is told now. */
  remove(holding: Holding): void {
    if (!this.#holdings.delete(holding)) return;
    if (this.state.stolen === holding.epoch) this.state.releaseOne(holding.mode);
    else holding.stolen();
  }

  /** Hears, from the first holding on, when somebody steals the lock. */
  #watch(): void {
    listen();
    this.#watchId = native.watchStolen(this.#reference.slot, this.state.seat);
    addWait(this.#watchId, () => {
      this.#watchId = 0;
      this.#watch();
    });
    this.#tellStolen(); // before we began to watch
  }

  #tellStolen(): void {
    const epoch = this.state.stolen;
    for (const holding of this.#holdings) {
      if (holding.epoch === epoch) continue;
      this.#holdings.delete(holding);
      holding.stolen();
    }
  }

  #callOff(): void {
    if (this.#watchId === 0) return;
    forgetWait(this.#watchId);
    native.cancelWait(this.#watchId);
    this.#watchId = 0;
  }

  /** Closes it; the last one that has it open takes the name away. */
  #retire(): void {
    RequestEntry.#open.delete(this.#place.name);
    this.#callOff();
    if (native.rwlockRetire(this.#reference.slot, this.state.seat)) unlink(this.#place, this.#reference);
    this.#reference.release();
  }
}

/** Takes the name away, if it is still that very file's. */
function unlink(place: SegmentPlace, { file }: NamedReference): void {
  try {
    native.unlinkSegment(place.name, false, file.device, file.inode);
  } catch (error) {
    if ((error as { errno?: string }).errno !== 'ENOENT') throw error; // somebody else was first
  }
}

/** A pool's board (native/core/pool_board.h says what its words mean, and who may write them), as either side sees it. */
import { MpArray as SharedInts, RawArray } from '../memory/array.js';
import { native } from '../native/load.js';
import { monotonic } from './clock.js';

const { layout } = native;
const { offsets } = layout;
const entriesAt = offsets['PoolBoard.entry']! / 4;
const wordsPerEntry = layout.poolEntryBytes / 4;
const taskWord = entriesAt + offsets['PoolEntry.task']! / 4;
const callWord = entriesAt + offsets['PoolEntry.call']! / 4;
const resultWord = entriesAt + offsets['PoolEntry.result']! / 4;
const sinceWord = entriesAt + offsets['PoolEntry.since']! / 4;
const beganDouble = (offsets['PoolBoard.entry']! + offsets['PoolEntry.began']!) / 8;
const endedDouble = (offsets['PoolBoard.entry']! + offsets['PoolEntry.ended']!) / 8;
const takenWord = offsets['PoolBoard.taken']! / 4;
const busyDouble = offsets['PoolBoard.busy']! / 8;
const busySinceDouble = offsets['PoolBoard.since']! / 8;

const queued = 0;
const started = 1;
const withdrawn = 2;

/** Numbers of tasks and results have so many bits; they wrap. */
export const numberMask = (1 << 29) - 1;
export const entryMask = layout.poolEntries - 1;
/** How many tasks may be on their way at once (P3). */
export const tasksMax = layout.poolEntries / 2;

/** What a result is. */
export const ResultKind = { returned: 0, threw: 1, said: 2 } as const;
/** How the arguments of a task are to be used; below the function's number in `call`. */
export const CallKind = { call: 0, map: 1, starmap: 2, define: 3 } as const;
export type CallKind = (typeof CallKind)[keyof typeof CallKind];

export const callOf = (fn: number, kind: CallKind): number => (fn << 2) | kind;
export const callKind = (call: number): CallKind => (call & 3) as CallKind;
export const callFunction = (call: number): number => call >>> 2;

export type SharedBoard = SharedInts<'i'>;

export function createBoard(): SharedBoard {
  return new RawArray('i', layout.poolBoardBytes / 4) as SharedBoard;
}

export class Board {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor({ raw }: SharedBoard) {
    this.#words = raw;
    this.#doubles = new Float64Array(raw.buffer, raw.byteOffset, raw.length / 2);
  }

  /** By the dispatcher, before it puts task `n`. */
  queue(n: number, call: number): void {
    const at = (n & entryMask) * wordsPerEntry;
    this.#words[at + callWord] = call;
    Atomics.store(this.#words, at + taskWord, (n << 2) | queued);
  }

  /** By the worker. False: the dispatcher has withdrawn it. */
  start(n: number): boolean {
    return this.#change(n, started);
  }

  /** By the dispatcher. False: the worker has started it. */
  withdraw(n: number): boolean {
    return this.#change(n, withdrawn);
  }

  #change(n: number, state: number): boolean {
    const at = (n & entryMask) * wordsPerEntry + taskWord;
    const was = (n << 2) | queued;
    return Atomics.compareExchange(this.#words, at, was, (n << 2) | state) === was;
  }

  /** The number of the next task that the worker will take. */
  get taken(): number {
    return Atomics.load(this.#words, takenWord);
  }
  set taken(n: number) {
    Atomics.store(this.#words, takenWord, n);
  }

  /** Of one that is not withdrawn. */
  isStarted(n: number): boolean {
    if (((n - this.taken) & numberMask) > numberMask >>> 1) return true;
    return Atomics.load(this.#words, (n & entryMask) * wordsPerEntry + taskWord) === ((n << 2) | started);
  }

  call(n: number): number {
    return this.#words[(n & entryMask) * wordsPerEntry + callWord]!;
  }

  /** By the worker, before it puts result `n`. */
  setResult(n: number, task: number, kind: number): void {
    this.#words[(n & entryMask) * wordsPerEntry + resultWord] = (task << 2) | kind;
  }

  /** The number of the task, and below it, in two bits, what the result is. */
  result(n: number): number {
    return this.#words[(n & entryMask) * wordsPerEntry + resultWord]!;
  }

  setTimes(n: number, began: number, ended: number): void {
    const at = ((n & entryMask) * wordsPerEntry) / 2;
    this.#doubles[at + beganDouble] = began;
    this.#doubles[at + endedDouble] = ended;
  }

  times(n: number): [began: number, ended: number] {
    const at = ((n & entryMask) * wordsPerEntry) / 2;
    return [this.#doubles[at + beganDouble]!, this.#doubles[at + endedDouble]!];
  }

  /** By the worker, while somebody traces: task `n` begins. */
  setSince(n: number): void {
    this.#words[(n & entryMask) * wordsPerEntry + sinceWord] = (monotonic() * 10) % 2 ** 32;
  }

  /** When task `n` began, in milliseconds: right for some days. */
  since(n: number): number {
    const now = Math.floor(monotonic() * 10);
    return (now - ((now - this.#words[(n & entryMask) * wordsPerEntry + sinceWord]!) >>> 0)) / 10;
  }

  /** By the worker: it runs something from now on. */
  begin(): void {
    this.#doubles[busySinceDouble] = monotonic();
  }

  /** By the worker: it runs nothing any more. */
  end(): void {
    const since = this.#doubles[busySinceDouble]!;
    // Who looks in between finds it less busy than it was, not more.
    this.#doubles[busySinceDouble] = 0;
    this.#doubles[busyDouble]! += monotonic() - since;
  }

  /** How many milliseconds it has run tasks. */
  get busy(): number {
    const since = this.#doubles[busySinceDouble]!;
    return this.#doubles[busyDouble]! + (since === 0 ? 0 : Math.max(0, monotonic() - since));
  }
}

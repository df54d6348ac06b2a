/** One worker as the pool's dispatcher has it: the ring with its tasks, and which of them it has not answered. */
import { Pipe, pipeStateOf } from '../connection/pipe.js';
import type { Connection } from '../connection/connection.js';
import type { PipeState } from '../connection/pipe-state.js';
import type { RingWriter } from '../connection/ring-writer.js';
import { valueLater } from '../message/reader.js';
import {
  Board,
  callOf,
  entryMask,
  CallKind,
  createBoard,
  numberMask,
  type SharedBoard,
  tasksMax,
} from './board.js';
import { Control, controlBytes } from './control.js';
import type { FunctionEntry } from './functions.js';
import type { Host, Seat, Worker, WorkerEnd } from './host.js';
import { oomKills } from './oom.js';
import type { Task } from './task.js';

const ringBytes = 256 << 10;
const what = 'Pool';
/** How many tasks may be in one ring: tasks beyond wait in the backlog. */
export const windowMax = tasksMax - 2;
const windowFirst = 8;

export class Link {
  readonly number: number;
  readonly worker: Worker;
  readonly board: Board;
  /** How many tasks it may have: more when they are short, and no fewer than it runs at once, and the next. */
  window: number;
  readonly windowLeast: number;
  /** How many tasks it may still be given. */
  left: number;
  isReady = false;
  /** It gets no more tasks, and ends when it has none. */
  isRetiring = false;
  hasEnded = false;
  /** By this pool. */
  wasKilled = false;
  /** Tasks that are not answered and not withdrawn. */
  outstanding = 0;
  done = 0;
  /** When it last answered, or was given a task that it had none before. */
  activeAt = 0;
  /** Since when it has had nothing to do. */
  idleSince = performance.now();
  /** How many of this control group the kernel had killed for memory when it started. */
  readonly oomKillsBefore = oomKills.look();
  readonly #shared: SharedBoard;
  readonly #own: Connection;
  readonly #control: Control;
  readonly #state: PipeState;
  readonly #writer: RingWriter;
  /** The unanswered ones, by number; beside it those whose place another has by now. */
  readonly #entries: (Task | null)[] = new Array<Task | null>(entryMask + 1).fill(null);
  readonly #slow = new Map<number, Task>();
  /** Where their records lie in the ring. */
  readonly #units = new Int32Array(entryMask + 1);
  readonly #knows: boolean[] = [];
  /** Numbers of the next task and the next result. */
  #next = 0;
  #results = 0;

  constructor(
    host: Host,
    seat: Omit<Seat, 'tasks' | 'control' | 'board'>,
    name: string,
    tasksLeft: number,
    ended: (link: Link, end: WorkerEnd) => void,
  ) {
    this.number = seat.number;
    this.windowLeast = Math.min(windowMax, seat.concurrency + 1);
    this.window = Math.max(windowFirst, this.windowLeast);
    this.left = tasksLeft;
    this.#shared = createBoard();
    this.board = new Board(this.#shared);
    const [own, tasks] = Pipe({ bytes: ringBytes });
    const [control, itsControl] = Pipe({ bytes: controlBytes });
    this.#own = own;
    this.#control = new Control(control);
    this.#state = pipeStateOf(own, what);
    try {
      this.worker = host.start({ ...seat, tasks, control: itsControl, board: this.#shared }, name, (end) => {
        ended(this, end);
      });
      this.#writer = this.#state.sender(what);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      // It has its own handles by now, or will have: they are pinned until then.
      tasks.close();
      itsControl.close();
    }
  }

  get isLeaving(): boolean {
    return this.isRetiring || this.hasEnded;
  }

  get accepts(): boolean {
    return !this.isLeaving && this.left > 0;
  }

  /** Gives it a task with these arguments, if there is room. */
  offer(task: Task, value: unknown, rootName: string): boolean {
    if (!this.#teach(task.fn)) return false;
    this.board.queue(this.#next, task.call);
    const put = this.#writer.offer(value, rootName, what);
    if (put === false) return false;
    if (put !== true) {
      task.packed = put;
      if (!this.#writer.putPacked(put, what)) return false;
    }
    this.#sent(task);
    return true;
  }

  /** The same with a task whose arguments are a record already. */
  offerRecord(task: Task): boolean {
    if (!this.#teach(task.fn)) return false;
    this.board.queue(this.#next, task.call);
    const put =
      task.packed !== null
        ? this.#writer.putPacked(task.packed, what)
        : this.#writer.putRecord(task.memory!, task.start, task.bytes);
    if (!put) return false;
    task.memory = null;
    this.#sent(task);
    return true;
  }

  #sent(task: Task): void {
    const n = this.#next;
    const at = n & entryMask;
    this.#makeRoom(n);
    this.#entries[at] = task;
    this.#units[at] = this.#writer.lastUnit;
    task.link = this;
    task.number = n;
    this.#next = (n + 1) & numberMask;
    this.left--;
    if (this.outstanding++ === 0) this.activeAt = performance.now();
  }

  /** Sees to it that it knows a function. False: there is no room to tell it, or for a task. */
  #teach({ number, ref }: FunctionEntry): boolean {
    if (((this.#next - this.board.taken) & numberMask) + 2 > tasksMax) return false;
    if (this.#knows[number] === true) return true;
    const n = this.#next;
    this.board.queue(n, callOf(number, CallKind.define));
    if (this.#writer.offer(ref, 'function', what) !== true) return false;
    this.#makeRoom(n);
    this.#next = (n + 1) & numberMask;
    this.#knows[number] = true;
    return true;
  }

  /** One that has run so long that its place comes up again. */
  #makeRoom(n: number): void {
    const at = n & entryMask;
    const slow = this.#entries[at];
    if (slow === null || slow === undefined) return;
    this.#slow.set(slow.number, slow);
    slow.began = this.board.since(slow.number);
    this.#entries[at] = null;
  }

  /** Whether a result has come. False also at its end. */
  look(): boolean {
    try {
      return this.#state.look(what);
    } catch {
      return false; // it has ended; the end itself is told otherwise
    }
  }

  /** Takes the result that look() has found: which task it is of (null: of none that waits for it), and what it is. */
  take(): { task: Task | null; kind: number; times: number; value: unknown } {
    const times = this.#results;
    const word = this.board.result(times);
    this.#results = (times + 1) & numberMask;
    const kind = word & 3;
    let value: unknown;
    try {
      value = this.#state.take(what);
    } catch (error) {
      value = laterOrNever(error);
    }
    return { task: kind === 2 ? null : this.#answered(word >>> 2), kind, times, value };
  }

  #answered(n: number): Task | null {
    const task = this.#remove(n);
    if (task === null) return null;
    this.outstanding--;
    this.done++;
    return task;
  }

  #remove(n: number): Task | null {
    const at = n & entryMask;
    const task = this.#entries[at] ?? null;
    if (task?.number === n) {
      this.#entries[at] = null;
      return task;
    }
    const slow = this.#slow.get(n) ?? null;
    this.#slow.delete(n);
    return slow;
  }

  /** Takes a task back. False: it runs. */
  withdraw(task: Task): boolean {
    if (!this.board.withdraw(task.number)) return false;
    this.#remove(task.number);
    this.outstanding--;
    this.left++;
    return true;
  }

  /** Takes back up to so many tasks, the newest, with their records: the oldest of them first. */
  withdrawNewest(count: number): Task[] {
    const withdrawn: Task[] = [];
    const { taken } = this.board;
    for (let n = this.#next; n !== taken && withdrawn.length < count;) {
      n = (n - 1) & numberMask;
      const task = this.#entries[n & entryMask] ?? null;
      if (task?.number !== n || task.only !== null) continue;
      if (!this.withdraw(task)) break; // what is older has been started as well
      this.#keepRecord(task);
      withdrawn.unshift(task);
    }
    return withdrawn;
  }

  /** After its end, when its results have been read: the tasks that it had started, and those it had not. */
  leftBehind(): { started: Task[]; queued: Task[] } {
    const started: Task[] = [];
    const queued: Task[] = [];
    const age = (task: Task): number => (this.#next - task.number) & numberMask;
    for (const task of [...this.tasks()].sort((a, b) => age(b) - age(a))) {
      if (this.board.isStarted(task.number)) {
        started.push(task);
      } else {
        this.#keepRecord(task);
        queued.push(task);
      }
    }
    this.#entries.fill(null);
    this.#slow.clear();
    this.outstanding = 0;
    return { started, queued };
  }

  /** When a task that it has started, and not answered, began. */
  since(task: Task): number {
    return task.began === 0 ? this.board.since(task.number) : task.began;
  }

  /** All tasks that it has not answered. */
  *tasks(): Iterable<Task> {
    for (const task of this.#entries) if (task !== null) yield task;
    yield* this.#slow.values();
  }

  /** Only this process writes in the ring, so what nobody has read lies there still. */
  #keepRecord(task: Task): void {
    task.link = null;
    if (task.packed !== null) return;
    const unit = this.#units[task.number & entryMask]!;
    const record = this.#writer.copyAt(unit);
    task.memory = record;
    task.start = 0;
    task.bytes = record.bytes.length;
  }

  /** Tells it that nobody waits for a running task any more: soon, if there is no room to say so now. */
  abort(task: Task, reason: string): void {
    this.#control.abort(task, reason);
  }

  /** Since when it could know of a task's abort. */
  toldAt(task: Task): number {
    return this.#control.toldAt(task);
  }

  /** Tells it to end when it has done what is in its ring. */
  finish(): void {
    this.#control.finish();
  }

  /** Ends it at once: tasks that it runs besides die with it. */
  kill(): void {
    this.wasKilled = true;
    this.worker.kill();
  }

  /** After its end. */
  close(): void {
    this.#own.close();
    this.#control.close();
    this.#shared.close();
  }
}

/** A value that another module must be loaded for, or an error as a promise that fails. */
function laterOrNever(error: unknown): Promise<unknown> {
  let later: Promise<unknown>;
  try {
    later = valueLater(error);
  } catch (failure) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what decoding threw
    later = Promise.reject(failure);
  }
  return new Undecoded(later) as unknown as Promise<unknown>;
}

/** In place of a value: the promise for it. */
export class Undecoded {
  readonly promise: Promise<unknown>;

  constructor(promise: Promise<unknown>) {
    this.promise = promise;
  }
}

/** A timeline of a pool's tasks, as Chrome's trace viewer and Perfetto read it: a row for each worker, or for all it runs at once. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Link } from './link.js';
import type { Task } from './task.js';

const bufferedMax = 64 << 10;

/** A row: events on one must not overlap. */
interface Lane {
  readonly tid: number;
  /** Of its last event. */
  endedAt: number;
}

export class TraceFile {
  readonly #path: string;
  readonly #fd: number;
  /** Each event ends what was written before it, so that the list can be ended after any of them. */
  #text = '[';
  #hasEvents = false;
  #isClosed = false;
  readonly #lanes = new Map<Link, Lane[]>();
  #lanesMade = 0;
  readonly #pid = process.pid;
  readonly #atExit = (): void => {
    if (process.pid === this.#pid) this.close(); // not in one that was forked from it
  };

  /** @throws the file system's error */
  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, 'w');
    process.once('exit', this.#atExit);
  }

  /** A task that ran from `began` to `ended`, in milliseconds. Those of one worker must come in the order of their ends. */
  add(link: Link, task: Task, [began, ended]: readonly [number, number]): void {
    if (this.#isClosed) return;
    const lane = this.#laneOf(link, began);
    lane.endedAt = ended;
    const ts = Math.round(began * 1000);
    const dur = Math.max(0, Math.round(ended * 1000) - ts);
    const where = { pid: process.pid, tid: lane.tid };
    this.#write({ name: task.fn.name, cat: 'task', ph: 'X', ts, dur, ...where, args: { id: task.number } });
  }

  /** Its worker has ended. */
  forget(link: Link): void {
    this.#lanes.delete(link);
  }

  /** Of the lanes that are free from `began` on the one that was the last to become so: then there are no more than needed. */
  #laneOf(link: Link, began: number): Lane {
    let lanes = this.#lanes.get(link);
    if (lanes === undefined) this.#lanes.set(link, (lanes = []));
    let best: Lane | null = null;
    for (const lane of lanes)
      if (lane.endedAt <= began && (best === null || lane.endedAt > best.endedAt)) best = lane;
    if (best !== null) return best;
    const lane = { tid: ++this.#lanesMade, endedAt: 0 };
    lanes.push(lane);
    const { worker, number } = link;
    const name = `Worker ${number}${lanes.length > 1 ? ` (${lanes.length})` : ''}`;
    const where = { pid: process.pid, tid: lane.tid };
    this.#write({
      name: 'thread_name',
      ph: 'M',
      ...where,
      args: { name, worker: worker.name, pid: worker.pid },
    });
    // Rows by worker, not in the order in which they came up.
    const order = number * 1000 + lanes.length;
    this.#write({ name: 'thread_sort_index', ph: 'M', ...where, args: { sort_index: order } });
    return lane;
  }

  #write(event: object): void {
    this.#text += `${this.#hasEvents ? ',' : ''}\n${JSON.stringify(event)}`;
    this.#hasEvents = true;
    if (this.#text.length > bufferedMax) this.#flush();
  }

  /** Where nothing can be written any more, there is no more to trace: the pool goes on without. */
  #flush(): void {
    if (this.#isClosed) return;
    try {
      const bytes = Buffer.from(this.#text);
      this.#text = '';
      for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      this.#end();
      process.emitWarning(
        `The trace of a pool cannot be written any more to ${this.#path}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /** Ends the list: a file that was not ended, because the program was killed, can be read all the same. */
  close(): void {
    if (this.#isClosed) return;
    this.#write({ name: 'process_name', ph: 'M', pid: process.pid, args: { name: 'Pool' } });
    this.#text += '\n]\n';
    this.#flush();
    this.#end();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.removeListener('exit', this.#atExit);
    try {
      closeSync(this.#fd);
    } catch {
      // What a network file system did not take has been lost.
    }
  }
}

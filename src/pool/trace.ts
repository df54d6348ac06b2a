/** A timeline of a pool's tasks, as Chrome's trace viewer and Perfetto read it: a row for each worker. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Link } from './link.js';
import type { Task } from './task.js';

const bufferedMax = 64 << 10;

export class TraceFile {
  readonly #fd: number;
  #text = '[\n';
  #isClosed = false;
  readonly #named = new Set<Link>();
  readonly #atExit = (): void => {
    this.close();
  };

  /** @throws the file system's error */
  constructor(path: string | URL) {
    this.#fd = openSync(path, 'w');
    process.once('exit', this.#atExit);
  }

  /** A task that ran from `began` to `ended`, milliseconds of the clock. */
  add(link: Link, task: Task, [began, ended]: readonly [number, number]): void {
    if (this.#isClosed) return;
    const where = { pid: process.pid, tid: link.number };
    if (!this.#named.has(link)) {
      this.#named.add(link);
      const name = `${link.worker.name} (pid ${link.worker.pid})`;
      this.#write({ name: 'thread_name', ph: 'M', ...where, args: { name } });
    }
    const ts = Math.round(began * 1000);
    const dur = Math.max(0, Math.round((ended - began) * 1000));
    this.#write({ name: task.fn.name, cat: 'task', ph: 'X', ts, dur, ...where, args: { id: task.number } });
  }

  #write(event: object): void {
    this.#text += `${JSON.stringify(event)},\n`;
    if (this.#text.length > bufferedMax) this.#flush();
  }

  #flush(): void {
    writeSync(this.#fd, this.#text);
    this.#text = '';
  }

  /** Ends the list: a file that was not ended, because the program was killed, can be read all the same. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.removeListener('exit', this.#atExit);
    this.#write({ name: 'process_name', ph: 'M', pid: process.pid, args: { name: 'Pool' } });
    this.#text = `${this.#text.slice(0, -2)}\n]\n`;
    this.#flush();
    closeSync(this.#fd);
  }
}

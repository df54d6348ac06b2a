// What all workers see: counters, and a table of how often each client has asked. It lies in shared memory, so a worker
// that dies takes nothing of it along.
import * as mp from 'multiproc';

const cells = 4096;
const counters = ['served', 'refused', 'starts'];

export class Shared {
  #counts = Object.fromEntries(counters.map((name) => [name, new mp.Value('q', 0)]));
  /** One cell per client: the second (upper half) and how often it has asked in it (lower half). */
  #asked = new mp.RawArray('i', cells);
  /** By worker: its pid, once it serves; 0 while there is none. */
  pids;

  constructor(workers, perSecond) {
    this.pids = new mp.RawArray('i', workers);
    this.perSecond = perSecond;
  }

  count(name) {
    this.#counts[name].add(1);
  }

  /** Whether the client may ask once more this second. Clients that share a cell share its limit. */
  limit(client) {
    let cell = 0;
    for (let i = 0; i < client.length; i++) cell = (Math.imul(cell, 31) + client.charCodeAt(i)) >>> 0;
    cell %= cells;
    const second = Math.floor(Date.now() / 1000) & 0x7fff;
    for (;;) {
      const was = Atomics.load(this.#asked, cell);
      const asked = was >> 16 === second ? was & 0xffff : 0;
      if (asked >= this.perSecond) return false;
      if (Atomics.compareExchange(this.#asked, cell, was, (second << 16) | (asked + 1)) === was) return true;
    }
  }

  status() {
    const counts = Object.fromEntries(counters.map((name) => [name, Number(this.#counts[name].value)]));
    return { ...counts, pids: Array.from(this.pids), answeredBy: process.pid };
  }
}

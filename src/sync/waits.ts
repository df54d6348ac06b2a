/** Where the ends of native waits arrive, and what keeps the loop alive for those who wait. */
import type { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';

const ends = new Map<number, (outcome: Outcome) => void>();
let listening = false;

export function addWait(id: number, ended: (outcome: Outcome) => void): void {
  ends.set(id, ended);
}

export function forgetWait(id: number): void {
  ends.delete(id);
}

/** Makes sure ends are heard. Before the first native wait. */
export function listen(): void {
  if (listening) return;
  listening = true;
  native.onWaitDone((id, outcome) => {
    const ended = ends.get(id);
    ends.delete(id);
    ended?.(outcome);
  });
}

let waiting = 0;
let ticker: NodeJS.Timeout | undefined;

/** A request more or less: while there is one, `await lock.acquire()` keeps the process alive. */
export function keepAlive(change: 1 | -1): void {
  waiting += change;
  if (waiting > 0) ticker ??= setInterval(() => undefined, 0x7fffffff);
  else if (ticker !== undefined) {
    clearInterval(ticker);
    ticker = undefined;
  }
}

/** In a forked child: the waits are its parent's. */
export function forgetWaits(): void {
  ends.clear();
  waiting = 0;
  ticker = undefined; // dropped with all timers
}

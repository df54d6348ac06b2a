/** The threads of this process, and waiting until those that only live for a moment are gone. */
import { native } from '../native/load.js';

export function threadNames(): string[] {
  return native.threadNames().split('\n').filter(Boolean);
}

const nap = new Int32Array(new SharedArrayBuffer(4));
const napMs = 0.1;

/** Whether something holds, now or within so many milliseconds. Blocks this thread meanwhile. */
export function within(timeoutMs: number, holds: () => boolean): boolean {
  for (const until = performance.now() + timeoutMs; !holds(); Atomics.wait(nap, 0, 0, napMs)) {
    if (performance.now() > until) return false;
  }
  return true;
}

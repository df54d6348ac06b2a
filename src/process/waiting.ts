/** Waiting for a condition that someone else announces. */
import { addAbortListener } from 'node:events';
import { atDeadline } from '../sync/at-deadline.js';
import type { Wait } from '../sync/wait-options.js';

/** Functions called whenever the condition may have come true. */
export type Wakers = Set<() => void>;

/** Resolves with true once `ready()`, with false after the timeout; rejects with the signal's reason. */
export async function until(
  wakers: Wakers,
  ready: () => boolean,
  { timeout, signal }: Wait,
): Promise<boolean> {
  signal?.throwIfAborted();
  if (ready()) return true;
  if (timeout === 0) return false;
  const deadline = performance.now() + timeout;
  let stopTimer: (() => void) | undefined;
  let abort: Disposable | undefined;
  let wake: (() => void) | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      wake = () => {
        if (ready()) resolve(true);
      };
      wakers.add(wake);
      stopTimer = atDeadline(deadline, () => {
        resolve(ready());
      });
      if (signal !== undefined) {
        abort = addAbortListener(signal, () => {
          reject(signal.reason as Error);
        });
      }
    });
  } finally {
    if (wake !== undefined) wakers.delete(wake);
    stopTimer?.();
    abort?.[Symbol.dispose]();
  }
}

import type { TimeoutError } from '../errors.js';
import { atDeadline } from '../sync/at-deadline.js';
import type { Wait } from '../sync/wait-options.js';
import { onAbort } from './on-abort.js';

/** Ends tasks for their caller; with `running` false only what has not begun. False: nothing was ended. */
export type Stop = (reason: unknown, running?: boolean) => boolean;

/** Ends something at a deadline, `since` when the timeout counts, or a signal's abort. The returned function calls that off. */
export function watch(
  { timeout, signal }: Wait,
  stop: (reason: unknown) => unknown,
  late: () => TimeoutError,
  since = performance.now(),
): () => void {
  if (timeout === Infinity && signal === undefined) return () => undefined;
  const unlisten =
    signal === undefined
      ? null
      : onAbort(signal, () => {
          stop(signal.reason);
        });
  const stopTimer = atDeadline(since + timeout, () => {
    stop(late());
  });
  return () => {
    stopTimer();
    unlisten?.();
  };
}

/** A promise for something that a task waits for, with a timeout and a signal that end the wait their own way. */
import { atDeadline } from './at-deadline.js';

export interface LaterTask<T> {
  readonly handle: object;
  /** Ends the wait. */
  done(value: T): void;
  fail(reason: unknown): void;
}

export interface Later<T> {
  readonly handle: object;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Begins the wait; may end it at once. */
  readonly begin: (task: LaterTask<T>) => void;
  /** The timeout has passed: ends the wait now or later. */
  readonly timedOut: (task: LaterTask<T>) => void;
  /** The signal was aborted: ends the wait now or later. */
  readonly aborted: (task: LaterTask<T>, reason: unknown) => void;
}

export function waitLater<T>({ handle, timeout, signal, begin, timedOut, aborted }: Later<T>): Promise<T> {
  return new Promise<T>((resolve, rejectWith) => {
    const deadline = performance.now() + timeout;
    let stopTimer = (): void => undefined;
    let ended = false as boolean; // set in a call below, which the compiler does not see
    const end = (): void => {
      ended = true;
      stopTimer();
      signal?.removeEventListener('abort', abort);
    };
    const task: LaterTask<T> = {
      handle,
      done(value) {
        end();
        resolve(value);
      },
      fail(reason) {
        end();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an AbortSignal's reason is anything
        rejectWith(reason);
      },
    };
    const abort = (): void => {
      aborted(task, signal!.reason);
    };
    begin(task);
    if (ended) return; // a timer or a listener set now would stay
    signal?.addEventListener('abort', abort, { once: true });
    const passed = (): void => {
      timedOut(task);
    };
    if (timeout === 0) passed();
    else stopTimer = atDeadline(deadline, passed);
  });
}

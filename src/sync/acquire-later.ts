import { TimeoutError } from '../errors.js';
import type { LockState } from './lock-state.js';

/** What an asynchronous acquisition is for, and how long it may take. */
export interface Acquisition<G> {
  readonly state: LockState;
  readonly handle: object;
  /** The call, for messages. */
  readonly what: string;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Makes the guard at the moment the lock is ours. */
  readonly granted: (abandoned: boolean) => G;
}

/** Queues an acquisition; the promise ends with the guard, a TimeoutError, the signal's reason, or a ClosedError. */
export function acquireLater<G>({
  state,
  handle,
  what,
  timeout,
  signal,
  granted,
}: Acquisition<G>): Promise<G> {
  return new Promise<G>((resolve, rejectWith) => {
    const since = performance.now();
    let timer: NodeJS.Timeout | undefined;
    let ended = false as boolean; // set in a call below, which the compiler does not see
    let leave = (): boolean => false;
    const end = (): void => {
      ended = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    const fail = (reason: unknown): void => {
      end();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an AbortSignal's reason is anything
      rejectWith(reason);
    };
    const abort = (): void => {
      if (leave()) fail(signal!.reason);
    };
    const tick = (): void => {
      const left = since + timeout - performance.now();
      if (left > 0) timer = setTimeout(tick, Math.min(left, 0x7fffffff));
      else if (leave()) fail(new TimeoutError(`${what}: the lock was not free within ${timeout} ms`));
    };
    leave = state.enqueue({
      handle,
      since,
      grant(abandoned) {
        end();
        resolve(granted(abandoned));
      },
      fail,
    });
    if (ended) return; // inside enqueue(): a timer or a listener set now would stay
    signal?.addEventListener('abort', abort, { once: true });
    if (timeout !== Infinity) tick();
  });
}

import { TimeoutError } from '../errors.js';
import { atDeadline } from './at-deadline.js';
import type { Call } from './deadlock.js';
import { contention, type ContentionOutcome, outcomeOf, tellContention } from './diagnostics.js';
import type { SyncReference } from './sync-handle.js';

/** An asynchronous acquisition under way. T is what comes with the grant. */
export interface Request<T> {
  readonly handle: object;
  /** When it began, by performance.now(). */
  readonly since: number;
  grant(news: T): void;
  fail(reason: unknown): void;
}

/** Where the tasks of one environment stand in line for one thing. */
export interface Line<T> {
  /** Queues a request; returns a function that takes it out again (false: it has ended already). */
  enqueue(request: Request<T>): () => boolean;
}

/** What an asynchronous acquisition is for, and how long it may take. */
export interface Acquisition<T, G> {
  readonly line: Line<T>;
  readonly reference: SyncReference;
  /** Of deadlock detection, if that is on. */
  readonly call: Call | null;
  readonly handle: object;
  /** The call, for messages. */
  readonly what: string;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** What was not to be had in time: 'the lock was not free'. */
  readonly missed: string;
  /** Makes the guard at the moment the thing is ours. */
  readonly granted: (news: T) => G;
}

/** Queues an acquisition; the promise ends with the guard, a TimeoutError, the signal's reason, or a ClosedError. */
export function acquireLater<T, G extends { readonly abandoned: boolean }>({
  line,
  reference,
  call,
  handle,
  what,
  timeout,
  signal,
  missed,
  granted,
}: Acquisition<T, G>): Promise<G> {
  return new Promise<G>((resolve, rejectWith) => {
    const since = performance.now();
    let stopTimer = (): void => undefined;
    let ended = false as boolean; // set in a call below, which the compiler does not see
    let leave = (): boolean => false;
    let waits = false;
    const end = (outcome: () => ContentionOutcome): void => {
      ended = true;
      call?.ends();
      if (waits && contention.hasSubscribers) tellContention(reference, since, outcome(), false);
      stopTimer();
      signal?.removeEventListener('abort', abort);
    };
    const fail = (reason: unknown): void => {
      end(() => (signal?.aborted === true && reason === signal.reason ? 'aborted' : outcomeOf(reason)));
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an AbortSignal's reason is anything
      rejectWith(reason);
    };
    const abort = (): void => {
      if (leave()) fail(signal!.reason);
    };
    leave = line.enqueue({
      handle,
      since,
      grant(news) {
        const guard = granted(news);
        end(() => (guard.abandoned ? 'abandoned' : 'acquired'));
        resolve(guard);
      },
      fail,
    });
    if (ended) return; // inside enqueue(): a timer or a listener set now would stay
    signal?.addEventListener('abort', abort, { once: true });
    stopTimer = atDeadline(since + timeout, () => {
      if (leave()) fail(new TimeoutError(`${what}: ${missed} within ${timeout} ms`));
    });
    waits = true;
    call?.begins(reference, { what, leave, fail });
  });
}

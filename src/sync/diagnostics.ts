/** What the package tells on node:diagnostics_channel, to whoever has subscribed. */
import { channel } from 'node:diagnostics_channel';
import {
  ClosedError,
  DeadlockError,
  InterruptedError,
  MultiprocessingError,
  TimeoutError,
} from '../errors.js';
import { objectText, type ObjectText } from './object-text.js';
import type { SyncReference } from './sync-handle.js';

/** How a wait ended. `failed`: by another error than these. */
export type ContentionOutcome =
  'acquired' | 'abandoned' | 'timeout' | 'aborted' | 'closed' | 'interrupted' | 'deadlock' | 'failed';

/** On `multiproc:lock:contention`: an acquisition that had to wait has ended. */
export interface ContentionMessage extends ObjectText {
  readonly waitedMs: number;
  readonly outcome: ContentionOutcome;
  /** Whether it blocked its thread. */
  readonly sync: boolean;
}

/** On `multiproc:lock:abandoned`: somebody got what its last owner died with. */
export interface AbandonedMessage extends ObjectText {
  readonly sync: boolean;
}

export const contention = channel('multiproc:lock:contention');
export const abandonment = channel('multiproc:lock:abandoned');

/** Call only if `contention.hasSubscribers`. */
export function tellContention(
  reference: SyncReference,
  since: number,
  outcome: ContentionOutcome,
  sync: boolean,
): void {
  const waitedMs = performance.now() - since;
  contention.publish({ ...objectText(reference), waitedMs, outcome, sync } satisfies ContentionMessage);
}

export function tellAbandoned(reference: SyncReference, sync: boolean): void {
  if (abandonment.hasSubscribers)
    abandonment.publish({ ...objectText(reference), sync } satisfies AbandonedMessage);
}

/** The outcome behind what a wait threw. */
export function outcomeOf(reason: unknown): ContentionOutcome {
  if (reason instanceof TimeoutError) return 'timeout';
  if (reason instanceof ClosedError) return 'closed';
  if (reason instanceof InterruptedError) return 'interrupted';
  if (reason instanceof DeadlockError) return 'deadlock';
  return reason instanceof MultiprocessingError ? 'failed' : 'aborted';
}

/**
 * SIGUSR1 opens Node's inspector. A Node that is told not to, for want of a thread that would, blocks the signal, also for
 * listeners; the system's default ends the process. In a forked one, which has no such thread, nothing is to happen either.
 */
import { native } from '../../native/load.js';
import { signalNumber } from '../signals.js';

const signal = 'SIGUSR1';
let quiet = false;

/** While the program does not listen for it. In a program that can fork, and again in each child. */
export function quietInspectorSignal(): void {
  if (process.listenerCount(signal) === 0) native.ignoreSignal(signalNumber[signal]);
  if (!quiet) process.on('removeListener', quietAgain);
  quiet = true;
}

/** After Node's own listener, which gives the signal its default back. */
function quietAgain(event: string | symbol): void {
  if (event === signal) quietInspectorSignal();
}

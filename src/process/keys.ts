/** What the package alone does to its processes. */
import type { Identity } from './launch.js';

/** First constructor argument of the objects the package makes itself: see Process.#adopt. */
export const internal = Symbol('multiproc.internal');

/** How the package makes the object of the process that runs it, without running a subclass's constructor. */
export interface Adopted {
  identity: Identity;
  run: () => unknown;
}

/** Set to what is to be called, without keeping the program alive, when a process has ended. */
export const exitedHook = Symbol('multiproc.exited');

/** On the classes that contexts make. */
export const boundMethod = Symbol('multiproc.startMethod');

/** Set to true for a pool's worker: a daemon that may have children all the same. */
export const poolWorker = Symbol('multiproc.poolWorker');

/** What a program that can fork does before it begins. */
import { createHook } from 'node:async_hooks';
import { takeOverEmit } from '../forkserver/ends.js';
import { findBlocks, replaceRandom } from '../forkserver/random.js';
import { replaceWorker } from '../forkserver/threads.js';
import { native } from '../../native/load.js';
import { becomeCapable, inspectorFlag } from './capable.js';
import { quietInspectorSignal } from './signals.js';
import { watchStreams } from './streams.js';
import { findTurns } from './turns.js';

export function prepareForks(startPool: () => void): void {
  replaceRandom();
  replaceWorker();
  takeOverEmit();
  findBlocks();
  native.noteTimers();
  findTurns();
  watchStreams();
  if (inspectorFlag !== null) quietInspectorSignal();
  becomeCapable(startPool);
  rehearse();
}

/** What of Node's each child does first, done once here: children find it compiled. */
function rehearse(): void {
  const nothing = (): void => undefined;
  const event = Symbol('multiproc.rehearsal');
  process.on(event, nothing).off(event, nothing).on(event, nothing);
  process.eventNames();
  process.removeAllListeners(event);
  const had = process.hasUncaughtExceptionCaptureCallback();
  if (!had) process.setUncaughtExceptionCaptureCallback(null);
  createHook({ before: nothing }).enable().disable();
  clearTimeout(setTimeout(nothing, 1));
  clearImmediate(setImmediate(nothing));
  setImmediate(nothing);
}

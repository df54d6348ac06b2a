/** What a program that can fork does before it begins. */
import { takeOverEmit } from '../forkserver/ends.js';
import { findBlocks, replaceRandom } from '../forkserver/random.js';
import { replaceWorker } from '../forkserver/threads.js';
import { becomeCapable } from './capable.js';
import { watchStreams } from './streams.js';
import { findTurns } from './turns.js';

export function prepareForks(startPool: () => void): void {
  replaceRandom();
  replaceWorker();
  takeOverEmit();
  findBlocks();
  findTurns();
  watchStreams();
  becomeCapable(startPool);
}

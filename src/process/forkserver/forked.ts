/** A process that a forkserver has just forked: what it mends before anything of the program's runs in it. */
import { native } from '../../native/load.js';
import type { ForkTurn } from '../../native/process-binding.js';
import { enterAfterFork } from '../../memory/arena.js';
import { setChildFds } from '../launch.js';
import { Letter } from '../letter.js';
import { Work } from '../work.js';
import { adoptServer } from './client.js';
import { takeOverEnds } from './ends.js';
import { drawAnew } from './random.js';
import { takeIdentity } from './surroundings.js';
import { mendWorkers } from './threads.js';

export function becomeForked(turn: ForkTurn, loaded: Iterable<string>): void {
  const [, go, channel, pid, requester, letterFd, doorbell, parent] = turn as Required<ForkTurn> &
    Record<5 | 6 | 7, number>;
  takeIdentity(pid, requester);
  drawAnew();
  takeOverEnds();
  mendWorkers();
  adoptServer(channel, loaded);
  setChildFds({ letter: letterFd, doorbell, parent });
  const letter = Letter.open(letterFd);
  if (letter.follows) native.processFollow(parent);
  if (!native.forkConfirmed(go)) native.exitNow(0);
  void new Work(letter).perform(enterAfterFork);
}

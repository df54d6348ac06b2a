/**
 * A process that a forkserver has just forked: what it mends before anything of the program's runs in it. A spare does
 * most of that before anybody asks for it.
 */
import { native } from '../../native/load.js';
import { firstFd, forkTurn, type ForkTurn } from '../../native/process-binding.js';
import { enterAfterFork } from '../../memory/arena.js';
import { setChildFds } from '../launch.js';
import { Letter } from '../letter.js';
import { Work } from '../work.js';
import { adoptServer } from './client.js';
import { takeOverEnds } from './ends.js';
import { drawAnew } from './random.js';
import { practise } from './rehearsal.js';
import { takeIdentity } from './surroundings.js';
import { mendWorkers } from './threads.js';

export function becomeForked(turn: ForkTurn, loaded: Iterable<string>): void {
  const [kind, , channel, pid] = turn;
  drawAnew();
  takeOverEnds();
  mendWorkers();
  adoptServer(channel, loaded);
  if (kind === forkTurn.spare) practise();
  const asked = kind === forkTurn.spare ? native.forkTake(channel) : turn;
  const [, go, , , requester] = asked;
  const [letterFd, doorbell, parent, ending] = asked.slice(firstFd) as [number, number, number, number];
  takeIdentity(pid, requester);
  setChildFds({ letter: letterFd, doorbell, parent, ending });
  const letter = Letter.open(letterFd);
  if (letter.follows) native.processFollow(parent, ending);
  if (!native.forkConfirmed(go)) native.exitNow(0);
  void new Work(letter).perform(enterAfterFork);
}

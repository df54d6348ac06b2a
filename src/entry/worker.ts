/**
 * What a child process runs. Its letter says who it is and what it does; see process/letter.ts and process/launch.ts.
 *
 * Order matters: follow the parent before anything can take long, join the arena before any shared object exists. The
 * whole package is imported, because the letter may hold shared objects of every kind.
 */
import { native } from '../native/load.js';
import { attachArena } from '../memory/arena.js';
import { onWindows } from '../native/system.js';
import { tellWhoListens } from '../process/interrupts.js';
import { arenaFd, childFd } from '../process/launch.js';
import { Letter } from '../process/letter.js';
import { Work } from '../process/work.js';
import '../index.js';

const letter = Letter.open(childFd.letter);
if (letter.follows) native.processFollow(childFd.parent, childFd.ending);
if (letter.follows && onWindows) tellWhoListens();
// Programs started here are not ours: they get none of it.
for (const fd of [arenaFd, ...Object.values(childFd)]) native.fdPrivate(fd);

Work.prepare();
const work = new Work(letter);
void work.perform(() => {
  attachArena(arenaFd);
});

/** Ctrl-C in a child on Windows, where the addon cannot see whether anybody listens for it. */
import { native } from '../native/load.js';

const name = 'SIGINT';

/** Tells the addon from now on. */
export function tellWhoListens(): void {
  process.on('newListener', (event) => {
    if (event === name) native.processListens(true);
  });
  process.on('removeListener', (event) => {
    if (event === name) native.processListens(process.listenerCount(name) > 0);
  });
}

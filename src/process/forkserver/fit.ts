/** Whether this process can be forked: what it has beside its one thread would be missing, or shared, in children. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Reference } from '../../memory/arena.js';
import { native } from '../../native/load.js';
import { within } from '../threads.js';

export interface Before {
  threads: Set<string>;
  sockets: Set<string>;
}

export function lookBefore(): Before {
  return { threads: new Set(threadIds()), sockets: new Set(sockets()) };
}

/** What modules have left behind that does not go with a fork, for its reader; null if there is nothing. */
export function unfitBecause(before: Before): string | null {
  const more = (): string[] => threadIds().filter((id) => !before.threads.has(id));
  if (!within(momentMs, () => more().length === 0)) {
    const names = more().map(nameOf);
    const addons = loadedAddons();
    const by = addons.length > 0 ? `; addons: ${addons.join(', ')}` : '';
    return `it runs threads that its children would not have (${names.join(', ')}${by})`;
  }
  const open = sockets().filter((socket) => !before.sockets.has(socket));
  if (open.length > 0) return `it has sockets that its children would share (${open.length})`;
  if (Reference.anyMustStay()) return 'it holds a lock, or waits for one';
  return null;
}

/** What keeps the event loop from running empty. */
export function openResources(): string {
  return [...new Set(process.getActiveResourcesInfo())].join(', ') || 'something';
}

/** Threads may live for so long: Node itself starts some for a moment while it loads modules (seen on Node 22). */
const momentMs = 500;

/** Not names, which a program may change: that of its first thread is its title. */
function threadIds(): string[] {
  return readdirSync('/proc/self/task');
}

function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trimEnd();
  } catch {
    return thread; // it has just ended
  }
}

/**
 * But for those that the server itself has: its channels, which come and go with its users, and stay with it; and the
 * standard streams, which it has from them while it loads.
 */
function sockets(): string[] {
  const own = new Set(native.forkserverFds());
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    if (Number(fd) <= 2 || own.has(Number(fd))) return [];
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith('socket:') ? [target] : [];
    } catch {
      return []; // the descriptor of the list itself
    }
  });
}

function loadedAddons(): string[] {
  const files = readFileSync('/proc/self/maps', 'utf8').matchAll(/\/\S*\/([^/\s]+\.node)$/gm);
  return [...new Set([...files].map((match) => match[1]!))].filter((name) => !name.startsWith('multiproc'));
}

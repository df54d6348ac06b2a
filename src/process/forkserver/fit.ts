/** Whether this process can be forked: what it has beside its one thread would be missing, or shared, in children. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Reference } from '../../memory/arena.js';
import { threadNames, within } from '../threads.js';

export interface Before {
  threads: string[];
  sockets: Set<string>;
}

export function lookBefore(): Before {
  return { threads: threadNames(), sockets: new Set(sockets()) };
}

/** What modules have left behind that does not go with a fork, for its reader; null if there is nothing. */
export function unfitBecause(before: Before): string | null {
  let more: string[] = [];
  if (!within(momentMs, () => (more = newThreads(before)).length === 0)) {
    const addons = loadedAddons();
    const by = addons.length > 0 ? `; addons: ${addons.join(', ')}` : '';
    return `it runs threads that its children would not have (${more.join(', ')}${by})`;
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

function newThreads(before: Before): string[] {
  const more = threadNames();
  for (const name of before.threads) {
    const at = more.indexOf(name);
    if (at >= 0) more.splice(at, 1);
  }
  return more;
}

function sockets(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
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

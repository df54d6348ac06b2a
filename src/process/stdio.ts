/** The standard streams of a child. */
import { fstatSync, readlinkSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { ProcessError } from '../errors.js';
import { show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { onWindows } from '../native/system.js';

export type StdioItem =
  'pipe' | 'ignore' | 'inherit' | number | { readonly fd?: number | null } | null | undefined;
export type Stdio = 'pipe' | 'ignore' | 'inherit' | readonly StdioItem[];

/** As in Python: standard input is empty, output goes where the parent's does. */
const byDefault: readonly StdioItem[] = ['ignore', 'inherit', 'inherit'];

export interface StdioPlan {
  /** What the child gets as 0, 1 and 2; -1 is /dev/null. */
  fds: number[];
  /** Our ends of pipes, by position: descriptors, or streams where pipes have names. */
  ours: (number | Socket | null)[];
  /** The child's ends, to be closed here when it has started. */
  theirs: number[];
}

export function checkStdio(stdio: unknown, what: string): readonly StdioItem[] {
  if (stdio === undefined) return byDefault;
  if (typeof stdio === 'string') return checkStdio([stdio, stdio, stdio], what);
  if (!Array.isArray(stdio) || stdio.length > 3) {
    throw typeError(
      `${what}: stdio must be 'pipe', 'ignore', 'inherit' or a list of up to three, not ${show(stdio)}`,
    );
  }
  return byDefault.map((item, i) => {
    const given: unknown = stdio[i] ?? item;
    descriptorOf(given, i, what);
    return given as StdioItem;
  });
}

/**
 * Each as a pipe, nothing, or a descriptor that is open. To be called before anything of ours is opened for the start, which
 * could get the number of one that is not, and the child would write there. 'inherit' of a stream that this program has
 * closed is nothing, as for any program in such a place.
 */
export function openItems(items: readonly StdioItem[], what: string): readonly StdioItem[] {
  return items.map((item, i) => {
    const open = openItem(item, i, what);
    if (open !== null) return open;
    throw new ProcessError(
      'ERR_MP_START',
      `${what}: stdio[${i}] is descriptor ${descriptorOf(item, i, what)}, which this program has not open; give one that is, or 'ignore'`,
      { errno: 'EBADF', syscall: 'dup2' },
    );
  });
}

export function areOpen(items: readonly StdioItem[]): boolean {
  return items.every((item, i) => openItem(item, i, 'stdio') !== null);
}

/** Null: a descriptor that is not open. */
function openItem(item: StdioItem, position: number, what: string): StdioItem {
  const fd = descriptorOf(item, position, what);
  if (fd === 'pipe') return fd;
  if (fd < 0) return 'ignore';
  if (isOpen(fd)) return fd;
  return item === 'inherit' ? 'ignore' : null;
}

function isOpen(fd: number): boolean {
  if (fd > 2 && isOurs(fd)) return false;
  try {
    fstatSync(fd);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EBADF';
  }
}

/** What the package shares may have got the number of what the program has closed: the arena, a running child's letter. */
function isOurs(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:multiproc');
  } catch {
    return fd === native.arenaInfo()?.fd;
  }
}

/** This program's own output and errors; where it has closed them, `nothing()`. */
export function ownOutputs(nothing: () => number): number[] {
  return [1, 2].map((fd) => (isOpen(fd) ? fd : nothing()));
}

/** Opens what is needed. Closes all of it again if something fails. */
export function openStdio(items: readonly StdioItem[], what: string): StdioPlan {
  const plan: StdioPlan = { fds: [], ours: [], theirs: [] };
  try {
    items.forEach((item, i) => {
      const given = descriptorOf(item, i, what);
      if (given !== 'pipe') {
        plan.fds.push(onWindows && given >= 0 ? native.fdOfNode(given) : given);
        plan.ours.push(null);
        return;
      }
      const [mine, other] = onWindows ? connectedPipe(i === 0) : bothEnds(i === 0);
      plan.fds.push(other);
      plan.theirs.push(other);
      plan.ours.push(mine);
    });
  } catch (error) {
    closeStdio(plan);
    throw error;
  }
  return plan;
}

function bothEnds(childReads: boolean): [mine: number, theirs: number] {
  const [readEnd, writeEnd] = native.pipeCreate();
  return childReads ? [writeEnd, readEnd] : [readEnd, writeEnd];
}

/** Libuv opens the pipe within the call, and so before the child can have anything to do with it. */
function connectedPipe(childReads: boolean): [mine: Socket, theirs: number] {
  const [end, path] = native.pipeOffer(childReads);
  return [connect({ path, readable: !childReads, writable: childReads }), end];
}

export function closeStdio(plan: StdioPlan): void {
  for (const end of [...plan.theirs, ...plan.ours]) {
    if (end instanceof Socket) end.destroy();
    else if (end !== null) native.fdClose(end);
  }
}

/** Our ends as streams: [stdin, stdout, stderr]. */
export function streamsOf(plan: StdioPlan): (Socket | null)[] {
  for (const fd of plan.theirs) native.fdClose(fd);
  return plan.ours.map((end, i) =>
    typeof end === 'number' ? new Socket({ fd: end, readable: i > 0, writable: i === 0 }) : end,
  );
}

/** To the system a descriptor is an int. */
const greatest = 2 ** 31 - 1;

function descriptorOf(item: unknown, position: number, what: string): number | 'pipe' {
  if (item === 'pipe') return 'pipe';
  if (item === 'inherit') return position;
  if (item === 'ignore') return -1;
  const fd: unknown = typeof item === 'object' && item !== null ? (item as { fd?: unknown }).fd : item;
  if (typeof fd === 'number' && Number.isInteger(fd) && fd >= 0 && fd <= greatest) return fd;
  throw typeError(
    `${what}: stdio[${position}] must be 'pipe', 'ignore', 'inherit', a descriptor or an open stream with one, not ${show(item)}`,
  );
}

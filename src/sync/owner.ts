import type { OwnerInfo } from '../native/arena-binding.js';
import { native } from '../native/load.js';

/** Who holds a lock. */
export interface Owner {
  /** NaN if it runs in another pid namespace (a named lock that containers share): its pid means nothing here. */
  readonly pid: number;
  /** The process's name, e.g. `Process-1`. */
  readonly name: string;
  /** 0 for the main thread, else the worker thread's `threadId`. */
  readonly thread: number;
}

/** An owner as inspect() shows it. */
export function ownerText({ name, thread }: Owner): string {
  return thread === 0 ? name : `${name} thread=${thread}`;
}

/** The participant behind an owner id; null if it has ended. */
export function describeOwner(ownerId: number): Owner | null {
  return ownerId === 0 ? null : toOwner(native.ownerInfo(ownerId));
}

export function toOwner(info: OwnerInfo | null): Owner | null {
  return info === null ? null : { pid: info.pid, name: info.name, thread: info.environment };
}

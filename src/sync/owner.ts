import { native } from '../native/load.js';

/** Who holds a lock. */
export interface Owner {
  readonly pid: number;
  /** The process's name, e.g. `Process-1`. */
  readonly name: string;
  /** 0 for the main thread, else the worker thread's `threadId`. */
  readonly thread: number;
}

/** The participant behind an owner id; null if it has ended. */
export function describeOwner(ownerId: number): Owner | null {
  if (ownerId === 0) return null;
  const info = native.ownerInfo(ownerId);
  return info === null ? null : { pid: info.pid, name: info.name, thread: info.environment };
}

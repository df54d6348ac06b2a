/** What a process is told when it starts. */
import type { FunctionRef } from '../transfer/function-ref.js';

/** Who a process is. Known to all its threads, through the addon. */
export interface Identity {
  name: string;
  /** Its number among its parent's children, after its parent's own path: [1, 2] is Process-1:2. */
  path: number[];
  daemon: boolean;
  parent: { name: string; pid: number };
}

export interface Launch {
  identity: Identity;
  /** The parent environment's owner id, which gets references to what is shared in the result. */
  parentOwner: number;
  /** Set where the program's loaders must start in the parent's directory. */
  cwd: string | null;
  /** The subclass of Process to rebuild, if it is one. */
  job: FunctionRef | null;
  target: FunctionRef | null;
}

/** The letter's first message. The property names begin the paths of clone errors: `args[0]…`, `this.…`. */
export interface LaunchMessage {
  launch: Launch;
  args: unknown[];
  /** A subclass's own fields. */
  this: Record<string, unknown>;
}

/** Where a child finds what it inherits, after its standard streams. */
export const childFd = { arena: 3, letter: 4, doorbell: 5, parent: 6 } as const;

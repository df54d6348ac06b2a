/** What a process is told when it starts. */
import type { FunctionRef } from '../transfer/function-ref.js';
import type { StartMethod } from './start-method.js';

/** Who a process is. Known to all its threads, through the addon. */
export interface Identity {
  name: string;
  /** Its number among its parent's children, after its parent's own path: [1, 2] is Process-1:2. */
  path: number[];
  daemon: boolean;
  /** Whether it may start no processes. */
  childless: boolean;
  parent: { name: string; pid: number };
}

/** What a process has of its own. */
export interface Surroundings {
  argv: string[];
  /** Null: as the server was started with, which children find. */
  env: Record<string, string> | null;
  cwd: string | null;
  /** Null: the server's. */
  umask: number | null;
}

export interface Launch {
  identity: Identity;
  /** The parent environment's owner id, which gets references to what is shared in the result. */
  parentOwner: number;
  /** Set where the program's loaders must start in the parent's directory. */
  cwd: string | null;
  /** What a forked child makes its own; null for others, which are started with it. */
  surroundings: Surroundings | null;
  /** What its processes are started by, unless its program chooses. */
  startMethod: StartMethod;
  /** The subclass of Process to rebuild, if it is one. */
  job: FunctionRef | null;
  target: FunctionRef | null;
}

/** What a letter gives beside the launch. The property names begin the paths of clone errors: `args[0]…`, `this.…`. */
export interface Given {
  args: unknown[];
  /** A subclass's own fields. */
  this: Record<string, unknown>;
}

/** Where a child finds what it inherits. */
export interface ChildFds {
  letter: number;
  doorbell: number;
  parent: number;
  /** Rings when the parent is about to end because its own has. */
  ending: number;
}

/** The arena of a process that was not forked but spawned. */
export const arenaFd = 3;
/** As start method spawn places them, after the standard streams; a forked child has them elsewhere. */
export let childFd: Readonly<ChildFds> = { letter: 4, doorbell: 5, parent: 6, ending: 7 };

export function setChildFds(fds: ChildFds): void {
  childFd = fds;
}

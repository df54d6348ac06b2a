/** The process that started this one. */
import { inspect } from 'node:util';
import { InterruptedError } from '../errors.js';
import { native } from '../native/load.js';
import { childWaited } from '../native/process-binding.js';
import { parseSyncWait, parseWait, type SyncWaitOptions, type WaitOptions } from '../sync/wait-options.js';
import { staysHere } from '../transfer/handle.js';
import { currentIdentity } from './current.js';
import { childFd, type Identity } from './launch.js';
import { until } from './waiting.js';

export class ParentProcess {
  readonly name: string;
  readonly pid: number;

  constructor(name: string, pid: number) {
    this.name = name;
    this.pid = pid;
  }

  /** Whether it still runs. */
  isAlive(): boolean {
    return !ended(0);
  }

  /** Waits for its end without blocking: true once it has ended, false after the timeout. */
  async join(options?: number | WaitOptions): Promise<boolean> {
    const wait = parseWait(options, 'ParentProcess.join()');
    const wakers = new Set<() => void>();
    // A watch of the event loop's would need a handle of its own per wait; a parent is waited for rarely, and ends once.
    const poll = setInterval(() => {
      for (const wake of wakers) wake();
    }, 50);
    try {
      return await until(wakers, () => ended(0), wait);
    } finally {
      clearInterval(poll);
    }
  }

  /** Blocks this thread until it has ended (true) or the timeout passes (false). */
  joinSync(options?: number | SyncWaitOptions): boolean {
    return ended(parseSyncWait(options, 'ParentProcess.joinSync()').timeout);
  }

  /** @internal */
  get [staysHere](): string {
    return 'It is of this process alone: send its pid';
  }

  [inspect.custom](): string {
    return `<ParentProcess name='${this.name}' pid=${this.pid}${this.isAlive() ? '' : ' stopped'}>`;
  }
}

let parent: ParentProcess | null = null;
/** Who we were when `parent` was made: a forkserver's child is somebody else. */
let parentOf: Identity | null = null;

/** The process that started this one; null in the main process. */
export function parentProcess(): ParentProcess | null {
  const identity = currentIdentity();
  if (identity !== parentOf)
    parent = identity === null ? null : new ParentProcess(identity.parent.name, identity.parent.pid);
  parentOf = identity;
  return parent;
}

function ended(timeout: number): boolean {
  const end = native.handleWait(childFd.parent, timeout);
  if (end === childWaited.interrupted)
    throw new InterruptedError('ParentProcess.joinSync(): a signal arrived while waiting');
  return end === childWaited.ended;
}

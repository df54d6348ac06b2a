import { MultiprocessingError, TimeoutError } from '../errors.js';
import { native } from '../native/load.js';
import { QueueResult } from '../native/message-binding.js';
import { waitInLine } from '../sync/wait-line.js';
import { parseSyncWait, beginWait, type SyncWaitOptions, type WaitOptions } from '../sync/wait-options.js';
import { registerQueue } from './create-queue.js';
import { Queue } from './queue.js';
import type { QueueState } from './queue-state.js';

/** A queue whose messages are said to be done: `await queue.join()` waits until all that were put are. */
export class JoinableQueue<T = unknown> extends Queue<T> {
  /** @internal */
  protected static override readonly className = 'JoinableQueue';

  protected override get kindName(): string {
    return 'JoinableQueue';
  }

  /**
   * Says that one message that was got has been dealt with.
   * @throws MultiprocessingError `ERR_MP_STATE` if that was said of all that were got
   */
  taskDone(): void {
    const state = this.opened('taskDone()');
    if (!native.queueDone(state.id, state.getterSeat.number)) {
      throw new MultiprocessingError(
        'ERR_MP_STATE',
        'JoinableQueue.taskDone(): called more often than there were messages got: call it once for each',
      );
    }
  }

  /**
   * Waits until every message ever put was got and said to be done, without blocking the event loop.
   * @throws TimeoutError, ClosedError, the signal's reason; MultiprocessingError `ERR_MP_LOST` if some were got by somebody who
   * died before it said so: told once
   */
  async join(options?: number | WaitOptions): Promise<void> {
    const what = 'JoinableQueue.join()';
    const state = this.opened('join()');
    const wait = beginWait(options, what);
    await waitInLine<undefined>(this, state.joiners, wait, {
      attempt: (how) => (joined(state, how, what) ? { value: undefined } : null),
      timedOut: () => new TimeoutError(`${what}: not all done within ${wait.timeout} ms`),
    });
  }

  /** The same, blocking this thread. */
  joinSync(options?: number | SyncWaitOptions): void {
    const what = 'JoinableQueue.joinSync()';
    const state = this.opened('joinSync()');
    const { timeout } = parseSyncWait(options, what);
    if (!state.joiners.block((how) => joined(state, how, what), timeout, what))
      throw new TimeoutError(`${what}: not all done within ${timeout} ms`);
  }
}

function joined(state: QueueState, how: number, what: string): boolean {
  const code = native.queueJoin(state.id, how, state.joinerSeat.number);
  if ((code & 7) === QueueResult.waits) return false;
  const lost = code >>> 3;
  if (lost === 0) return true;
  throw new MultiprocessingError(
    'ERR_MP_LOST',
    `${what}: ${lost} message${lost === 1 ? ' was' : 's were'} got by a process or thread that ended before taskDone(): ` +
      'nobody has dealt with that; all others are done',
  );
}

registerQueue('JoinableQueue', (state) => new JoinableQueue(state));

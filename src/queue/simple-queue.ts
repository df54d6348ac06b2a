import { type QueueOptions, registerQueue } from './create-queue.js';
import { Queue } from './queue.js';
import { QueueState } from './queue-state.js';

/** As a Queue without a limit; Python has it, for it can do without a thread. */
export class SimpleQueue<T = unknown> extends Queue<T> {
  constructor(options?: QueueOptions);
  /** @internal */
  constructor(state: QueueState);
  constructor(given?: QueueState | QueueOptions) {
    if (given instanceof QueueState) super(given);
    else super(0, given);
  }

  /** @internal */
  protected static override readonly className = 'SimpleQueue';

  protected override get kindName(): string {
    return 'SimpleQueue';
  }
}

registerQueue('SimpleQueue', (state) => new SimpleQueue(state));

import { typeError } from '../native/arguments.js';
import { RLock } from '../sync/rlock.js';
import type { SyncWaitOptions } from '../sync/wait-options.js';
import { registerKind } from '../transfer/handle.js';
import { openValue, RawValue, type ValueAddress, type ValueInput } from './raw-value.js';
import type { TypeCode, TypeName, ValueOf } from './types.js';

/**
 * A {@link RawValue} with a lock of its own.
 *
 * Single reads, writes and `add()` need no lock. `value.value += 1` is a read and a write: two processes can lose one
 * of two such steps; use `add(1)`, or `update(v => v + 1)`.
 */
export class Value<T extends TypeCode | TypeName = TypeCode | TypeName> extends RawValue<T> {
  #lock: RLock | undefined;

  protected override get kindName(): string {
    return 'Value';
  }

  /** The value's lock; taken by `update()` only. Closes with the value. (Closed alone, the next look makes a new handle.) */
  get lock(): RLock {
    if (this.#lock === undefined || this.#lock.closed) {
      const reference = this.reference('lock');
      reference.retain();
      this.#lock = new RLock(reference);
    }
    return this.#lock;
  }

  /**
   * Replaces the value by what `change` makes of it, under the lock, and returns the new one. Blocks this thread until
   * the lock is free. If `change` throws, the value stays.
   * @throws TimeoutError, InterruptedError, RangeError if the result is out of range; TypeError if `change` is async
   */
  update(change: (value: ValueOf<T>) => ValueInput<T>, options?: number | SyncWaitOptions): ValueOf<T> {
    if (typeof change !== 'function') throw typeError('Value.update(): takes a function');
    const guard = this.lock.acquireSync(options);
    try {
      const next: unknown = change(this.value);
      if (typeof (next as PromiseLike<unknown> | undefined)?.then === 'function') {
        throw typeError(
          'Value.update(): the function must not be async: the lock is released when it returns',
        );
      }
      this.value = next as ValueInput<T>;
      return this.value;
    } finally {
      guard.release();
    }
  }

  override close(): void {
    this.#lock?.close();
    super.close();
  }
}

registerKind<ValueAddress>('Value', (address) => new Value(...openValue(address, 'Value')));

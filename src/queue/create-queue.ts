/** Making queues, and opening those that have travelled. */
import { type Address, damaged, Reference } from '../memory/arena.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { openObject, type SyncAddress } from '../sync/sync-handle.js';
import { registerKind } from '../transfer/handle.js';
import { QueueState } from './queue-state.js';

export interface QueueOptions {
  /** How many bytes of messages it holds at most, those of large arrays included; 256 MiB by default. More than that wait. */
  maxBytes?: number;
  /**
   * How many bytes of shared memory its ring has, a power of two; 1 MiB by default. Small messages lie there; what is longer
   * than 64 KiB has memory of its own.
   */
  ringBytes?: number;
}

const { layout } = native;
const ringDefault = 1 << 20;
const ringLeast = 1 << 12;
const ringMost = 1 << 30;
const bytesDefault = 256 << 20;
const itemsMost = 2 ** 31 - 1;

/** Throws TypeError or RangeError, or ERR_MP_MEMORY. */
export function createQueue(className: string, maxsize: unknown, options: unknown): QueueState {
  const what = `new ${className}()`;
  if (typeof maxsize !== 'number' || !(Number.isInteger(maxsize) || maxsize === Infinity))
    throw typeError(`${what}: maxsize must be a whole number of messages, not ${show(maxsize)}`);
  if (maxsize > itemsMost && maxsize !== Infinity)
    throw rangeError(`${what}: maxsize must be at most ${itemsMost}, not ${maxsize}`);
  if (options !== undefined && (typeof options !== 'object' || options === null))
    throw typeError(`${what}: expects { maxBytes, ringBytes }, not ${show(options)}`);
  const { maxBytes = bytesDefault, ringBytes = ringDefault } = (options ?? {}) as QueueOptions;
  for (const [name, value] of Object.entries({ maxBytes, ringBytes }))
    if (typeof value !== 'number')
      throw typeError(`${what}: ${name} must be a number of bytes, not ${show(value)}`);
  if (!(maxBytes >= 1024 && maxBytes <= Number.MAX_SAFE_INTEGER))
    throw rangeError(`${what}: maxBytes must be 1024 or more bytes, not ${maxBytes}`);
  if (!(ringBytes >= ringLeast && ringBytes <= ringMost && Number.isInteger(Math.log2(ringBytes))))
    throw rangeError(
      `${what}: ringBytes must be a power of two from ${ringLeast} to ${ringMost}, not ${ringBytes}`,
    );
  const ring = Reference.createBlock(layout.kindRing, 0, layout.queueBlockBytes + ringBytes, what);
  try {
    const items = maxsize <= 0 || maxsize === Infinity ? 0 : maxsize;
    native.initQueue(ring.slot, items, Math.floor(maxBytes));
    return QueueState.of(Reference.create(layout.kindQueue, ring.slot), ring, className);
  } catch (error) {
    ring.release();
    throw error;
  }
}

interface QueueAddress extends SyncAddress {
  readonly ring?: Address;
}

/** Says how handles of a class of queues become queues again. */
export function registerQueue(className: string, open: (state: QueueState) => object): void {
  registerKind<QueueAddress>(className, (address) => {
    const reference = openObject(address, layout.kindQueue, className);
    try {
      if (reference.local instanceof QueueState) {
        return open(reference.local);
      }
      if (address.ring?.slot !== reference.detail) throw damaged(className);
      const ring = Reference.open(address.ring, layout.kindRing, className);
      return open(QueueState.of(reference, ring, className));
    } catch (error) {
      reference.release();
      throw error;
    }
  });
}

/** What an object is called in messages and reports: its kind, and its name or else its number. */
import { slotWords } from '../memory/arena.js';
import { native } from '../native/load.js';
import type { SyncReference } from './sync-handle.js';

const { layout } = native;
const wordsPerSlot = layout.slotBytes / 4;
const headerWord = layout.offsets['Slot.header']! / 4;
const detailWord = layout.offsets['Slot.detail']! / 4;

const kinds: Record<number, readonly [plain: string, other: string]> = {
  [layout.kindLock]: ['Lock', 'RLock'],
  [layout.kindValue]: ['Value', 'Value'],
  [layout.kindArray]: ['Array', 'Array'],
  [layout.kindList]: ['ShareableList', 'ShareableList'],
  [layout.kindSemaphore]: ['Semaphore', 'BoundedSemaphore'],
  [layout.kindRWLock]: ['RWLock', 'RWLock'],
};

/** Of an object of the arena: native.layout's kind…; without the bit that says it is dying. */
export function kindAt(slot: number): number {
  return slotWords[slot * wordsPerSlot + headerWord]! & 0x7f;
}

function kindText(slot: number): string {
  const [plain, other] = kinds[kindAt(slot)] ?? ['object', 'object'];
  return slotWords[slot * wordsPerSlot + detailWord] === 1 ? other : plain;
}

/** An object of the arena: `Lock #5`. */
export function slotText(slot: number): string {
  return `${kindText(slot)} #${slot}`;
}

export interface ObjectText {
  /** Its class; that of the owner for the lock of a Value or an Array. */
  readonly kind: string;
  /** `Lock #5`, or `Lock "nightly-job"`. */
  readonly object: string;
  readonly name: string | null;
}

export function objectText(reference: SyncReference): ObjectText {
  if (reference.of !== undefined) {
    const kind = reference.of.className;
    const { name } = reference.address as { name: string };
    return { kind, object: `${kind} ${JSON.stringify(name)}`, name };
  }
  return { kind: kindText(reference.slot), object: slotText(reference.slot), name: null };
}

/**
 * What a pool's workers ring when they have put a result: an event of which the dispatcher is the only one who clears it.
 *
 * It clears it before it looks for results, so that one that comes after its look rings again.
 */
import { Reference } from '../memory/arena.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { Event } from '../sync/event.js';
import { addWait, forgetWait, listen } from '../sync/waits.js';

export class Doorbell {
  /** As the workers have it. */
  readonly event: Event;
  readonly #slot: number;
  #waitId = 0;
  #rings: NodeJS.Immediate | undefined;

  constructor() {
    const reference = Reference.create(native.layout.kindEvent, 0);
    this.event = new Event(reference);
    this.#slot = reference.slot;
  }

  clear(): void {
    this.event.clear();
  }

  /** Whether it rings within some microseconds. */
  spin(): boolean {
    const word = native.eventWord(this.#slot);
    return (word & 1) !== 0 || native.spinEvent(this.#slot, word);
  }

  /** Has `ring` called once, when it rings. `holdsLoop`: keeps the program alive until then. */
  listen(ring: () => void, holdsLoop: boolean): void {
    this.ignore();
    const word = native.eventWord(this.#slot);
    if ((word & 1) !== 0) {
      this.#rings = setImmediate(ring);
      return;
    }
    listen();
    this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
      native.watchEvent(this.#slot, word, holdsLoop),
    );
    addWait(this.#waitId, () => {
      this.#waitId = 0;
      ring();
    });
  }

  /** Takes listen() back. */
  ignore(): void {
    clearImmediate(this.#rings);
    if (this.#waitId === 0) return;
    forgetWait(this.#waitId);
    native.cancelWait(this.#waitId);
    this.#waitId = 0;
  }

  close(): void {
    this.ignore();
    this.event.close();
  }
}

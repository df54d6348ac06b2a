/** A task as the pool's dispatcher has it, from the call to its end. */
import type { Memory } from '../codec/memory.js';
import type { Packed } from '../message/outgoing.js';
import type { FunctionEntry } from './functions.js';
import type { Link } from './link.js';

export class Task {
  readonly fn: FunctionEntry;
  /** Function and kind, as the board has it. */
  readonly call: number;
  readonly #returned: (value: unknown) => void;
  readonly #threw: (error: unknown) => void;
  priority = 0;
  /** Its caller has heard of its end. */
  isEnded = false;
  /** Whose ring it is in, and as which number. */
  link: Link | null = null;
  number = 0;
  /** When it began, where the board may not say any more; 0 elsewhere. */
  began = 0;
  /** When its worker was told that nobody waits for it any more; 0: it was not. */
  toldAt = 0;
  /** The only worker that may have it. */
  only: Link | null = null;
  /** Its record, where that refers to something: kept until the end, so that it can be put again. */
  packed: Packed | null = null;
  /** Its record, while it is in the backlog and refers to nothing. */
  memory: Memory | null = null;
  start = 0;
  bytes = 0;
  /** When it was handed in, if its latency counts. */
  since = 0;
  /** Called at its end. */
  onEnd: (() => void) | null = null;

  constructor(
    fn: FunctionEntry,
    call: number,
    returned: (value: unknown) => void,
    threw: (error: unknown) => void,
  ) {
    this.fn = fn;
    this.call = call;
    this.#returned = returned;
    this.#threw = threw;
  }

  returned(value: unknown): void {
    if (this.#end()) this.#returned(value);
  }

  threw(error: unknown): void {
    if (this.#end()) this.#threw(error);
  }

  #end(): boolean {
    if (this.isEnded) return false;
    this.isEnded = true;
    this.onEnd?.();
    this.onEnd = null;
    return true;
  }

  /** Nobody will put it again. */
  letGo(): void {
    this.link = null;
    this.memory = null;
    if (this.packed === null) return;
    this.packed.settle();
    this.packed = null;
  }
}

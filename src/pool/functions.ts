/** The functions that a pool has been asked to run: each has a number, which stands for it in tasks. */
import { checkTarget, type Target } from '../process/options.js';
import { errorClassFinder } from '../transfer/error-classes.js';
import { referenceOf, type FunctionRef } from '../transfer/function-ref.js';

export interface FunctionEntry {
  readonly number: number;
  readonly name: string;
  readonly ref: FunctionRef;
  readonly findClass: (name: string) => unknown;
}

export class Functions {
  readonly #known = new Map<object, FunctionEntry>();
  readonly #entries: FunctionEntry[] = [];

  /** @throws MultiprocessingError `ERR_MP_FUNCTION` if workers cannot find it; TypeError */
  entry(target: Target, what: string): FunctionEntry {
    return this.#known.get(target) ?? this.#add(checkTarget(target, what), what);
  }

  #add(target: Target, what: string): FunctionEntry {
    const ref = referenceOf(target, what);
    // The same address may come as another object each time.
    const same = this.#entries.find(
      (e) => e.ref.module === ref.module && e.ref.export === ref.export && e.ref.hash === ref.hash,
    );
    if (same !== undefined) {
      if (typeof target === 'function') this.#known.set(target, same);
      return same;
    }
    const entry = {
      number: this.#entries.length,
      name: ref.export === 'default' && typeof target === 'function' ? target.name || 'default' : ref.export,
      ref,
      findClass: errorClassFinder(target, null),
    };
    this.#entries.push(entry);
    if (typeof target === 'function') this.#known.set(target, entry);
    return entry;
  }
}

/** Properties that an array has beside its elements, as those of regular expressions' matches. */
import { inspect } from 'node:util';

/** Up to here asking for all keys is fastest, then for all values, then what only depends on the names. */
const fewElements = 6;
const someElements = 600;
const onlyNames = { maxArrayLength: 0, depth: 0, customInspect: false, getters: false, showHidden: false };

/** Whether an array without holes has others. Often, but not always right when it says so. */
export function mayHaveNames(array: readonly unknown[]): boolean {
  const n = array.length;
  if (n <= fewElements) return Object.keys(array).length !== n;
  if (n <= someElements) return Object.values(array).length !== n;
  // V8 can tell the names without a list of all indices, but only inspect() knows how to ask: `[ ... 100 more items ]`.
  return !/^\[ \.\.\. \d+ more items \]$/.test(inspect(array, onlyNames));
}

/** The names of those. */
export function namesOf(array: readonly unknown[]): string[] {
  return Object.keys(array).filter((key) => !isIndex(key));
}

export function isIndex(key: string): boolean {
  const index = Number(key) >>> 0;
  return index !== 0xffffffff && String(index) === key;
}

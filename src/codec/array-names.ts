/**
 * Whether an array is more than its elements: it may have properties beside them, as regular expressions' matches do, or
 * elements that are not enumerable.
 */
import { inspect } from 'node:util';

/** Up to here asking for all keys is fastest, then for all values, then what only depends on the names. */
const fewElements = 6;
const someElements = 600;
const onlyNames = { maxArrayLength: 0, depth: 0, customInspect: false, getters: false, showHidden: false };

/**
 * Whether an array without holes has others, or hides some of its own. Not always right when it says so; when it does not, it
 * is but for elements hidden among many.
 */
export function mayHaveNames(array: readonly unknown[]): boolean {
  const n = array.length;
  if (n <= fewElements) {
    const keys = Object.keys(array);
    return keys.length !== n || (n > 0 && keys[n - 1] !== String(n - 1));
  }
  if (n <= someElements) {
    const values = Object.values(array);
    return values.length !== n || !Object.is(values[n - 1], array[n - 1]);
  }
  // V8 can tell the names without a list of all indices, but only inspect() knows how to ask: `[ ... 100 more items ]`.
  return !/^\[ \.\.\. \d+ more items \]$/.test(inspect(array, onlyNames));
}

export function isIndex(key: string): boolean {
  const index = Number(key) >>> 0;
  return index !== 0xffffffff && String(index) === key;
}

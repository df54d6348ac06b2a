/** Writing what arrays rarely have: holes, properties beside their elements, elements that are not enumerable. */
import { isIndex } from './array-names.js';
import type { Writer } from './writer.js';

/** Thrown where elements that are not enumerable have been written: the message is begun again, with this in mind. */
export const hiddenElements = new Error('An array has elements that are not enumerable');

/** The elements from `from` on, of which there may be few. */
export function writeElements(to: Writer, array: unknown[], from: number): void {
  const countAt = to.reserve();
  let count = 0;
  for (const key of Object.keys(array)) {
    if (!isIndex(key) || Number(key) < from || !Object.hasOwn(array, key)) continue;
    to.u32(Number(key));
    to.value(array[Number(key)]);
    count++;
  }
  to.settle(countAt, count);
}

/** The properties beside the elements. `dense`: so many elements have been written one after the other. */
export function writeNames(to: Writer, tagAt: number, array: unknown[], dense: number): void {
  const keys = Object.keys(array);
  if (dense > 0 && keys[dense - 1] !== String(dense - 1)) throw hiddenElements;
  const names = keys.filter((key) => !isIndex(key));
  if (names.length === 0) return;
  to.setNamed(tagAt);
  const countAt = to.reserve();
  let count = 0;
  for (const name of names) {
    if (!Object.hasOwn(array, name)) continue;
    to.value(name);
    to.value((array as unknown as Record<string, unknown>)[name]);
    count++;
  }
  to.settle(countAt, count);
}

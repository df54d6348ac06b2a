/** A chunk of a map, in its worker. */

/** The results of all items; or a promise for them, from the first one that is one. @throws ItemError */
export function eachItem(
  items: ArrayLike<unknown>,
  fn: (item: unknown) => unknown,
  concurrency: number,
): unknown {
  const { length } = items;
  const results = new Array<unknown>(length);
  for (let i = 0; i < length; i++) {
    let value: unknown;
    let isLater: boolean;
    try {
      value = fn(items[i]);
      isLater = isThenable(value);
    } catch (error) {
      throw new ItemError(i, error);
    }
    if (isLater) return eachLater(items, fn, results, i, value as PromiseLike<unknown>, concurrency);
    results[i] = value;
  }
  return results;
}

/** The rest of them, so many at once. */
async function eachLater(
  items: ArrayLike<unknown>,
  fn: (item: unknown) => unknown,
  results: unknown[],
  from: number,
  first: PromiseLike<unknown>,
  concurrency: number,
): Promise<unknown[]> {
  let next = from + 1;
  let failed = false;
  const settle = async (i: number, value: unknown): Promise<void> => {
    try {
      results[i] = await value;
    } catch (error) {
      failed = true;
      throw new ItemError(i, error);
    }
  };
  const lane = async (value?: PromiseLike<unknown>): Promise<void> => {
    if (value !== undefined) await settle(from, value);
    while (next < items.length && !failed) {
      const i = next++;
      await settle(i, attempt(fn, items[i]));
    }
  };
  const lanes = [lane(first)];
  while (lanes.length < Math.min(concurrency, items.length - from)) lanes.push(lane());
  await Promise.all(lanes);
  return results;
}

/** A chunk's item that failed. */
export class ItemError extends Error {
  readonly item: number;
  readonly error: unknown;
  readonly #brand = true;

  /** Whatever a task throws can be asked: not even a Proxy notices. */
  static is(value: unknown): value is ItemError {
    return typeof value === 'object' && value !== null && #brand in value;
  }

  constructor(item: number, error: unknown) {
    super(`item ${item}`);
    this.item = item;
    this.error = error;
  }
}

/** What it gives, or a promise that fails. */
function attempt(fn: (item: unknown) => unknown, item: unknown): unknown {
  try {
    return fn(item);
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the task threw
    return Promise.reject(error);
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Errors of the program's own code that no call can report: they are warnings. */

export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}

/** Calls it. What it throws, also later, is a warning. */
export function callAndWarn<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): void {
  try {
    const value = fn(...args);
    if (typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function')
      Promise.resolve(value).catch(warn);
  } catch (error) {
    warn(error);
  }
}

/** The longest time a timer of Node's can have. */
export const longestTimer = 2 ** 31 - 1;

/**
 * Calls `passed` when performance.now() has reached a deadline, Infinity being never; not inside this call: however slow this
 * thread is, others get a turn of the loop. Returns what calls it off.
 */
export function atDeadline(deadline: number, passed: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    timer = setTimeout(look, Math.min(Math.max(deadline - performance.now(), 0), longestTimer));
  };
  const look = (): void => {
    if (performance.now() >= deadline) passed();
    else wait();
  };
  if (deadline !== Infinity) wait();
  return () => {
    clearTimeout(timer);
  };
}

/** A map: all results at once, when they are there. */
import { Feed, type MapCall, type Outcome } from './feed.js';
import { callAndWarn } from './warn.js';
import type { Stop } from './watch.js';

/** All results in the order of the input. If items fail, the error of the first of them, when all are done. */
export function map(call: MapCall): { promise: Promise<unknown[]>; stop: Stop } {
  const { chunks, options } = call;
  const results = chunks.total === undefined ? [] : new Array<unknown>(chunks.total);
  let stop: Stop = () => false;
  const promise = new Promise<unknown[]>((resolve, reject) => {
    let isOver = false;
    let done = 0;
    let first: { at: number; error: unknown } | null = null;

    stop = (reason, running = true) => {
      if (isOver || !running) return false;
      isOver = true;
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is anything
      reject(reason);
      feed.end(reason);
      return true;
    };
    const check = (): void => {
      if (isOver || !feed.isDone) return;
      isOver = true;
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the task threw
      if (first !== null) reject(first.error);
      else resolve(results);
      feed.end(null);
    };
    const arrived = ({ from, count, values, failure }: Outcome): void => {
      for (let i = 0; i < values.length; i++) results[from + i] = values[i];
      if (failure !== null && from + failure.at < (first?.at ?? Infinity))
        first = { at: from + failure.at, error: failure.error };
      done += count;
      if (options.onProgress !== null) callAndWarn(options.onProgress, { done, total: chunks.total });
      feed.pull();
      check();
    };
    const inputEnded = (failure: { error: unknown } | null): void => {
      if (failure !== null) stop(failure.error);
      else check();
    };
    const feed: Feed = new Feed(call, { hasRoom: () => !feed.isBusy, arrived, inputEnded, stop, late: stop });
    feed.begin();
  });
  return { promise, stop: (reason, running) => stop(reason, running) };
}

/** The listeners of signals: thousands of tasks may share one, which has one listener for all of them. */

const waiting = new WeakMap<AbortSignal, { calls: Set<() => void>; abort: () => void }>();

/** Has `call` called when the signal is aborted. The returned function calls that off. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const its = waiting.get(signal) ?? listenTo(signal);
  its.calls.add(call);
  return () => {
    if (!its.calls.delete(call) || its.calls.size > 0 || waiting.get(signal) !== its) return;
    waiting.delete(signal);
    signal.removeEventListener('abort', its.abort);
  };
}

function listenTo(signal: AbortSignal): { calls: Set<() => void>; abort: () => void } {
  const calls = new Set<() => void>();
  const abort = (): void => {
    waiting.delete(signal);
    // The latest first: a worker whose task is ended takes the next one, which is then not there any more.
    for (const call of [...calls].reverse()) call();
  };
  const its = { calls, abort };
  waiting.set(signal, its);
  signal.addEventListener('abort', abort, { once: true });
  return its;
}

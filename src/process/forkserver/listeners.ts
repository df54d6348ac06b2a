/** Listeners of 'exit' and 'beforeExit' that preloaded modules register: they are of the process that registered them. */

const events = ['exit', 'beforeExit'] as const;
type Listener = (...args: unknown[]) => void;

const own: { event: (typeof events)[number]; listener: Listener }[] = [];

/** Call it before modules are loaded, and what it returns afterwards: what they registered is the server's alone. */
export function keepListeners(): () => void {
  const before = events.map((event) => new Set(process.rawListeners(event)));
  return () => {
    events.forEach((event, i) => {
      for (const listener of process.rawListeners(event) as Listener[]) {
        if (before[i]!.has(listener)) continue;
        process.off(event, listener);
        own.push({ event, listener });
      }
    });
  };
}

/** The server ends. */
export function runOwnListeners(): void {
  for (const { event, listener } of own) {
    try {
      if (event === 'exit') listener.call(process, 0);
    } catch {
      // The others run all the same; nobody is left to be told.
    }
  }
}

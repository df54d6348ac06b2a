/** What a child writes is written when the call returns: process.exit() and uncaught errors lose nothing of it. */

const names = ['stdout', 'stderr'] as const;
type Piped = NodeJS.WriteStream & {
  _type?: string;
  _handle?: { setBlocking?: (blocking: boolean) => void } | null;
};

/** Node writes to a pipe what fits into it, and the rest later, if there is a later. Streams are made at their first use. */
export function writeAtOnce(): void {
  for (const name of names) {
    const own = Object.getOwnPropertyDescriptor(process, name);
    const make = own?.get?.bind(process) as (() => Piped) | undefined;
    if (own === undefined || make === undefined) continue;
    const get = (): Piped => {
      Object.defineProperty(process, name, own);
      const stream = make();
      if (stream._type === 'pipe') stream._handle?.setBlocking?.(true);
      return stream;
    };
    Object.defineProperty(process, name, { ...own, get });
  }
}

/** One clock for all processes and threads of a machine, which nobody sets. */
const ahead = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds. */
export const monotonic = (): number => ahead + performance.now();

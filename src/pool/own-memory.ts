/** How many bytes of memory this process has for itself. */
import { readFileSync } from 'node:fs';

/** Without files and shared memory that it has mapped, where the system tells them apart (Linux). */
export function ownMemory(): number {
  try {
    const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    if (kibibytes !== undefined) return Number(kibibytes) * 1024;
  } catch {
    // There is no such file.
  }
  return process.memoryUsage.rss();
}

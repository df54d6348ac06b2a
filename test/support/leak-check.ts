/** Around the whole run: nothing in /dev/shm and no process of ours is left that was not there before. */
import { readdirSync, readFileSync } from 'node:fs';

const graceMs = 5_000;

function sharedMemory(): string[] {
  try {
    return readdirSync('/dev/shm').map((name) => `/dev/shm/${name}`);
  } catch {
    return [];
  }
}

/** Says which processes this run started, in the environment they inherit; others may be testing on this machine. */
const mark = `MULTIPROC_TEST_RUN=${process.pid}-${Date.now()}`;

/** Running children of multiproc, told by their entry. */
function children(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const ours = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
        return ours && command.includes('lib/entry/') ? [`process ${pid}: ${command}`] : [];
      } catch {
        return [];
      }
    });
}

export default function setup(): () => Promise<void> {
  process.env.MULTIPROC_TEST_RUN = mark.split('=')[1]!;
  const before = new Set(sharedMemory());
  return async () => {
    const deadline = Date.now() + graceMs;
    for (;;) {
      const left = [...sharedMemory(), ...children()].filter((thing) => !before.has(thing));
      if (left.length === 0) return;
      if (Date.now() > deadline) throw new Error(`The tests left behind:\n${left.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
}

/** The object of the process that runs. */
import { currentIdentity } from './current.js';
import { type Adopted, internal } from './keys.js';
import { Process } from './process.js';

let current: Process | null = null;

/** The process this code runs in: in a child the object that was started there, else one called MainProcess. */
export function currentProcess(): Process {
  current ??= adopt(Process, {
    identity: currentIdentity() ?? {
      name: 'MainProcess',
      path: [],
      daemon: false,
      parent: { name: '', pid: process.ppid },
    },
    run: () => undefined,
  });
  return current;
}

/** In a process that was forked: the object that was started is this one's. */
export function setCurrentProcess(process: Process): void {
  current = process;
}

/** Makes a child's own object: of the subclass, without running its constructor, which has run in the parent. */
export function becomeCurrent(jobClass: object, adopted: Adopted, fields: Record<string, unknown>): Process {
  current = adopt(jobClass, adopted);
  for (const [key, value] of Object.entries(fields)) {
    Object.defineProperty(current, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return current;
}

function adopt(jobClass: object, adopted: Adopted): Process {
  return Reflect.construct(Process, [internal, adopted], jobClass as typeof Process) as Process;
}

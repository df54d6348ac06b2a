/** The object of the process that runs. */
import { currentIdentity } from './current.js';
import { type Adopted, internal } from './keys.js';
import { Process } from './process.js';

let current: Process | null = null;
/** What it is made from when somebody asks for it: most children never do. */
let adopted: Adopted | null = null;

/** The process this code runs in: in a child the object that was started there, else one called MainProcess. */
export function currentProcess(): Process {
  current ??= adopt(
    Process,
    adopted ?? {
      identity: currentIdentity() ?? {
        name: 'MainProcess',
        path: [],
        daemon: false,
        childless: false,
        parent: { name: '', pid: process.ppid },
      },
      run: () => undefined,
    },
  );
  return current;
}

/** In a child that was started from a function. */
export function becomeCurrent(as: Adopted): void {
  adopted = as;
}

/** In a process that was forked: the object that was started is this one's. */
export function setCurrentProcess(process: Process): void {
  current = process;
}

/** In a child that was started from a subclass's object: one like it, without running its constructor, which has run there. */
export function rebuildCurrent(jobClass: object, as: Adopted, fields: Record<string, unknown>): Process {
  current = adopt(jobClass, as);
  for (const [key, value] of Object.entries(fields)) {
    Object.defineProperty(current, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return current;
}

function adopt(jobClass: object, as: Adopted): Process {
  return Reflect.construct(Process, [internal, as], jobClass as typeof Process) as Process;
}

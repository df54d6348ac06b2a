/** Start method spawn: a new Node that runs our entry, with its letter and the arena among its descriptors. */
import { arenaDescriptor } from '../memory/arena.js';
import { native } from '../native/load.js';
import { entryPath } from './current.js';
import { inheritedArgv, inheritedExecArgv } from './exec-args.js';
import type { CheckedOptions } from './options.js';
import { checkTexts, type Parcel } from './start.js';

/** Returns when its image is loaded. */
export function spawn(
  { stdio, letter, parent, ending, env }: Parcel,
  options: CheckedOptions,
  cwd: string | null,
  what: string,
): { id: number; pid: number } {
  const execArgv = options.execArgv ?? inheritedExecArgv();
  const argv = [process.execPath, ...execArgv, entryPath, ...inheritedArgv()];
  const list = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  checkTexts(argv, what);
  const doorbell = native.bellCreate();
  return native.childSpawn(
    process.execPath,
    argv,
    list,
    cwd,
    [...stdio, arenaDescriptor(), letter, doorbell, parent, ending],
    options.detached,
    doorbell,
    !options.detached,
    options.windowsHide,
  );
}

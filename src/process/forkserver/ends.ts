/**
 * How a forked process ends. Node's own way joins threads that it does not have. So every way out goes through exitNow(),
 * after the 'exit' listeners; standard output is written synchronously on Linux, so nothing is left behind.
 */
import { inspect } from 'node:util';
import { native } from '../../native/load.js';
import { writeFully } from '../output.js';

/** Node's own codes: an error nobody caught, and an error in the handler for those. */
const uncaughtCode = 1;
const handlerCode = 7;

let uncaught: { error: unknown } | null = null;

/** What Node's event loop does when it has run empty in the server; in a child nothing. */
let whenQuiet: (() => void) | null = null;

export function onQuiet(quiet: (() => void) | null): void {
  whenQuiet = quiet;
}

/** Whether this process ends as forked ones do. */
let forked = false;

/** Whether what ends JavaScript here is no error, though addons that called it may take it for one. */
let leaving = false;

export function ignoreUncaught(yes: boolean): void {
  leaving = yes;
}

/** In the server, so that children have it compiled; or in a program that can fork itself. */
export function takeOverEmit(): void {
  const emit = process.emit.bind(process) as (event: string | symbol, ...args: unknown[]) => boolean;
  const replacement = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === 'beforeExit' && whenQuiet !== null) {
      whenQuiet();
      return true;
    }
    if (leaving && (event === 'uncaughtExceptionMonitor' || event === 'uncaughtException')) return true;
    if (!forked) return emit(event, ...args);
    if (event === 'uncaughtExceptionMonitor') noteUncaught(args[0]);
    if (event === 'uncaughtException' || event === 'uncaughtExceptionMonitor')
      return emitUncaught(() => emit(event, ...args));
    return event === 'exit' ? emitExit(() => emit(event, ...args), args[0]) : emit(event, ...args);
  };
  Object.defineProperty(process, 'emit', { value: replacement, writable: true, configurable: true });
}

/** In a child, before anything of the program's runs in it. */
export function takeOverEnds(): void {
  uncaught = null;
  // Node 20 gives texts as they are.
  (process as unknown as { reallyExit: (code?: unknown) => void }).reallyExit = (code) => {
    native.exitNow(Number(code ?? 0) | 0);
  };
  // A fork of a fork has the watch already.
  if (!forked) {
    native.onDry((last) => {
      if (last) process.exit();
      else process.emit('beforeExit', Number(process.exitCode ?? 0));
    });
  }
  forked = true;
}

function noteUncaught(error: unknown): void {
  if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) return;
  uncaught = { error };
}

function emitUncaught(emit: () => boolean): boolean {
  try {
    return emit();
  } catch (error) {
    print(error);
    native.exitNow(handlerCode);
  }
}

/** As Node does: an error is printed after the listeners, and one of theirs in its place. */
function emitExit(emit: () => boolean, code: unknown): boolean {
  let emitted = false;
  try {
    emitted = emit();
  } catch (error) {
    uncaught = { error };
    process.exitCode = uncaughtCode;
  }
  if (uncaught === null) return emitted;
  print(uncaught.error);
  native.exitNow(Number(process.exitCode ?? code ?? uncaughtCode));
}

function print(error: unknown): void {
  try {
    writeFully(2, Buffer.from(`Uncaught ${inspect(error)}\n`));
  } catch {
    // Nobody reads it, or it cannot be shown.
  }
}

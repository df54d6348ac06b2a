/** A child's work: finding its function, running it, and telling the parent how it went. */
import { inspect } from 'node:util';
import { MultiprocessingError, ProcessError } from '../errors.js';
import { setEnvironmentName } from '../memory/arena.js';
import { native } from '../native/load.js';
import { encode, type Encoded, Received } from '../transfer/codec.js';
import { takeApart } from '../transfer/error-transfer.js';
import { preloadModule, resolveFunction } from '../transfer/function-resolve.js';
import type { FunctionRef } from '../transfer/function-ref.js';
import { grant } from '../transfer/handle.js';
import { becomeChild, currentIdentity, whileImporting } from './current.js';
import { childFd, type Identity, type LaunchMessage } from './launch.js';
import { inheritStartMethod } from './start-method.js';
import { takeSurroundings } from './forkserver/surroundings.js';
import { letterState, type Letter } from './letter.js';
import { writeAtOnce } from './output.js';
import { becomeCurrent, currentProcess, Process } from './process.js';

/** The exit code Node itself has for a main module whose top-level await never settled. */
const unsettledCode = 13;

export class Work {
  readonly #letter: Letter;
  #parentOwner = 0;
  #settled = false;

  constructor(letter: Letter) {
    this.#letter = letter;
    writeAtOnce();
    this.#watchEnd();
  }

  /** Does it all. Never rejects: a failure is told to the parent, printed, and ends this process with code 1. */
  async perform(attach: () => void): Promise<void> {
    await this.#carryOut(async () => {
      attach();
      const process = await this.#prepare(await this.#open());
      return () => process.run();
    });
  }

  /** The same in a process that has its work in its heap: `prepare` gives it. */
  async performForked(
    { identity, parentOwner }: { identity: Identity; parentOwner: number },
    prepare: () => () => unknown,
  ): Promise<void> {
    await this.#carryOut(() => {
      this.#parentOwner = parentOwner;
      becomeChild(identity);
      setEnvironmentName(identity.name);
      const run = prepare();
      this.#letter.attached();
      native.bellRing(childFd.doorbell);
      return run;
    });
  }

  async #carryOut(prepare: () => (() => unknown) | Promise<() => unknown>): Promise<void> {
    try {
      const run = await prepare();
      this.#return(await run());
    } catch (error) {
      this.#publish(error);
      print(error);
      process.exit(1);
    }
  }

  async #open(): Promise<LaunchMessage> {
    const received = new Received(this.#letter.read());
    let hasFunctions = false;
    const message = received.value(() => {
      hasFunctions = true;
      return nobody;
    }) as LaunchMessage;
    const { identity, parentOwner, cwd, surroundings, startMethod } = message.launch;
    this.#parentOwner = parentOwner;
    becomeChild(identity);
    inheritStartMethod(startMethod);
    setEnvironmentName(identity.name);
    this.#letter.attached();
    native.bellRing(childFd.doorbell);
    if (surroundings !== null) takeSurroundings(surroundings);
    if (cwd !== null) process.chdir(cwd);
    if (!hasFunctions) return message;
    // Only now: their modules are to be loaded in the surroundings that the process will have.
    return (await received.valueLater((url) =>
      whileImporting(url, () => preloadModule(url)),
    )) as LaunchMessage;
  }

  async #prepare({ launch, args, this: fields }: LaunchMessage): Promise<Process> {
    const { job, target, identity } = launch;
    const jobClass = job === null ? Process : await load(job);
    if (jobClass !== Process && !((jobClass as typeof Process).prototype instanceof Process)) {
      throw new MultiprocessingError(
        'ERR_MP_FUNCTION',
        `Export ${JSON.stringify(job!.export)} of ${job!.module} is not a subclass of this multiproc's Process`,
      );
    }
    const fn = target === null ? null : ((await load(target)) as (...args: unknown[]) => unknown);
    return becomeCurrent(jobClass, { identity, run: () => fn?.(...args) }, fields);
  }

  /** A result that cannot be sent is an error for who asks for it, not for the process: most ask for none. */
  #return(value: unknown): void {
    try {
      this.#settle(encode(value, 'result'), letterState.returned);
    } catch (error) {
      this.#publish(error);
    }
  }

  #publish(error: unknown): void {
    if (this.#settled) return;
    try {
      this.#settle(encode(takeApart(error), 'error'), letterState.threw);
    } catch {
      // The letter cannot be written (no memory). The parent learns from the exit code.
    }
  }

  #settle({ bytes, shared }: Encoded, state: number): void {
    // We may be gone before the parent reads it: what is shared in it must be the parent's by then.
    for (const object of shared) object[grant](this.#parentOwner);
    this.#letter.settle(bytes, state);
    this.#settled = true;
    native.bellRing(childFd.doorbell);
  }

  #watchEnd(): void {
    // Node prints the error itself, with its source line; our part is the name above it, and telling the parent.
    process.on('uncaughtExceptionMonitor', (error) => {
      if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback())
        return;
      this.#publish(error);
      process.stderr.write(heading());
    });
    let ranEmpty = false;
    process.on('beforeExit', () => {
      ranEmpty = true;
    });
    process.on('exit', (code) => {
      if (this.#settled || !ranEmpty || code !== 0) return;
      const error = new ProcessError(
        'ERR_MP_UNSETTLED',
        `${currentProcess().name} had nothing left to do while its target's promise was still pending`,
      );
      this.#publish(error);
      print(error);
      process.exitCode = unsettledCode;
    });
  }
}

/** Stands for functions until they can be found. */
function nobody(): void {
  // Never called.
}

async function load(ref: FunctionRef): Promise<object> {
  return whileImporting(ref.module, () => resolveFunction(ref));
}

function print(error: unknown): void {
  process.stderr.write(`${heading()}${typeof error === 'string' ? error : inspect(error)}\n`);
}

/** As in Python, above the stack of what nobody caught. */
function heading(): string {
  return `Process ${currentIdentity() === null ? process.pid : currentProcess().name}:\n`;
}

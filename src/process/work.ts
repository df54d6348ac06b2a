/** A child's work: finding its function, running it, and telling the parent how it went. */
import { inspect } from 'node:util';
import { MultiprocessingError, ProcessError } from '../errors.js';
import { setEnvironmentName } from '../memory/arena.js';
import { native } from '../native/load.js';
import { decode, encode, type Encoded, Received } from '../transfer/codec.js';
import { inWords, takeApart } from '../transfer/error-transfer.js';
import { preloadModule, resolveFunction } from '../transfer/function-resolve.js';
import type { FunctionRef } from '../transfer/function-ref.js';
import { grant } from '../transfer/handle.js';
import { becomeChild, currentIdentity, whileImporting } from './current.js';
import { childFd, type Given, type Identity, type Launch } from './launch.js';
import { inheritStartMethod } from './start-method.js';
import { takeSurroundings } from './forkserver/surroundings.js';
import { letterState, type Letter } from './letter.js';
import { writeAtOnce } from './output.js';
import { becomeCurrent, currentProcess, rebuildCurrent } from './current-process.js';
import { Process } from './process.js';

/** The exit code Node itself has for a main module whose top-level await never settled. */
const unsettledCode = 13;

export class Work {
  /** The one of this process. */
  static #current: Work | null = null;

  /**
   * What a process that has work needs around it, whichever work that is. A forkserver does it for its children: what each
   * of them runs is memory of its own.
   */
  static prepare(): void {
    writeAtOnce();
    process.on('uncaughtExceptionMonitor', (error) => Work.#current?.uncaught(error));
    process.on('beforeExit', () => Work.#current?.ranEmpty());
    process.on('exit', (code) => Work.#current?.exits(code));
  }

  readonly #letter: Letter;
  #parentOwner = 0;
  #settled = false;
  #ranEmpty = false;

  constructor(letter: Letter) {
    this.#letter = letter;
    Work.#current = this;
  }

  /** Does it all. Never rejects: a failure is told to the parent, printed, and ends this process with code 1. */
  async perform(attach: () => void): Promise<void> {
    await this.#carryOut(async () => {
      attach();
      return this.#prepare(...(await this.#open()));
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

  async #open(): Promise<[Launch, Given]> {
    const [first, second] = this.#letter.readLaunch();
    const launch = decode(first) as Launch;
    const { identity, parentOwner, cwd, surroundings, startMethod } = launch;
    this.#parentOwner = parentOwner;
    becomeChild(identity);
    inheritStartMethod(startMethod);
    setEnvironmentName(identity.name);
    const received = new Received(second);
    const functions: FunctionRef[] = [];
    const given = received.value((ref) => {
      functions.push(ref);
      return nobody;
    }) as Given;
    this.#letter.attached();
    native.bellRing(childFd.doorbell);
    if (surroundings !== null) takeSurroundings(surroundings);
    if (cwd !== null) process.chdir(cwd);
    if (functions.length === 0) return [launch, given];
    // Only now: their modules are to be loaded in the surroundings that the process will have.
    const importModule = (url: string): Promise<unknown> => whileImporting(url, () => preloadModule(url));
    return [launch, (await received.valueLater(importModule)) as Given];
  }

  async #prepare(launch: Launch, { args, this: fields }: Given): Promise<() => unknown> {
    const { job, target, identity } = launch;
    const jobClass = job === null ? null : await load(job);
    const fn = target === null ? null : ((await load(target)) as (...args: unknown[]) => unknown);
    const run = (): unknown => fn?.(...args);
    if (jobClass === null) {
      becomeCurrent({ identity, run });
      return run;
    }
    if (jobClass !== Process && !((jobClass as typeof Process).prototype instanceof Process)) {
      throw new MultiprocessingError(
        'ERR_MP_FUNCTION',
        `Export ${JSON.stringify(job!.export)} of ${job!.module} is not a subclass of this multiproc's Process`,
      );
    }
    const process = rebuildCurrent(jobClass, { identity, run }, fields);
    return () => process.run();
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
    for (const take of [takeApart, inWords]) {
      if (this.#settled) return;
      try {
        this.#settle(encode(take(error), 'error'), letterState.threw);
      } catch {
        // If the letter cannot be written at all (no memory), the parent learns from the exit code.
      }
    }
  }

  #settle({ bytes, shared }: Encoded, state: number): void {
    // We may be gone before the parent reads it: what is shared in it must be the parent's by then.
    for (const object of shared) object[grant](this.#parentOwner);
    this.#letter.settle(bytes, state);
    this.#settled = true;
    native.bellRing(childFd.doorbell);
  }

  /** Node prints the error itself, with its source line; our part is the name above it, and telling the parent. */
  uncaught(error: unknown): void {
    if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback())
      return;
    this.#publish(error);
    process.stderr.write(heading());
  }

  ranEmpty(): void {
    this.#ranEmpty = true;
  }

  exits(code: number): void {
    if (this.#settled || !this.#ranEmpty || code !== 0) return;
    const error = new ProcessError(
      'ERR_MP_UNSETTLED',
      `${currentProcess().name} had nothing left to do while its target's promise was still pending`,
    );
    this.#publish(error);
    print(error);
    process.exitCode = unsettledCode;
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

/** Processes: started from a function or a subclass, waited for, asked for their result, ended. */
import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { ClosedError, ProcessError, TimeoutError } from '../errors.js';
import { show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { onWindows } from '../native/system.js';
import { ownOwnerId, setEnvironmentName } from '../memory/arena.js';
import { parseSyncWait, parseWait, type SyncWaitOptions, type WaitOptions } from '../sync/wait-options.js';
import { errorClassFinder } from '../transfer/error-classes.js';
import { staysHere } from '../transfer/handle.js';
import { referenceOf, referenceTo, type FunctionAddress } from '../transfer/function-ref.js';
import { Child, reapEnded, reapSometimes } from './child.js';
import { checkMayHaveChildren, checkMayStart, currentIdentity } from './current.js';
import { type Adopted, boundMethod, exitedHook, internal, poolWorker } from './keys.js';
import { currentProcess, setCurrentProcess } from './current-process.js';
import type { Identity } from './launch.js';
import {
  checkOptions,
  isPlainObject,
  readArguments,
  type CheckedOptions,
  type ProcessOptions,
} from './options.js';
import { exitCodeText, signalNumber } from './signals.js';
import { forkSelf, workInHeap } from './fork/fork.js';
import { startProcess, type Started } from './start.js';
import { getStartMethod, isStartMethodChosen, type StartMethod } from './start-method.js';
import { openItems } from './stdio.js';
import { prepareToFork } from './forkserver/client.js';
import { descendantsOf, signalDescendant } from './tree.js';

const active = new Set<Process>();
const graceMs = 500;

/**
 * A process that runs a function, or a subclass's run(), in a Node of its own.
 *
 * At the natural end of this program running children are waited for (daemons are ended); when it ends in any other way,
 * they end with it, unless they are `detached`.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the target returns
export class Process<R = any> {
  /** @internal Of a context's class and those below it: how their processes are started. */
  static readonly [boundMethod]: StartMethod | null = null;

  /** @internal */
  [exitedHook]: ((exitCode: number) => void) | null = null;
  /** @internal */
  [poolWorker] = false;
  readonly #options: CheckedOptions;
  readonly #path: number[];
  readonly #parentPid: number;
  #self: Adopted | null = null;
  #name: string;
  #daemon: boolean;
  /** Not only because its creator is one. */
  #isDaemonByWish: boolean;
  #target: CheckedOptions['target'];
  #args: unknown[];
  #child: Child | null = null;
  #streams: (Socket | null)[] = [];
  #closed = false;

  constructor(options?: ProcessOptions<never[], R>);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
  constructor(target: ((...args: any[]) => R | PromiseLike<R>) | URL | FunctionAddress, ...args: unknown[]);
  constructor(...given: unknown[]) {
    const what = `new ${new.target.name || 'Process'}()`;
    const adopted = given[0] === internal ? (given[1] as Adopted) : null;
    this.#options = adopted === null ? readArguments(given, what) : checkOptions({}, what);
    this.#target = this.#options.target;
    this.#args = this.#options.args;
    this.#self = adopted;
    const creator = currentIdentity();
    this.#path = adopted?.identity.path ?? [...(creator?.path ?? []), native.processNumber()];
    this.#name =
      adopted?.identity.name ??
      this.#options.name ??
      `${new.target.name || 'Process'}-${this.#path.join(':')}`;
    this.#daemon = adopted?.identity.daemon ?? this.#options.daemon ?? creator?.daemon ?? false;
    this.#isDaemonByWish = this.#options.daemon === true;
    this.#parentPid = adopted === null ? process.pid : adopted.identity.parent.pid;
    // The server's start takes as long as a Node's: it shall be ready when start() needs it.
    if (adopted === null && startMethodOf(new.target) === 'forkserver') prepareToFork(this.#options);
  }

  /** What the process does: calls the target. Subclasses may override it; it then runs in the child, with the fields. */
  run(): unknown {
    return this.#self?.run();
  }

  /**
   * Starts the process and returns this; `pid` exists at once. Once only. Copies the arguments now.
   * @throws ProcessError if it cannot be started or was before; MultiprocessingError `ERR_MP_CLONE` for arguments that
   * cannot be sent, `ERR_MP_FUNCTION` for a target other processes cannot find
   */
  start(): this {
    const what = `${this.constructor.name}.start()`;
    this.#checkOpen(what);
    if (this.#self !== null)
      throw this.#misuse('ERR_MP_STATE', `${what}: this is the running process itself`);
    if (this.#child !== null)
      throw this.#misuse('ERR_MP_STARTED', `${what}: ${this.#name} was started before; make a new one`);
    const stdio = openItems(this.#options.stdio, what);
    checkMayStart(what);
    checkMayHaveChildren(what);
    reapSometimes();

    const method = startMethodOf(this.constructor as typeof Process);
    const options = { ...this.#options, stdio };
    if (method === 'fork') return this.#fork(options, what);
    const job = isProgramsOwn(this.constructor) ? referenceTo(this.constructor) : null;
    const target = this.#target === null ? null : referenceOf(this.#target, what);
    const launch = {
      identity: this.#identity(),
      parentOwner: ownOwnerId(),
      cwd: null,
      surroundings: null,
      startMethod: method,
      job,
      target,
    };
    const given = {
      args: this.#args,
      this: job === null ? {} : Object.fromEntries(Object.entries(this)),
    };
    const patient = (this.constructor as typeof Process)[boundMethod] !== null || isStartMethodChosen();
    return this.#begun(startProcess(launch, given, options, { method, patient }, what));
  }

  #fork(options: CheckedOptions, what: string): this {
    const identity = this.#identity();
    const work = workInHeap(this.#target, this.#args, what);
    return this.#begun(
      forkSelf(
        {
          identity,
          parentOwner: ownOwnerId(),
          options,
          run: () => this.run(),
          become: () => {
            for (const process of active) process.#leaveStreams();
            active.clear();
            this.#self = { identity, run: work };
            setCurrentProcess(this);
          },
        },
        what,
      ),
    );
  }

  /** In a process forked beside it: the other ends would not see that its parent closes these. */
  #leaveStreams(): void {
    // Who listens is the parent.
    for (const stream of this.#streams) stream?.removeAllListeners().destroy();
  }

  #identity(): Identity {
    return {
      name: this.#name,
      path: this.#path,
      daemon: this.#daemon,
      childless: this.#isDaemonByWish && !this[poolWorker],
      parent: { name: currentProcess().name, pid: process.pid },
    };
  }

  #begun({ streams, ...child }: Started): this {
    this.#child = new Child({
      ...child,
      keepsAlive: !this.#daemon && !this.#options.detached,
      findClass: errorClassFinder(this.#target, isProgramsOwn(this.constructor) ? this.constructor : null),
      describe: () => `${this.#name} (pid ${child.pid})`,
      onEnd: (exitCode) => {
        active.delete(this);
        this[exitedHook]?.(exitCode);
      },
    });
    this.#streams = streams;
    active.add(this);
    // What the arguments refer to may be large; the child has its copy.
    this.#target = null;
    this.#args = [];
    return this;
  }

  /** Waits for the end without blocking: the exit code, or null if it still runs after the timeout. */
  async join(options?: number | WaitOptions): Promise<number | null> {
    const what = 'Process.join()';
    const wait = parseWait(options, what);
    const child = this.#started(what);
    return (await child.waitForEnd(wait)) ? child.exitCode : null;
  }

  /** Blocks this thread until the end: the exit code, or null if it still runs after the timeout. */
  joinSync(options?: number | SyncWaitOptions): number | null {
    const what = 'Process.joinSync()';
    const { timeout } = parseSyncWait(options, what);
    const child = this.#started(what);
    return child.waitSync(timeout, what) ? child.exitCode : null;
  }

  /**
   * What the target returned, as soon as it has; its error if it failed. The process may run on for a while.
   * @throws WorkerDiedError if it ended before that; TimeoutError
   */
  async result(options?: number | WaitOptions): Promise<Awaited<R>> {
    const what = 'Process.result()';
    const wait = parseWait(options, what);
    const child = this.#started(what);
    if (!(await child.waitForOutcome(wait))) {
      throw new TimeoutError(`${what}: ${this.#name} gave no result within ${wait.timeout} ms`);
    }
    const outcome = child.outcome!;
    if (!outcome.ok) throw outcome.error;
    return outcome.value as Awaited<R>;
  }

  /** Whether it has started and not ended. */
  isAlive(): boolean {
    this.#checkOpen('Process.isAlive()');
    return this.#self !== null || (this.#child !== null && !this.#child.poll());
  }

  get name(): string {
    return this.#name;
  }

  /** A label; the running process keeps the one it started with. */
  set name(name: string) {
    if (typeof name !== 'string') throw typeError(`Process.name: must be a string, not ${show(name)}`);
    this.#name = name;
    if (this.#self !== null) setEnvironmentName(name);
  }

  /** Whether it is ended, not waited for, at the natural end of its parent, and may start none. Settable before start(). */
  get daemon(): boolean {
    return this.#daemon;
  }

  set daemon(daemon: boolean) {
    if (typeof daemon !== 'boolean')
      throw typeError(`Process.daemon: must be a boolean, not ${show(daemon)}`);
    if (this.#child !== null || this.#self !== null) {
      throw this.#misuse('ERR_MP_STARTED', `Process.daemon: ${this.#name} has started; set it before`);
    }
    this.#daemon = this.#isDaemonByWish = daemon;
  }

  /** Null before start(). */
  get pid(): number | null {
    this.#checkOpen('Process.pid');
    return this.#self !== null ? process.pid : (this.#child?.pid ?? null);
  }

  /** The exit code; -N after signal N; null until it has ended. */
  get exitCode(): number | null {
    this.#checkOpen('Process.exitCode');
    this.#child?.poll();
    return this.#child?.exitCode ?? null;
  }

  /** A descriptor that becomes readable when the process ends, for event loops of your own. Closed by close(). */
  get sentinel(): number {
    if (onWindows)
      throw new ProcessError(
        'ERR_MP_UNSUPPORTED',
        'Process.sentinel: Windows has no descriptors that become readable when a process ends; use join()',
      );
    return this.#started('Process.sentinel').sentinel;
  }

  /**
   * Its standard input, output and errors as streams, where `stdio` says 'pipe'; else null. Reading one keeps this process
   * alive as long as the child has it open, also for a daemon: unref() it where it should not.
   */
  get stdin(): Socket | null {
    return this.#streams[0] ?? null;
  }

  get stdout(): Socket | null {
    return this.#streams[1] ?? null;
  }

  get stderr(): Socket | null {
    return this.#streams[2] ?? null;
  }

  /** Sends SIGINT. Nothing if it has ended. */
  interrupt(): void {
    this.#started('Process.interrupt()').signal(signalNumber.SIGINT);
  }

  /** Sends SIGTERM; with `tree`, to all its descendants as well. Nothing if it has ended. */
  terminate(options: { tree?: boolean | undefined } = {}): void {
    const what = 'Process.terminate()';
    if (!isPlainObject(options)) throw typeError(`${what}: expects options with tree, not ${show(options)}`);
    const { tree = false } = options;
    if (typeof tree !== 'boolean') throw typeError(`${what}: tree must be a boolean, not ${show(tree)}`);
    const child = this.#started(what);
    if (child.poll()) return;
    // Before the first signal: who loses its parent is no descendant any more.
    const descendants = tree ? descendantsOf(child.pid) : [];
    child.signal(signalNumber.SIGTERM);
    for (const descendant of descendants) signalDescendant(descendant, 'SIGTERM');
  }

  /** Sends SIGKILL. Nothing if it has ended. */
  kill(): void {
    this.#started('Process.kill()').signal(signalNumber.SIGKILL);
  }

  /** Gives back what the handle holds. Afterwards its methods throw ClosedError. @throws ProcessError while it runs */
  close(): void {
    if (this.#closed) return;
    if (this.#self !== null)
      throw this.#misuse('ERR_MP_STATE', 'Process.close(): this is the running process itself');
    if (this.#child !== null && !this.#child.poll()) {
      throw this.#misuse('ERR_MP_RUNNING', `Process.close(): ${this.#name} still runs; end or join it first`);
    }
    this.#child?.closeSentinel();
    this.#closed = true;
  }

  /** Ends it if it still runs (SIGTERM, after half a second SIGKILL), waits for that, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    if (this.#child !== null && !this.#child.poll()) {
      this.terminate();
      if (!(await this.#child.waitForEnd({ timeout: graceMs }))) {
        this.kill();
        await this.#child.waitForEnd({ timeout: Infinity });
      }
    }
    this.close();
  }

  /** @internal */
  get [staysHere](): string {
    return 'It is the handle of the process that made it: send its pid, or what it gives';
  }

  [inspect.custom](): string {
    const parts = [`name='${this.#name}'`];
    const child = this.#child;
    if (!this.#closed && (child !== null || this.#self !== null))
      parts.push(`pid=${child?.pid ?? process.pid}`);
    parts.push(`parent=${this.#parentPid}`);
    if (this.#closed) parts.push('closed');
    else if (this.#self !== null) parts.push('started');
    else if (child === null) parts.push('initial');
    else if (!child.poll()) parts.push('started');
    else parts.push('stopped', `exitcode=${exitCodeText(child.exitCode!)}`);
    if (this.#daemon) parts.push('daemon');
    return `<${this.constructor.name} ${parts.join(' ')}>`;
  }

  #started(what: string): Child {
    this.#checkOpen(what);
    if (this.#self !== null)
      throw this.#misuse('ERR_MP_STATE', `${what}: this is the running process itself`);
    if (this.#child === null)
      throw this.#misuse('ERR_MP_NOT_STARTED', `${what}: ${this.#name} has not been started`);
    return this.#child;
  }

  #checkOpen(what: string): void {
    if (this.#closed) throw new ClosedError(`${what}: the handle of ${this.#name} is closed`);
  }

  #misuse(code: string, message: string): ProcessError {
    return new ProcessError(code, message);
  }
}

function startMethodOf(processClass: typeof Process): StartMethod {
  return processClass[boundMethod] ?? getStartMethod();
}

/** Whether a class is neither ours nor a context's, so that its run() is to be found in the child. */
function isProgramsOwn(processClass: object): boolean {
  return !Object.hasOwn(processClass, boundMethod);
}

/** Children of this environment that still run. Collects those that have ended. */
export function activeChildren(): Process[] {
  reapEnded();
  return [...active];
}

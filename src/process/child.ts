/** A started child as its parent sees it: its letter, its end, and what it gave. Lives until it has ended. */
import { NotLoadedError } from '../codec/functions.js';
import { InterruptedError, MultiprocessingError, ProcessError, WorkerDiedError } from '../errors.js';
import { sweepDead } from '../memory/arena.js';
import { native } from '../native/load.js';
import { childEvent, childWaited } from '../native/process-binding.js';
import type { Wait } from '../sync/wait-options.js';
import { decode, Received } from '../transfer/codec.js';
import { putTogether, type Thrown } from '../transfer/error-transfer.js';
import { preloadModule } from '../transfer/function-resolve.js';
import { mainModule } from './forkserver/preload.js';
import { letterState, type Letter } from './letter.js';
import { signalName } from './signals.js';
import { until, type Wakers } from './waiting.js';

/** The value is a promise where it has functions whose modules must be imported. */
export type Outcome = { ok: true; value: unknown } | { ok: false; error: unknown };

export interface ChildStart {
  id: number;
  pid: number;
  letter: Letter;
  /** Lets go of the shared objects on their way to the child. */
  unpin: () => void;
  /** Whether the running child keeps this environment's event loop alive, and is ended with it. */
  keepsAlive: boolean;
  /** Classes of errors this program has, by name. */
  findClass: (name: string) => unknown;
  /** For messages. */
  describe: () => string;
  /** Called once, when it has ended. */
  onEnd: (exitCode: number) => void;
}

/** What the addon's events are for: a child, or a forkserver. */
export interface Watched {
  /** Notices an end that has come. True once it has. */
  poll(): boolean;
  readLetter(): void;
}

const watched = new Map<number, Watched>();

/** Collects the end of a process that is no Process, whenever it comes. */
export function collectLater(id: number): void {
  watched.set(id, {
    poll() {
      if (native.childReap(id) === null) return false;
      watched.delete(id);
      native.childForget(id, false);
      return true;
    },
    readLetter() {},
  });
}

/** Sentinels that nobody closed: the net under close(). */
const forgotten = new FinalizationRegistry<number>((fd) => {
  native.fdClose(fd);
});

native.childDispatch((id, event) => {
  const child = watched.get(id);
  if (event === childEvent.bell) child?.readLetter();
  else child?.poll();
});

// Orderly ends of this environment, process.exit() and uncaught errors included. A worker thread that is terminated runs
// no listener any more: there the addon does the same. After a SIGKILL the children notice themselves.
watchExit();

export function watchExit(): void {
  process.on('exit', () => {
    native.childrenEnd();
  });
}

export class Child implements Watched {
  readonly pid: number;
  exitCode: number | null = null;
  outcome: Outcome | null = null;
  readonly #start: ChildStart;
  readonly #wakers: Wakers = new Set();
  #letterOpen = true;
  #waits = 0;
  #sentinel: number | null = null;
  #left = false;

  constructor(start: ChildStart) {
    this.#start = start;
    this.pid = start.pid;
    watched.set(start.id, this);
    this.#keepAlive();
  }

  /** Notices an end that has come. True once it has. */
  poll(): boolean {
    if (this.exitCode !== null) return true;
    if (this.#left)
      throw new ProcessError(
        'ERR_MP_STATE',
        `${this.#start.describe()} is no child of this process, but of the one that this one was forked from: only that one can wait for it or end it`,
      );
    const code = native.childReap(this.#start.id);
    if (code === null) return false;
    this.exitCode = code;
    this.readLetter();
    this.outcome ??= { ok: false, error: this.#died(code) };
    this.#closeLetter();
    watched.delete(this.#start.id);
    native.childForget(this.#start.id, this.#sentinel !== null);
    sweepDead();
    this.#wake();
    this.#start.onEnd(code);
    return true;
  }

  /** Blocks. False if it still runs after the timeout. */
  waitSync(timeout: number, what: string): boolean {
    if (this.poll()) return true;
    const end = native.childWait(this.#start.id, timeout);
    if (end === childWaited.interrupted)
      throw new InterruptedError(`${what}: a signal arrived while waiting`);
    return this.poll();
  }

  async waitForEnd(wait: Wait): Promise<boolean> {
    return this.#until(() => this.poll(), wait);
  }

  async waitForOutcome(wait: Wait): Promise<boolean> {
    return this.#until(() => {
      if (this.outcome === null && !this.poll()) this.readLetter();
      return this.outcome !== null;
    }, wait);
  }

  /** False if it has ended. */
  signal(signal: number): boolean {
    return !this.poll() && native.childSignal(this.#start.id, signal);
  }

  /** The descriptor that becomes readable at its end. Closed by closeSentinel(). */
  get sentinel(): number {
    if (this.#sentinel === null) {
      this.poll();
      if (this.exitCode === null) {
        this.#sentinel = native.childHandle(this.#start.id);
      } else {
        // Its handle is closed. One that is ready for ever says the same.
        this.#sentinel = native.bellCreate();
        native.bellRing(this.#sentinel);
      }
      forgotten.register(this, this.#sentinel, this);
    }
    return this.#sentinel;
  }

  closeSentinel(): void {
    if (this.#sentinel === null || this.exitCode === null) return;
    forgotten.unregister(this);
    native.fdClose(this.#sentinel);
    this.#sentinel = null;
  }

  /** In a process forked from the one it is a child of. The addon has closed its handle and doorbell. */
  leaveBehind(): void {
    forgotten.unregister(this);
    this.#sentinel = null;
    this.#left = true;
    if (this.#letterOpen) this.#start.letter.close();
    this.#letterOpen = false;
    this.#wakers.clear();
  }

  /** Looks how far it has come, and takes what it gave: at once, as only then what is shared in it is surely alive. */
  readLetter(): void {
    if (!this.#letterOpen) return;
    const { letter } = this.#start;
    try {
      const state = letter.state;
      if (state === letterState.returned) this.outcome = { ok: true, value: valueOf(letter.read()) };
      else if (state === letterState.threw)
        this.outcome = { ok: false, error: this.#thrown(decode(letter.read())) };
    } catch (error) {
      this.outcome = { ok: false, error };
    }
    if (this.outcome !== null) {
      this.#closeLetter();
      this.#wake();
    }
  }

  #thrown(message: unknown): unknown {
    return putTogether(message as Thrown, this.#start.findClass);
  }

  #died(code: number): WorkerDiedError {
    const signal = code < 0 ? signalName(-code) : null;
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    return new WorkerDiedError(`${this.#start.describe()} ${how} before its target had finished`, {
      pid: this.pid,
      exitCode: signal === null ? code : null,
      signal,
    });
  }

  #closeLetter(): void {
    if (!this.#letterOpen) return;
    this.#letterOpen = false;
    this.#start.letter.close();
    native.childQuiet(this.#start.id);
    // Not before: what was sent may come back, granted to us while we have it still.
    this.#start.unpin();
  }

  async #until(ready: () => boolean, wait: Wait): Promise<boolean> {
    this.#waits++;
    this.#keepAlive();
    try {
      return await until(this.#wakers, ready, wait);
    } finally {
      this.#waits--;
      this.#keepAlive();
    }
  }

  #keepAlive(): void {
    if (this.exitCode === null)
      native.childKeepAlive(this.#start.id, this.#start.keepsAlive || this.#waits > 0);
  }

  #wake(): void {
    for (const waker of this.#wakers) waker();
  }
}

function valueOf(bytes: Uint8Array): unknown {
  const received = new Received(bytes); // opens what is shared in it
  try {
    return received.value();
  } catch (error) {
    if (!(error instanceof NotLoadedError)) throw error;
    const value = received.valueLater(importUnlessMain);
    value.catch(() => {
      // It is for who asks for the result.
    });
    return value;
  }
}

/** The main module may be waiting for this very result. */
async function importUnlessMain(url: string): Promise<void> {
  if (url === mainModule()) {
    throw new MultiprocessingError(
      'ERR_MP_FUNCTION',
      `A result has a function of the main module in it, ${url}, which cannot be found there while that is in a ` +
        'top-level await. Put the function into a module of its own',
    );
  }
  await preloadModule(url);
}

/** In a forked process: the children are its parent's, and so is what belongs to them. */
export function leaveChildren(): void {
  for (const child of watched.values()) if (child instanceof Child) child.leaveBehind();
  watched.clear();
}

/** How many starts there were since it was last looked who has ended. */
let unlooked = 0;

/** Called for each start: children that end while the event loop does not run stay a small part of those that live. */
export function reapSometimes(): void {
  if (++unlooked * 8 > watched.size) reapEnded();
}

/** Collects children that have ended while the event loop did not run. */
export function reapEnded(): void {
  unlooked = 0;
  for (const id of native.childrenEnded()) watched.get(id)?.poll();
}

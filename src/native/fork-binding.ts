/** The addon's functions for start method fork. Failures throw an Error with `errno` and `syscall`. */

export interface ForkBinding {
  /**
   * Forks this process; the child's id is 0. Takes over the doorbell, in the parent. In the child all signals are blocked
   * until forkUnblock(), the event loop is its own, and it has no place in the arena.
   */
  forkSelf(
    streams: number[],
    newSession: boolean,
    doorbell: number,
    endsWithUs: boolean,
  ): { id: number; pid: number };
  forkUnblock(): void;
  /** Whether dropMicrotasks() and unwind() are possible here. */
  canUnwind(): boolean;
  /** Microtasks that wait now never run, nor do those that the running one would. */
  dropMicrotasks(): void;
  /** Ends the running JavaScript at its next turn of a loop, up to the event loop, which then calls `begin`. */
  unwind(begin: () => void): void;
  /** Before anything of the program's runs: the timers of libuv's that there are now go on in children. */
  noteTimers(): void;
  /**
   * In a child: while `call` runs, the handles of the parent's connections are active ones. `stopped`: libuv's timers of the
   * parent's were stopped, too.
   */
  withSevered(call: (stopped: boolean) => void): void;
  /** And lets it come, if it was blocked. */
  ignoreSignal(signal: number): void;
  /** Whether all other threads of this process sleep. */
  threadsRest(): boolean;
  /** Makes this process another program. */
  exec(file: string, argv: string[], env: string[]): never;
}

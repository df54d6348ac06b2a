/**
 * Start method fork: this process, with its whole heap, once more.
 *
 * start() forks where it is called, so that the pid exists when it returns. The child is then in the middle of what its
 * parent was doing. It takes away whatever would go on from there (turns.ts, the handles of the event loop), mends what
 * forked processes must mend, and leaves the stack for its event loop, where its target is run.
 */
import { AsyncResource } from 'node:async_hooks';
import { ProcessError } from '../../errors.js';
import { arenaDescriptor, enterAfterFork, pinEach, Reference } from '../../memory/arena.js';
import { native } from '../../native/load.js';
import { forgetSockets } from '../../connection/socket.js';
import { forgetTasks } from '../../sync/after-fork.js';
import { leaveChildren, watchExit } from '../child.js';
import type { ChildFds, Identity } from '../launch.js';
import { setChildFds } from '../launch.js';
import { Letter } from '../letter.js';
import { ignoreUncaught, takeOverEnds } from '../forkserver/ends.js';
import { drawAnew } from '../forkserver/random.js';
import { takeIdentity, takeSurroundings } from '../forkserver/surroundings.js';
import { mendWorkers } from '../forkserver/threads.js';
import { referenceOf } from '../../transfer/function-ref.js';
import { resolveFunction } from '../../transfer/function-resolve.js';
import type { CheckedOptions, Target } from '../options.js';
import { asProcessError, checkDirectory, openFor, type Started } from '../start.js';
import { closeStdio, streamsOf } from '../stdio.js';
import { Work } from '../work.js';
import { checkMayFork, countThreadsAgain } from './capable.js';
import { leaveConnections } from './connections.js';
import { aroundFork, runChildHooks } from './hooks.js';
import { renewStreams } from './streams.js';
import { quietInspectorSignal } from './signals.js';
import { dropTurns, isAfterLoop, leave } from './turns.js';

export interface Fork {
  identity: Identity;
  parentOwner: number;
  options: CheckedOptions;
  /** In the child, on its own event loop: does the work. */
  run: () => unknown;
  /** In the child: forgets who else its parent has started, and becomes the object that runs. */
  become: () => void;
}

/** What runs a target that a child has in its heap. */
export function workInHeap(target: Target | null, args: unknown[], what: string): () => Promise<unknown> {
  return async () => {
    if (target === null) return undefined;
    const fn = typeof target === 'function' ? target : await resolveFunction(referenceOf(target, what));
    return (fn as (...args: unknown[]) => unknown)(...args);
  };
}

/** Returns in the parent only. After an error nothing is left. */
export function forkSelf(fork: Fork, what: string): Started {
  const { options } = fork;
  checkMayFork(what);
  if (isAfterLoop())
    throw new ProcessError(
      'ERR_MP_STATE',
      `${what}: the program has come to its end, and a process forked by an 'exit' listener would have no event loop to ` +
        "run in; start it in a 'beforeExit' listener, or by another start method",
    );
  if (options.execArgv !== undefined)
    throw new ProcessError(
      'ERR_MP_UNSUPPORTED',
      `${what}: execArgv cannot be given to a forked process, which runs already; use another start method`,
    );
  if (options.cwd !== undefined) checkDirectory(options.cwd, what);
  arenaDescriptor();
  const unpin = pinEach(Reference.all());
  const undo: (() => void)[] = [unpin];
  try {
    const { letter, stdio } = openFor(options, [new Uint8Array(), new Uint8Array()], undo, what);
    const parent = native.processSelf();
    const ending = native.processEnding();
    const ppid = process.pid;
    let doorbell = -1;
    const hookErrors: unknown[] = [];
    const forked = aroundFork(
      {
        fork: () => {
          doorbell = native.bellCreate();
          return native.forkSelf(stdio.fds, options.detached, doorbell, !options.detached);
        },
        isChild: ({ id }) => id === 0,
      },
      (error) => {
        hookErrors.push(error);
      },
    );
    if (forked.id === 0) {
      closeStdio(stdio);
      becomeChild(fork, forked.pid, ppid, { letter: letter.fd, doorbell, parent, ending });
    }
    // It runs already, so start() does not fail: the program's own error is reported as such.
    if (hookErrors.length > 0) reportLater(hookErrors[0]);
    return { ...forked, letter, unpin, streams: streamsOf(stdio) };
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw asProcessError(error, options, what);
  }
}

function reportLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function becomeChild(fork: Fork, pid: number, ppid: number, fds: ChildFds): never {
  let failed: { error: unknown } | null = null;
  // Of the place where start() was called: what AsyncLocalStorages hold there.
  const context = new AsyncResource('multiproc.fork');
  try {
    takeIdentity(pid, ppid);
    dropListeners();
    dropTurns();
    quietInspectorSignal();
    native.forkUnblock();
    drawAnew();
    takeOverEnds();
    watchExit();
    mendWorkers();
    renewStreams();
    forgetTasks();
    forgetSockets();
    leaveConnections();
    leaveChildren();
    fork.become();
    setChildFds(fds);
  } catch (error) {
    failed = { error };
  }
  const letter = Letter.open(fds.letter);
  if (letter.follows) native.processFollow(fds.parent, fds.ending);
  countThreadsAgain();
  ignoreUncaught(true);
  leave(() => {
    ignoreUncaught(false);
    context.runInAsyncScope(() => void begin(fork, letter, failed));
  });
}

async function begin(
  { identity, parentOwner, options, run }: Fork,
  letter: Letter,
  failed: { error: unknown } | null,
): Promise<void> {
  Work.prepare();
  await new Work(letter).performForked({ identity, parentOwner }, () => {
    enterAfterFork();
    if (failed !== null) throw failed.error;
    takeOptions(options);
    runChildHooks();
    return run;
  });
}

/** The rest is as in the parent. */
function takeOptions({ env, cwd }: CheckedOptions): void {
  takeSurroundings({
    argv: process.argv.slice(1),
    env: (env ?? process.env) as Record<string, string>,
    cwd: cwd ?? null,
    umask: null,
  });
}

/** What Node itself listens for must stay; the rest is of the process that registered it. */
const kept = new Set<string | symbol>(['newListener', 'removeListener', 'warning', 'worker']);

function dropListeners(): void {
  for (const event of process.eventNames()) if (!kept.has(event)) process.removeAllListeners(event);
  process.setUncaughtExceptionCaptureCallback(null);
  process.exitCode = undefined;
  (process as unknown as { _exiting: boolean })._exiting = false;
}

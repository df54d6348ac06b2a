/**
 * A forkserver: loads what it is told to, then sits in one native call, in which it forks.
 *
 * That call is made from Node's own 'beforeExit', which comes when the event loop is empty and V8's threads have nothing
 * to do: no handle, timer or half-run promise goes with a fork. It returns here in the server when there is something to
 * load, and in each child.
 */
import { stat } from 'node:fs/promises';
import { inspect } from 'node:util';
import { mapArena } from '../../memory/arena.js';
import { native } from '../../native/load.js';
import { firstFd, forkTurn, type ForkTurn } from '../../native/process-binding.js';
import { preloadModule } from '../../transfer/function-resolve.js';
import { becomeServer, whileImporting } from '../current.js';
import { readTold, rememberVariables } from './client.js';
import { onQuiet, takeOverEmit } from './ends.js';
import { lookBefore, openResources, unfitBecause, type Before } from './fit.js';
import { becomeForked } from './forked.js';
import { findBlocks, replaceRandom } from './random.js';
import { compileAtOnce, rehearse, tidyHeap } from './rehearsal.js';
import { holdStreams } from './streams.js';
import { takeVariables } from './surroundings.js';
import { Work } from '../work.js';
import { replaceWorker } from './threads.js';
import { keepListeners, runOwnListeners } from './listeners.js';

/** Where a server finds what it inherits. */
const serverFd = { arena: 3, channel: 4 } as const;
/** How long modules may take to let go of the event loop. */
const settleMs = 1000;
const askAgainMs = 20;

const loaded = new Set<string>();
/** Why nothing is forked; null: it is. */
let refusal: string | null = null;
let before: Before;
/** What it was started with. Modules that change theirs do so for the server alone. */
let variables: Record<string, string> = {};

export async function serve(): Promise<void> {
  native.forkserverShield();
  for (const fd of Object.values(serverFd)) native.fdPrivate(fd);
  variables = { ...process.env } as Record<string, string>;
  rememberVariables(variables);
  replaceRandom();
  replaceWorker();
  becomeServer();
  mapArena(serverFd.arena);
  takeOverEmit();
  Work.prepare();
  findBlocks();
  await stat('/'); // starts the threads of libuv's pool
  await rehearse();
  before = lookBefore();
  onQuiet(quiet);
}

/** How many modules were loaded when the heap was put in order. */
let tidiedAt = -1;

/** Undoes what is only meant for the time while modules are loaded. */
let endLoading = (): void => {};
/** The modules that were named last. */
let lastNamed: string[] = [];
/** Ends the watch over a busy event loop. */
let endWatch = (): void => {};

/** The event loop is empty: everything is loaded, or what is not waits for something that will never come. */
function quiet(): void {
  endLoading();
  endWatch();
  refuseUnfit();
  if (tidiedAt < loaded.size) tidyHeap();
  tidiedAt = loaded.size;
  compileAtOnce(false);
  act(native.forkServe(serverFd.channel, refusal, true));
}

function act(turn: ForkTurn): void {
  const [kind] = turn;
  if (kind === forkTurn.over) {
    runOwnListeners();
    native.exitNow(0);
  }
  // Node asks again only after its event loop has had something to do.
  if (kind === forkTurn.told) setImmediate(() => void load(turn.slice(firstFd)));
  if (kind === forkTurn.child || kind === forkTurn.spare) {
    onQuiet(null);
    becomeForked(turn, loaded);
  }
}

async function load([file, output, errors, ...others]: number[]): Promise<void> {
  for (const fd of others) native.fdClose(fd);
  const told = readTold(file!);
  if (told === null || output === undefined || errors === undefined) {
    for (const fd of [output, errors]) if (fd !== undefined) native.fdClose(fd);
    return;
  }
  endWatch();
  compileAtOnce(true);
  native.forkserverWatch(true);
  const { main, modules } = told;
  lastNamed = modules;
  const giveBack = holdStreams(output, errors);
  process.argv.splice(0, Infinity, ...told.argv);
  process.execArgv = told.execArgv;
  const failed = (error: unknown): void => {
    refusal ??= `a module fails while the forkserver preloads ${modules.join(', ')}: ${inspect(error)}`;
  };
  const ended = (code: number): void => {
    process.stderr.write(
      `${modules.join(', ')}: ends the forkserver that preloads it, with exit code ${code}\n`,
    );
  };
  process.on('uncaughtException', failed);
  process.on('exit', ended);
  const forget = keepListeners();
  // When the event loop has run empty, or is found to be kept busy: what a module does a moment later is still its loading.
  endLoading = (): void => {
    endLoading = (): void => {};
    forget();
    process.off('uncaughtException', failed);
    process.off('exit', ended);
    giveBack();
    takeVariables(variables);
    process.exitCode = undefined;
    native.forkserverWatch(false);
  };
  const isLoaded = watchForHeld(main);
  for (const url of modules) {
    if (loaded.has(url)) continue;
    loaded.add(url);
    try {
      await whileImporting(url, () => preloadModule(url));
    } catch (error) {
      // The main module's own error is the child's, which imports it, too.
      if (url !== main) refusal ??= `${url} cannot be preloaded by the forkserver: ${inspect(error)}`;
    }
  }
  // The console looks at its stream once more when it has written.
  await new Promise(setImmediate);
  // Known by now, it need not be waited for.
  native.forkserverWatch(false);
  refuseUnfit();
  native.forkserverWatch(true);
  isLoaded();
}

function refuseUnfit(): void {
  const unfit = unfitBecause(before);
  if (unfit !== null) refusal ??= cannotFork(lastNamed, unfit);
}

function cannotFork(modules: string[], why: string): string {
  const after = modules.length === 0 ? '' : ` after loading ${modules.join(', ')}`;
  return `the forkserver cannot fork${after}: ${why}. Load that in the child, or use start method spawn`;
}

/** While something keeps the event loop busy, whoever asks is told so. Returns what says that the modules are loaded. */
function watchForHeld(main: string | null): () => void {
  let done = false;
  let began = performance.now();
  const timer = setInterval(() => {
    // A module may take its time; but nobody waits for a main module that never settles.
    if (!done && main === null) return;
    if (performance.now() - began < settleMs) return;
    const text = cannotFork(done ? lastNamed : [main!], `the event loop is kept busy (${openResources()})`);
    endLoading();
    act(native.forkServe(serverFd.channel, refusal ?? text, false));
  }, askAgainMs);
  timer.unref();
  endWatch = (): void => {
    clearInterval(timer);
  };
  return () => {
    done = true;
    began = performance.now();
  };
}

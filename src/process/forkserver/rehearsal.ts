/**
 * What every child does first, done once in the server: children find it compiled. And the heap put in order: what is
 * moved or freed later is copied by each of them.
 */
import { getHeapCodeStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { inspect } from 'node:util';
import { native } from '../../native/load.js';
import { decode, encode } from '../../transfer/codec.js';
import { resolveFunction } from '../../transfer/function-resolve.js';
import { sourceHash } from '../../transfer/function-ref.js';
import { warmUrl } from '../current.js';
import type { Launch, Surroundings } from '../launch.js';
import { Letter, letterState } from '../letter.js';
import { currentUmask, takeSurroundings } from './surroundings.js';
import { drawAnew } from './random.js';

/** While it lives, V8 keeps the shapes of what each child receives, and the names in it. */
export let received: unknown;

/** A target of no consequence. */
export function nothing(): void {
  // Never called for what it does.
}

const ref = { module: warmUrl, export: 'nothing', hash: sourceHash(nothing) };

/** Until V8 takes another way: what it compiles after some calls, and what our codec learns from repetition. */
const rounds = 64;

/** What a child without a purpose is told. */
let told: [launch: Uint8Array, given: Uint8Array];

export async function rehearse(): Promise<void> {
  drawAnew();
  compileAtOnce(true);
  for (let i = 0; i < rounds; i++) {
    const surroundings = { ...ownSurroundings(), umask: currentUmask() };
    told = writeFor(surroundings);
    practise(surroundings);
    inspect(received);
  }
  await resolveFunction(ref);
  process.chdir(process.cwd());
  await turns();
}

/** V8 collects what has become hot and compiles it together: a half-full collection would be each child's to compile. */
export function compileAtOnce(yes: boolean): void {
  setFlagsFromString(`--${yes ? 'no-' : ''}baseline-batch-compilation`);
}

function ownSurroundings(): Surroundings {
  return { argv: process.argv.slice(1), env: null, cwd: null, umask: null };
}

function writeFor(surroundings: Surroundings): [launch: Uint8Array, given: Uint8Array] {
  const parent = { name: '', pid: process.pid };
  const launch: Launch = {
    identity: { name: '', path: [1], daemon: false, childless: false, parent },
    parentOwner: 0,
    cwd: null,
    surroundings,
    startMethod: 'forkserver',
    job: null,
    target: ref,
  };
  return [encode(launch, '').bytes, encode({ args: [''], this: {} }, '').bytes];
}

/** Timers of two durations and an immediate: nearly every program has some. */
async function turns(): Promise<void> {
  const cancelled = setInterval(nothing, 1e6);
  await Promise.all([1, 2].map((ms) => new Promise((done) => setTimeout(done, ms))));
  await new Promise(setImmediate);
  clearInterval(cancelled);
}

/** The part that a spare goes through again while it waits: what it touches is then its own, and mapped. */
export function practise(surroundings = ownSurroundings()): void {
  const bell = native.bellCreate();
  const letter = Letter.open(Letter.write(...told, true).fd);
  try {
    received = letter.readLaunch().map((part) => decode(part));
    letter.attached();
    native.bellRing(bell);
    takeSurroundings(surroundings);
    letter.settle(encode(undefined, 'result').bytes, letterState.returned);
  } finally {
    letter.close();
    native.fdClose(bell);
  }
}

export function tidyHeap(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  collect();
  collect();
  // What a collection has freed is swept when memory is wanted, that is, in each child; only who walks the heap sweeps all.
  getHeapCodeStatistics();
  native.fillHoles();
}

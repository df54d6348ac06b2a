/**
 * The tour, `npm start [-- DIR]`: several processes count the words of every file below DIR into shared memory.
 *
 * Files are handed out by a shared atomic counter, the totals are shared values, and the same work is done five times:
 * by one process, by several without a lock, with one, and with atomics, and by a pool. Then a process is killed holding the
 * lock.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { cpuCount, isMainProcess, Lock, Pool, Process, RawValue, run } from '../index.js';
import { countFile, countFiles, holdForever, type Mode, type Shared, waitForLock } from './count.js';
import { type Found, type Problem, walk } from './walk.js';

interface Result {
  readonly name: string;
  readonly seconds: number;
  readonly words: number;
  readonly bytes: bigint;
  readonly problems: Problem[];
}

if (isMainProcess) await main();

async function main(): Promise<void> {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const directory = resolve(process.argv[2] ?? join(root, 'node_modules'));
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    console.error(`npm start: not a directory: ${directory}`);
    process.exitCode = 2;
    return;
  }
  const found = walk(directory);
  if (found.files.length === 0) {
    console.error(`npm start: no files below ${directory}`);
    report(found.problems);
    process.exitCode = 2;
    return;
  }
  const processes = Math.max(2, cpuCount());
  const megabytes = (found.bytes / 1e6).toFixed(1);
  console.log(`${found.files.length} files, ${megabytes} MB below ${directory}; ${processes} processes\n`);
  warmUp(found);

  const one = await count('one process', 1, 'unlocked', found);
  const several = [
    await count(`${processes}, unlocked`, processes, 'unlocked', found),
    await count(`${processes}, locked`, processes, 'locked', found),
    await count(`${processes}, atomic`, processes, 'atomic', found),
    await countInPool(processes, found),
  ];
  console.log(tableOf(one, several));
  console.log(`${one.words.toLocaleString('en')} words in ${one.bytes.toLocaleString('en')} bytes\n`);
  report([...found.problems, ...one.problems]);
  await killTheOwner();
}

/** Reads everything once, so that the first row of the table does not pay for the disk. */
function warmUp(found: Found): void {
  for (const file of found.files) {
    try {
      readFileSync(file);
    } catch {
      // whoever counts it will name it
    }
  }
}

async function count(name: string, processes: number, mode: Mode, found: Found): Promise<Result> {
  const shared = {
    next: new RawValue('i', 0),
    bytes: new RawValue('q', 0),
    words: new RawValue('i', 0),
    lock: new Lock(),
  } satisfies Shared;
  const bar = new SingleBar({
    format: `${name.padEnd(14)} [{bar}] {percentage}%  {value}/{total} files`,
    clearOnComplete: true,
    hideCursor: true,
  });
  if (process.stdout.isTTY) bar.start(found.files.length, 0);
  const follow = setInterval(() => {
    bar.update(Math.min(shared.next.value, found.files.length));
  }, 50);
  const start = performance.now();
  try {
    const workers = Array.from({ length: processes }, () => run(countFiles, mode, found.files, shared));
    const problems = (await Promise.all(workers)).flat();
    const seconds = (performance.now() - start) / 1000;
    return { name, seconds, words: shared.words.value, bytes: shared.bytes.value, problems };
  } finally {
    clearInterval(follow);
    bar.stop();
    for (const object of Object.values(shared)) object.close();
  }
}

/** The same as tasks of a pool: nothing is shared, the results come back. */
async function countInPool(processes: number, found: Found): Promise<Result> {
  const pool = new Pool(processes);
  const result = { name: `pool of ${processes}`, seconds: 0, words: 0, bytes: 0n, problems: [] as Problem[] };
  const start = performance.now();
  try {
    for await (const { words, bytes, problem } of pool.imapUnordered(countFile, found.files, {
      chunksize: 16,
    })) {
      result.words += words;
      result.bytes += BigInt(bytes);
      if (problem !== null) result.problems.push(problem);
    }
    result.seconds = (performance.now() - start) / 1000;
    return result;
  } finally {
    await pool.terminate();
  }
}

function tableOf(one: Result, several: readonly Result[]): string {
  const table = new Table({
    head: ['', 'time', 'speed-up', 'words', 'total'],
    style: { head: [], border: [] },
  });
  for (const result of [one, ...several]) {
    const lost = one.words - result.words;
    const exact = lost === 0 && result.bytes === one.bytes;
    const verdict = exact ? 'exact' : `wrong: ${lost.toLocaleString('en')} words lost`;
    table.push([
      result.name,
      `${result.seconds.toFixed(2)} s`,
      `${(one.seconds / result.seconds).toFixed(2)}x`,
      result.words.toLocaleString('en'),
      verdict,
    ]);
  }
  return table.toString();
}

function report(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  console.log(`${problems.length} could not be read:`);
  for (const { path, reason } of problems.slice(0, 10)) console.log(`  ${path}: ${reason}`);
  if (problems.length > 10) console.log(`  … and ${problems.length - 10} more`);
  console.log();
}

/** SIGKILLs a process that holds a lock while another waits for it. */
async function killTheOwner(): Promise<void> {
  const lock = new Lock();
  const holding = new RawValue('i', 0);
  const waiting = new RawValue('i', 0);
  const owner = new Process(holdForever, lock, holding).start();
  while (holding.value === 0) await new Promise(setImmediate);
  const { owner: held } = lock;
  const waiter = new Process<{ at: bigint; abandoned: boolean }>(waitForLock, lock, waiting).start();
  while (waiting.value === 0) await new Promise(setImmediate);
  await new Promise((done) => setTimeout(done, 50)); // let it fall asleep on the lock

  const killedAt = process.hrtime.bigint();
  owner.kill();
  const { at, abandoned } = await waiter.result();
  await owner.join();
  const micros = Number(at - killedAt) / 1000;
  console.log(`SIGKILLed ${held?.name} (pid ${held?.pid}) while it held the lock:`);
  console.log(`${waiter.name} had it ${micros.toFixed(0)} µs later; guard.abandoned was ${abandoned}.`);
  await waiter.join();
}

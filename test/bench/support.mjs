import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** The value in the middle. */
export function median(values) {
  return quantile(values, 0.5);
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

/**
 * Measures several things in turn, A B A B …, so that a drift of the machine meets all of them; the median of each.
 * @param {number} rounds
 * @param {Record<string, () => number | Promise<number>>} measures
 */
export async function interleave(rounds, measures) {
  const values = Object.fromEntries(Object.keys(measures).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(measures)) values[name].push(await measure());
  }
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, median(list)]));
}

/** Of a program that hangs, in milliseconds. */
const timeout = 120_000;

/** The system's own Python (an optimised build), not the first one on PATH. */
export const pythonPath = '/usr/bin/python3';
export const hasPython = existsSync(pythonPath);

/** Runs a Python program that prints one number. */
export function python(source) {
  return Number(execFileSync(pythonPath, ['-c', source], { encoding: 'utf8', timeout }));
}

/** Runs a module of test/bench/targets in a fresh Node process; it prints one JSON value. */
export function freshNode(target, ...args) {
  const file = new URL(`targets/${target}.mjs`, import.meta.url).pathname;
  return JSON.parse(
    execFileSync(process.execPath, [file, ...args.map(String)], { encoding: 'utf8', timeout }),
  );
}

/** Runs a Python program of test/bench/targets; it prints one JSON value. */
export function freshPython(target, ...args) {
  const file = new URL(`targets/${target}.py`, import.meta.url).pathname;
  return JSON.parse(execFileSync(pythonPath, [file, ...args.map(String)], { encoding: 'utf8', timeout }));
}

/** A program that answers each line of its input with one line of numbers. */
export function asker(command, args) {
  const program = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const ask = async (line = '') => {
    program.stdin.write(`${line}\n`);
    return (await lines.next()).value.split(' ').map(Number);
  };
  return { ask, pid: program.pid, end: () => program.stdin.end() };
}

/** A process and all its descendants. */
export function processTree(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    const stat = readIfThere(`/proc/${name}/stat`);
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]));
  }
  const tree = [pid];
  for (const parent of tree) for (const [child, its] of parents) if (its === parent) tree.push(child);
  return tree;
}

/** What processes have of the machine's memory, MiB: of a page that several have, each has its part. */
export function memoryOf(pids) {
  const kib = (pid) => Number(/^Pss:\s+(\d+)/m.exec(readIfThere(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return pids.reduce((sum, pid) => sum + kib(pid), 0) / 1024;
}

/** The most that processes have while something runs. */
export async function peakMemory(pids, running) {
  let peak = 0;
  let isOver = false;
  const over = running.finally(() => (isOver = true));
  while (!isOver) {
    const start = performance.now();
    peak = Math.max(peak, memoryOf(pids));
    // Looking takes time, too; it is not to take what they need.
    await Promise.race([over, sleep(Math.max(2, performance.now() - start))]);
  }
  await over;
  return Math.max(peak, memoryOf(pids));
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // it has ended
  }
}

export function formatNumber(n) {
  if (n === undefined || Number.isNaN(n)) return '–';
  return n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
}

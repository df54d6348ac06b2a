// Run by `multiproc run`, start method fork. For a line of input `one`: the ms until a process's first line of user code and
// until its join. For a number: the ms until so many have run and ended, and the private MiB of one that idles.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { getContext, RawArray } from 'multiproc';

const { Process } = getContext('fork');
const stamp = new RawArray('d', 1);
const since = (start) => performance.now() - start;
const fork = (target) => new Process({ target, stdio: 'ignore' }).start();

async function one() {
  const start = process.hrtime.bigint();
  await fork(() => void (stamp[0] = Number(process.hrtime.bigint() - start) / 1e6)).join();
  return [stamp[0], Number(process.hrtime.bigint() - start) / 1e6];
}

async function many(count) {
  const start = performance.now();
  await Promise.all(Array.from({ length: count }, () => fork(() => {}).join()));
  const ms = since(start);
  const idle = fork(() => void setInterval(() => {}, 1e6));
  await idle.result();
  const rollup = readFileSync(`/proc/${idle.pid}/smaps_rollup`, 'utf8');
  idle.kill();
  await idle.join();
  const kib = [...rollup.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  return [ms, kib / 1024];
}

for await (const line of createInterface({ input: process.stdin }))
  console.log((line === 'one' ? await one() : await many(Number(line))).join(' '));

// npm run storm:process -- [STARTS] [SEED]: processes that end in every way while children, parents and forkservers are
// killed at random. Says what it has seen as JSON; exit code 1 if anything hangs, lies or stays behind.
import { readdirSync, readFileSync } from 'node:fs';
import * as mp from 'multiproc';
import { native } from '../../lib/native/load.js';

const starts = Number(process.argv[2] ?? 10_000);
let seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const target = (name) => ({ module: new URL('targets.mjs', import.meta.url), export: name });
const lanes = 6;
const warmUp = Math.min(100, Math.floor(starts / 4));
const hangMs = 60_000;
/** Descriptors of ours and MiB that may come and go with the collection of garbage; its young generation does not grow. */
const slack = { descriptors: 12, mib: 16 };

mp.setStartMethod('forkserver');
mp.setForkserverPreload([target('ends').module]);

const seen = {
  seed,
  starts: 0,
  ends: {},
  unknown: 0,
  serversKilled: 0,
  parentsKilled: 0,
  slowestMs: 0,
  orphanMs: 0,
};
const problems = [];
const problem = (text) => problems.length < 20 && problems.push(text);

/** mulberry32: a storm can be repeated, as far as it depends on us. */
function random(below) {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

const statOf = (pid) => {
  try {
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return null;
  }
};
const isGone = (pid) => [undefined, 'Z', 'X'].includes(statOf(pid)?.state);
const ownChildren = () =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
const isServer = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('entry/forkserver');
  } catch {
    return false;
  }
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How many servers had been killed when a process started. */
const serversBefore = new WeakMap();

function start(name, options) {
  const p = new mp.Process({ target: target(name), ...options });
  serversBefore.set(p, seen.serversKilled);
  return p.start();
}

async function join(p) {
  const began = performance.now();
  const code = await p.join(hangMs);
  seen.slowestMs = Math.max(seen.slowestMs, performance.now() - began);
  if (code === null) {
    problem(`${p.name} (${p.pid}) still runs after ${hangMs} ms`);
    p.kill();
  }
  return code;
}

/** Its exit code must be the one expected; 255 if its server was killed meanwhile, and the kernel (before 6.15) keeps none. */
async function check(p, expected) {
  const code = await join(p);
  if (code === 255 && seen.serversKilled > serversBefore.get(p)) seen.unknown++;
  else if (code !== expected) problem(`${p.name}: exit code ${code} instead of ${expected}`);
}

const ways = {
  value: async () => {
    const p = start('twice', { args: [21], stdio: 'ignore' });
    const value = await p.result(hangMs).catch((error) => error);
    // Without its server it still tells what it has; killed it was not.
    if (value !== 42) problem(`${p.name}: result ${value}`);
    await check(p, 0);
  },
  code: async () => {
    const code = random(200);
    await check(start('ends', { args: [code], stdio: 'ignore' }), code);
  },
  throws: () => check(start('fails', { stdio: 'ignore' }), 1),
  killed: async () => {
    const p = start(random(2) ? 'stays' : 'spins', { stdio: 'ignore' });
    if (random(2)) await pause(random(8));
    p.kill();
    await check(p, -9);
  },
  terminated: async () => {
    const p = start('stays', { stdio: 'ignore' });
    p.terminate();
    await check(p, -15);
  },
};

/** A process with children of its own, which is killed: they must end. */
async function killParent() {
  const p = start('family', { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const chunk of p.stdout) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  const pids = text.trim().split(' ').filter(Boolean).map(Number);
  p.kill();
  const began = performance.now();
  await check(p, -9);
  while (!pids.every(isGone)) {
    if (performance.now() - began > hangMs) return problem(`orphans: ${pids.filter((pid) => !isGone(pid))}`);
    await pause(5);
  }
  seen.orphanMs = Math.max(seen.orphanMs, performance.now() - began);
  seen.parentsKilled++;
}

function killServer() {
  for (const pid of ownChildren().filter(isServer)) {
    seen.serversKilled++;
    process.kill(pid, 'SIGKILL');
  }
}

async function lane(until) {
  while (seen.starts < until) {
    const number = seen.starts++;
    if (number % 150 === 149) killServer();
    const names = Object.keys(ways);
    const way = number % 100 === 50 ? 'parent' : names[random(names.length)];
    seen.ends[way] = (seen.ends[way] ?? 0) + 1;
    try {
      await (way === 'parent' ? killParent() : ways[way]());
    } catch (error) {
      // A server killed twice during one start: an error, as promised.
      if (error.code === 'ERR_MP_START' && seen.serversKilled > 0) seen.unknown++;
      else problem(`${way}: ${error.stack}`);
    }
  }
}

const measure = async () => {
  globalThis.gc?.();
  await pause(300);
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    mib: process.memoryUsage.rss() / 2 ** 20,
    participants: native.census().participants,
  };
};

await Promise.all(Array.from({ length: lanes }, () => lane(warmUp)));
const before = await measure();
const began = performance.now();
await Promise.all(Array.from({ length: lanes }, () => lane(starts)));
seen.seconds = (performance.now() - began) / 1000;
const after = await measure();

const drawn = [];
for (let i = 0; i < starts / 100; i++) {
  const some = Array.from({ length: 10 }, () => mp.run(target('draws'), 20));
  drawn.push(...(await Promise.all(some)).flat());
}
seen.drawn = drawn.length;
for (let i = 0; mp.activeChildren().length > 0 && i < hangMs / 10; i++) await pause(10);
if (new Set(drawn).size !== drawn.length) problem('siblings have drawn the same');

for (const key of ['descriptors', 'mib'])
  if (after[key] > before[key] + slack[key]) problem(`${key}: ${before[key]} before, ${after[key]} after`);
// Ourselves, and nobody who has died.
if (after.participants !== 1) problem(`${after.participants} participants are left`);
const zombies = ownChildren().filter((pid) => statOf(pid)?.state === 'Z');
if (zombies.length > 0) problem(`zombies: ${zombies}`);
const left = ownChildren().filter((pid) => !isServer(pid) && !isGone(pid));
if (left.length > 0) problem(`left: ${left}`);
if (mp.activeChildren().length > 0) problem(`active: ${mp.activeChildren().length}`);
console.log(JSON.stringify({ ...seen, before, after, problems }, null, 1));
process.exitCode = problems.length > 0 ? 1 : 0;

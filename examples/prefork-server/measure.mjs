// node measure.mjs [workers] [seconds of load] [kills]: this server and node:cluster with the same application, one after the other.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const workers = Number(process.argv[2] ?? 4);
const seconds = Number(process.argv[3] ?? 3);
const connections = 32;
const kills = Number(process.argv[4] ?? 20);
const betweenKillsMs = 200;
/** Who asks without a pause takes the processors that the server would need. */
const betweenQuestionsMs = 2;
const run = fileURLToPath(new URL('../../lib/entry/run.js', import.meta.url));
const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const kinds = {
  'multiproc fork': [run, 'run', file('server.mjs'), '0', String(workers)],
  'node:cluster': [file('cluster.mjs'), '0', String(workers)],
};

const rows = [];
for (const [name, args] of Object.entries(kinds)) rows.push({ name, ...(await measure(args)) });
console.table(Object.fromEntries(rows.map(({ name, ...row }) => [name, row])));

async function measure(args) {
  const began = performance.now();
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const port = await new Promise((resolve, reject) => {
    let text = '';
    server.stdout.setEncoding('utf8').on('data', (chunk) => {
      const found = /listening on (\d+)/.exec((text += chunk));
      if (found) resolve(Number(found[1]));
    });
    server.once('exit', () => reject(new Error(`The server ended: ${text}`)));
  });
  const seen = await allServing(port);
  const ready = performance.now() - began;
  const fresh = median([...seen].map(privateMiB));
  const requests = await load(port);
  const worked = median([...seen].map(privateMiB));
  const back = [];
  for (let i = 0; i < kills; i++) {
    const victim = [...(await allServing(port))][i % workers];
    await pause(betweenKillsMs);
    process.kill(victim, 'SIGKILL');
    const killed = performance.now();
    await allServing(port, victim);
    back.push(performance.now() - killed);
  }
  server.kill();
  await ended;
  return {
    [`ms to ${workers} ready`]: Math.round(ready),
    'private MiB per worker, ready': fresh,
    'after the load': worked,
    'requests/s': Math.round(requests / seconds),
    'ms until a killed one is back, median': median(back),
    'ms, nine of ten': Number(back[Math.floor(back.length * 0.9)].toFixed(1)),
  };
}

/** Waits until so many workers serve, none of them `gone`; their pids. */
async function allServing(port, gone = 0) {
  const seen = new Set();
  while (seen.size < workers) {
    await pause(betweenQuestionsMs);
    // The workers of the one know each other; of the other's, one after the other answers.
    const { pids, answeredBy } = await askOrGiveUp(port).catch(() => ({ answeredBy: gone }));
    if (pids !== undefined) seen.clear();
    for (const pid of pids ?? [answeredBy]) if (pid !== 0 && pid !== gone) seen.add(pid);
  }
  return seen;
}

/** A request that was handed to a worker in the moment of its death may never be answered. */
function askOrGiveUp(port) {
  return ask(port, '/status', false, {}, AbortSignal.timeout(250));
}

/** One request on a connection of its own: whoever accepts it answers. */
function ask(port, path, agent = false, headers = {}, signal = undefined) {
  return new Promise((resolve, reject) => {
    get({ port, path, agent, headers, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      response.on('error', reject).on('end', () => resolve(JSON.parse(text)));
    }).on('error', reject);
  });
}

async function load(port) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const until = performance.now() + seconds * 1000;
  let done = 0;
  await Promise.all(
    Array.from({ length: connections }, async (_, i) => {
      while (performance.now() < until) {
        await ask(port, '/search?q=red%20lamp', agent, { 'x-client': `client ${i}` });
        done++;
      }
    }),
  );
  agent.destroy();
  return done;
}

function privateMiB(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (
    [...text.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0) / 1024
  );
}

function median(values) {
  return Number(values.sort((a, b) => a - b)[values.length >> 1].toFixed(1));
}

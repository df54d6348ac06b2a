/**
 * Searches the Spin models of test/models for breaches of the invariants: `npm run verify [-- [--quick] MODEL …]`.
 *
 * Needs spin and a C compiler; without them it says so and is content. Builds below build/verify. See docs/building.md.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { models } from './verify/models.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const builds = join(root, 'build', 'verify');
const compiler = process.env.CC ?? 'cc';
const depthMax = 100_000;
const megabytesMax = 2_000;

const answers = (program, flag) => spawnSync(program, [flag]).status === 0;

/** Runs a program; resolves to all it printed, whatever its end was. */
function run(program, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, printed }));
  });
}

/** Builds the verifier of one case in a folder of its own. */
async function build(model, { defines }, optimize) {
  const folder = join(builds, [model, ...defines].join('-').replaceAll('=', ''));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const file = `${model}.pml`;
  copyFileSync(join(root, 'test', 'models', file), join(folder, file));
  const steps = [
    ['spin', ['-a', ...defines.map((name) => `-D${name}`), file]],
    [compiler, [optimize, '-w', '-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${megabytesMax}`, '-o', 'pan', 'pan.c']],
  ];
  for (const [program, args] of steps) {
    const { status, printed } = await run(program, args, folder);
    if (status !== 0 || /error/i.test(printed))
      throw new Error(`${program} fails in ${relative(root, folder)}:\n${printed}`);
  }
  return folder;
}

/** Searches. `breach`: what was found; `incomplete`: why not every state was seen. */
async function search(folder) {
  const { printed } = await run('./pan', [`-m${depthMax}`], folder);
  const errors = /errors: (\d+)/.exec(printed);
  const facts = {
    states: Number(/(\S+) states, stored/.exec(printed)?.[1] ?? 0),
    seconds: Number(/elapsed time (\S+) seconds/.exec(printed)?.[1] ?? 0),
    breach: null,
    incomplete: null,
  };
  if (errors === null) facts.incomplete = printed.trim();
  else if (errors[1] !== '0') {
    const replayed = await run('./pan', ['-r'], folder);
    facts.breach =
      /^broken: (.*)$/m.exec(replayed.printed)?.[1] ?? /pan:\d+: (.*)/.exec(printed)?.[1] ?? 'unknown';
  } else
    facts.incomplete =
      /^.*(max search depth too small|out of memory|hash array|not completed).*$/im.exec(printed)?.[0] ??
      null;
  return facts;
}

/** Writes down what led to a breach, step by step. */
async function tell(model, { defines }, folder) {
  const args = ['-t', '-p', '-g', '-l', ...defines.map((name) => `-D${name}`), `${model}.pml`];
  writeFileSync(join(folder, 'story.txt'), (await run('spin', args, folder)).printed);
}

const took = ({ states, seconds }) => `${states.toLocaleString('en')} states, ${seconds} s`;

async function verify(model, checked) {
  const folder = await build(model, checked, '-O2');
  const facts = await search(folder);
  const problem = facts.breach ?? facts.incomplete;
  if (facts.breach !== null) await tell(model, checked, folder);
  if (problem === null) return [true, `ok     ${model}: ${checked.title}: ${took(facts)}`];
  return [false, `FAILED ${model}: ${checked.title}: ${problem}\n       ${relative(root, folder)}`];
}

async function findOut(model, broken) {
  const facts = await search(await build(model, broken, broken.deep ? '-O2' : '-O0'));
  if (facts.breach?.startsWith(`${broken.breach},`) !== true)
    return [
      false,
      `FAILED ${model}: not found out: ${broken.title} (${facts.breach ?? facts.incomplete ?? took(facts)})`,
    ];
  return [true, `found  ${model}: ${broken.title}: ${facts.breach}`];
}

function missing() {
  if (!answers('spin', '-V')) return 'spin is not installed';
  if (!answers(compiler, '--version')) return `there is no C compiler (${compiler})`;
  return null;
}

const lack = missing();
if (lack !== null) {
  console.log(`verify: ${lack}; skipped the models of the lock and the condition`);
} else {
  const { values, positionals: asked } = parseArgs({
    options: { quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const unknown = asked.find((name) => !models.some((model) => model.name === name));
  if (unknown !== undefined)
    throw new Error(`no model ${unknown}; there are ${models.map(({ name }) => name).join(', ')}`);
  const chosen = models.filter(({ name }) => asked.length === 0 || asked.includes(name));
  const work = chosen.flatMap(({ name, cases, broken }) => [
    ...cases.filter(({ deep }) => !(deep && values.quick)).map((checked) => () => verify(name, checked)),
    ...broken.filter(({ deep }) => !(deep && values.quick)).map((wrong) => () => findOut(name, wrong)),
  ]);
  // Each may need up to megabytesMax.
  const workers = Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
    for (let job = work.shift(); job !== undefined; job = work.shift()) {
      const [good, line] = await job();
      console.log(line);
      if (!good) process.exitCode = 1;
    }
  });
  await Promise.all(workers);
  if (values.quick)
    console.log(
      `verify: ${chosen.flatMap(({ cases, broken }) => [...cases, ...broken]).filter(({ deep }) => deep).length} deep cases left out`,
    );
}

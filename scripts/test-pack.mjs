/**
 * Packs, installs as a user would (no compiler, no install script) and counts on every Node at hand.
 *
 * `node scripts/test-pack.mjs [--all]`: with --all it is an error if a host cannot be here.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hosts } from './pack/hosts.mjs';
import { root } from './prebuild/paths.mjs';
import { npm } from './prebuild/toolchain.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const all = process.argv.includes('--all');
const temporary = mkdtempSync(join(tmpdir(), 'multiproc-pack-'));
let failures = 0;

function check(what, problem) {
  if (problem) failures++;
  console.log(`${problem ? 'FAILED' : 'ok    '} ${what}${problem ? `\n${problem}` : ''}`);
}

/** An environment in which there is no compiler, no make, no Python, not even a shell: Node and nothing else. */
function bareEnvironment() {
  const bin = join(temporary, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  const trap = join(temporary, 'node-gyp.js');
  writeFileSync(
    trap,
    `require('fs').writeFileSync(${JSON.stringify(join(temporary, 'trapped'))}, ''); process.exit(1)`,
  );
  const { HOME, npm_config_registry, npm_config_cafile } = process.env;
  return { ...{ HOME, npm_config_registry, npm_config_cafile }, PATH: bin, npm_config_node_gyp: trap };
}

function pack() {
  const run = npm(['pack', '--json', '--pack-destination', temporary], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.status !== 0) throw new Error('npm pack fails');
  // Scripts of ours may have printed before the list.
  const [packed] = JSON.parse(run.stdout.slice(run.stdout.search(/^\[/m)));
  const files = packed.files.map((file) => file.path);
  console.log(`${packed.filename}: ${files.length} files, ${Math.round(packed.size / 1024)} kB`);
  return { tarball: join(temporary, packed.filename), files };
}

function install(tarball, name, flags, env) {
  const folder = join(temporary, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const run = npm(['install', '--no-audit', '--no-fund', ...flags, tarball], { cwd: folder, env });
  check(`npm install ${flags.join(' ')}`, run.status !== 0 && run.stderr);
  return folder;
}

function count(host, folder, env) {
  const missing = host.missing?.();
  if (missing) {
    if (all) check(host.name, `needs ${missing}`);
    else console.log(`skip   ${host.name}: needs ${missing}`);
    return;
  }
  const { command, env: more } = host.start();
  const processes = host.processes?.() ?? true;
  const scripts = [['count.mjs', processes ? 'processes' : 'one'], ['count.cjs']];
  for (const script of scripts) {
    const [file, ...args] = [...command, ...script];
    const run = spawnSync(file, args, {
      cwd: folder,
      env: { ...env, ...more },
      encoding: 'utf8',
      timeout: 120_000,
    });
    const said = (run.stdout ?? '').trim().replaceAll('\n', ', ');
    check(
      `${host.name}: ${said || script[0]}`,
      run.status !== 0 && `${run.error ?? run.signal ?? ''}${run.stderr}`,
    );
  }
}

/** Where no file fits, and where the file is broken, the error says so. */
function checkErrors(folder, env) {
  const ask = () => spawnSync(process.execPath, ['count.cjs'], { cwd: folder, env, encoding: 'utf8' }).stderr;
  const file = join(
    folder,
    'node_modules/multiproc/prebuilds',
    `${process.platform}-${process.arch}`,
    'multiproc.node',
  );
  writeFileSync(file, 'not a library');
  const broken = ask();
  check(
    'a file that does not load is named, with its cause',
    !/does not load on linux.*build\.mjs[^]*cause/.test(broken) && broken,
  );
  rmSync(file);
  const none = ask();
  check(
    'a system without a file is named, with the remedy',
    !/no compiled addon for linux.*build\.mjs/.test(none) && none,
  );
}

try {
  const { tarball, files } = pack();
  const { scripts = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const unwanted = ['preinstall', 'install', 'postinstall'].filter((name) => name in scripts);
  check('no install script', unwanted.length > 0 && unwanted.join(', '));
  // With it npm runs node-gyp at every installation from a registry, whatever "gypfile" says.
  check('no binding.gyp in the package', files.includes('binding.gyp') && 'binding.gyp is in "files"');

  const env = bareEnvironment();
  install(tarball, 'scripts-allowed', ['--foreground-scripts'], env);
  check('nothing was compiled', existsSync(join(temporary, 'trapped')) && 'npm called node-gyp');
  const folder = install(tarball, 'app', ['--ignore-scripts'], env);
  cpSync(join(here, 'pack'), folder, { recursive: true, filter: (file) => !/hosts\.mjs$|\.c$/.test(file) });
  for (const host of hosts) count(host, folder, env);
  checkErrors(folder, env);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;

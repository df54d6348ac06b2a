/** Linux: prebuildify and node-gyp, as for a build on the spot, with zig as the compiler. */
import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import prebuildify from 'prebuildify';
import { root, toolchain } from './paths.mjs';
import { obtainNodeHeaders } from './toolchain.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const compiler = join(here, 'zig-compiler.mjs');

/** Compiles the sources in `stage` and returns the file. No libc tag in its name: it is for every libc. */
export function buildWithNodeGyp({ stage, platform, arch, target, zig }) {
  if (process.platform !== 'linux') throw new Error('node-gyp compiles for Linux on Linux only');
  copyFileSync(join(here, 'stat.cc'), join(stage, 'native', 'platform', 'linux', 'prebuilt_stat.cc'));
  const headers = obtainNodeHeaders();
  const run = (language) => `${process.execPath} ${compiler} ${language} ${target.zig}`;
  Object.assign(process.env, {
    CC: run('cc'),
    CXX: run('c++'),
    ZIG: join(zig, 'zig'),
    ZIG_GLOBAL_CACHE_DIR: join(toolchain, 'zig-cache'),
    ZIG_LOCAL_CACHE_DIR: join(toolchain, 'zig-cache'),
    EXPORTS_MAP: join(stage, 'native', 'exports.map'),
    npm_config_nodedir: headers.folder,
    JOBS: process.env.JOBS ?? 'max',
  });
  const options = {
    ...{ napi: true, name: 'multiproc', targets: [headers.version], platform, arch },
    ...{ cwd: stage, cache: join(toolchain, 'prebuildify'), quiet: !process.env.VERBOSE },
    nodeGyp: join(root, 'node_modules', '.bin', 'node-gyp'),
  };
  return new Promise((resolve, reject) => {
    prebuildify(options, (error) => {
      if (error) reject(new Error(`${platform}-${arch}: ${error.message}; VERBOSE=1 shows the compiler`));
      else resolve(join(stage, 'prebuilds', `${platform}-${arch}`, 'multiproc.node'));
    });
  });
}

/** Windows and macOS: zig directly, with what native/multiproc.gypi says, for node-gyp compiles for its own host only. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { root, toolchain } from './paths.mjs';
import { isHostSymbol } from './targets.mjs';
import { obtainNodeHeaders } from './toolchain.mjs';

const systemFlags = {
  win32: ['-DBUILDING_NODE_EXTENSION', '-DUSING_UV_SHARED=1', '-Wl,-s', '-lkernel32', '-ladvapi32'],
  // Undefined names are looked up in the Node that loads the file. Never stripped: that breaks arm64's signature.
  darwin: ['-Wl,-undefined,dynamic_lookup'],
};

/** The one target of the .gypi, whose notation is also JavaScript's but for the comments. */
function readTarget(stage) {
  const text = readFileSync(join(stage, 'native', 'multiproc.gypi'), 'utf8').replace(/^\s*#.*$/gm, '');
  return runInNewContext(`(${text})`).targets[0];
}

/**
 * Pointers to Node's functions, looked up in the running program. A plain import would name node.exe, and fail in a
 * program that is called otherwise.
 */
function writeImports(stage, includes) {
  const names = new Set();
  const addNames = (text) => {
    for (const [name] of text.matchAll(/\b(?:napi|node_api|uv)_\w+(?=\()/g))
      if (isHostSymbol(name)) names.add(name);
  };
  for (const file of ['node_api.h', 'js_native_api.h']) {
    const text = readFileSync(join(includes, file), 'utf8');
    for (const [, name] of text.matchAll(/NAPI_CDECL\s+(\w+)\(/g)) names.add(name);
  }
  for (const file of readdirSync(join(stage, 'native', 'node'))) {
    addNames(readFileSync(join(stage, 'native', 'node', file), 'utf8'));
  }
  const list = [...names].sort();
  const file = join(stage, 'imports.cc');
  writeFileSync(
    file,
    `#include <windows.h>
extern "C" {
${list.map((name) => `void* __imp_${name};`).join('\n')}
}
static const struct { const char* name; void** to; } imports[] = {
${list.map((name) => `  {"${name}", &__imp_${name}},`).join('\n')}
};
__attribute__((constructor(101))) static void fill() {
  HMODULE library = GetModuleHandleA("libnode.dll");
  HMODULE host = library ? library : GetModuleHandleA(nullptr);
  for (const auto& import : imports) *import.to = reinterpret_cast<void*>(GetProcAddress(host, import.name));
}
`,
  );
  return file;
}

export function buildWithZig({ stage, platform, arch, target, zig }) {
  const includes = join(obtainNodeHeaders().folder, 'include', 'node');
  const napi = dirname(createRequire(join(root, 'package.json')).resolve('node-addon-api/package.json'));
  const folders = ['native/core', 'native/node', `native/platform/${platform}`];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(stage, folder))
      .filter((file) => file.endsWith('.cc'))
      .map((file) => join(stage, folder, file)),
  );
  if (platform === 'win32') sources.push(writeImports(stage, includes));
  const made = join(stage, 'prebuilds', `${platform}-${arch}`, 'multiproc.node');
  mkdirSync(dirname(made), { recursive: true });

  const { defines, cflags_cc: flags } = readTarget(stage);
  const args = [
    ...['c++', '-target', target.zig, '-shared', '-O3', '-DNDEBUG', '-DNODE_GYP_MODULE_NAME=multiproc'],
    ...defines.map((define) => `-D${define}`),
    ...flags.filter((flag) => flag !== '-fno-plt'),
    ...[join(stage, 'native'), napi, includes].map((folder) => `-I${folder}`),
    ...systemFlags[platform],
    ...sources,
    ...['-o', made],
  ];
  const cache = join(toolchain, 'zig-cache');
  const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
  const run = spawnSync(join(zig, 'zig'), args, { env, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${platform}-${arch}: zig failed\n${run.stderr}`);
  if (process.env.VERBOSE) process.stderr.write(run.stderr);
  return made;
}

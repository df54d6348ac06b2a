/**
 * The Nodes a package is tried on: each with the command that starts it, or why it cannot be here.
 * Nothing but build/toolchain is written. What must be on the machine (musl's loader, qemu) is named, not installed.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolchain } from '../prebuild/paths.mjs';
import { obtain, obtainNode, obtainZig } from '../prebuild/toolchain.mjs';

/** The first release that is supported, and the newest of each line since. */
const versions = ['20.19.0', '20.20.2', '22.23.3', '24.21.0', '26.10.0'];
const here = dirname(fileURLToPath(import.meta.url));

const glibc = versions.map((version) => ({
  name: `Node ${version}, glibc`,
  start: () => ({ command: [obtainNode(version)] }),
}));

/**
 * A Node on real musl: the single executable of a package manager, told to be plain Node again. It wants the libstdc++
 * of a musl system; a glibc one serves with the few functions of glibc in musl-shim.c.
 */
const musl = {
  name: 'Node 26.0.0, musl',
  missing: () => !existsSync('/lib/ld-musl-x86_64.so.1') && "musl's loader (Debian: apt-get install musl)",
  start() {
    const home = join(toolchain, 'node-musl');
    const node = join(home, 'node');
    const libraries = join(home, 'lib');
    if (!existsSync(node)) {
      mkdirSync(libraries, { recursive: true });
      for (const name of ['libstdc++.so.6', 'libgcc_s.so.1'])
        copyFileSync(findLibrary(name), join(libraries, name));
      const shim = join(libraries, 'ld-linux-x86-64.so.2');
      const flags = ['-target', 'x86_64-linux-musl', '-O2', '-fPIC', '-shared', '-nostartfiles'];
      const soname = '-Wl,-soname,ld-linux-x86-64.so.2';
      const args = ['cc', ...flags, soname, join(here, 'musl-shim.c'), '-o', shim];
      const compiled = spawnSync(join(obtainZig(), 'zig'), args, { encoding: 'utf8' });
      if (compiled.status !== 0) throw new Error(`musl-shim.c does not compile\n${compiled.stderr}`);
      const single = readFileSync(join(obtain('@pnpm/linuxstatic-x64', '11.21.0'), 'pnpm'));
      const fuse = single.indexOf('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1');
      single[single.indexOf(':', fuse) + 1] = '0'.charCodeAt(0);
      writeFileSync(node, single);
      chmodSync(node, 0o755);
    }
    return { command: [node], env: { LD_LIBRARY_PATH: libraries } };
  },
};

function findLibrary(name) {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64', '/usr/lib'];
  const file = folders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate));
  if (!file) throw new Error(`${name} is not on this machine`);
  return file;
}

/** Emulated: neither robust lists nor futex_waitv, so tokens are polled. */
const arm64 = {
  name: 'Node 22.23.3, arm64 in qemu',
  missing: () =>
    !(existsSync('/usr/bin/qemu-aarch64-static') && existsSync('/usr/aarch64-linux-gnu/lib')) &&
    'qemu and an arm64 libc (Debian: apt-get install qemu-user-static libstdc++6-arm64-cross)',
  processes: () => false, // qemu 7.2 has no CLONE_PIDFD: Process.start() says EINVAL
  start: () => ({
    command: ['/usr/bin/qemu-aarch64-static', obtainNode('22.23.3', 'linux-arm64')],
    env: { QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu' },
  }),
};

/** Another distribution's libc: OLD_ROOT is a folder with its files. Its loader is started, so nothing is mounted. */
const oldGlibc = {
  name: `Node 20.20.2, glibc of OLD_ROOT`,
  missing: () =>
    !process.env.OLD_ROOT && 'OLD_ROOT, a folder with an older Debian (debootstrap bullseye FOLDER)',
  processes: () => false, // process.execPath is the loader
  start() {
    const root = process.env.OLD_ROOT;
    const libraries = ['lib', 'usr/lib'].map((folder) => join(root, folder, 'x86_64-linux-gnu')).join(':');
    const loader = join(root, 'lib', 'x86_64-linux-gnu', 'ld-linux-x86-64.so.2');
    return { command: [loader, '--library-path', libraries, obtainNode('20.20.2')] };
  },
};

export const hosts = [...glibc, musl, arm64, oldGlibc];

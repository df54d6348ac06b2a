/** What is built, for whom, and what each file must be like. */
const hosts = ['napi_', 'node_api_', 'uv_'];

export const targets = {
  // One file for glibc and musl: it needs few enough, old enough symbols of glibc that musl, which answers to glibc's
  // file names, has every one of them. Own libc++, so neither libstdc++ nor libgcc_s of the machine is wanted.
  'linux-x64': { zig: 'x86_64-linux-gnu.2.27', format: 'elf', machine: 62, required: true },
  'linux-arm64': { zig: 'aarch64-linux-gnu.2.27', format: 'elf', machine: 183, required: true },
  'win32-x64': { zig: 'x86_64-windows-gnu', format: 'pe', machine: 0x8664 },
  // Compiled and linked, never run by us.
  'darwin-arm64': { zig: 'aarch64-macos.11.0', format: 'macho', machine: 0x0100000c, untested: true },
  'darwin-x64': { zig: 'x86_64-macos.11.0', format: 'macho', machine: 0x01000007, untested: true },
};

/** The floor that is promised. The build aims one lower: from 2.28 on fcntl is fcntl64, which musl lacks. */
export const glibcFloor = '2.28';
/** What a process of Node brings along: Node-API, and the one libuv 1.x. */
export const isHostSymbol = (name) => hosts.some((prefix) => name.startsWith(prefix));
export const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

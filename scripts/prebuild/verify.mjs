/** Refuses a compiled file that would not load everywhere its target promises. Returns its facts for the log. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readElf } from './elf.mjs';
import { readMachO } from './macho.mjs';
import { readPe } from './pe.mjs';
import { entryPoints, glibcFloor, isHostSymbol } from './targets.mjs';

/** The names glibc gives the parts of libc; musl answers to the same ones. */
const libcFiles = /^lib(c\.so\.6|m\.so\.6|pthread\.so\.0|dl\.so\.2|rt\.so\.1)$/;
const windowsFiles = /^(kernel32|advapi32|ntdll|msvcrt|ucrtbase|api-ms-win-[\w-]+)\.dll$/i;

const number = (version) => {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  return (major * 1000 + minor) * 1000 + patch;
};
/** The names in ...64 that musl answers to, as `nm -D` shows them in 1.2.3; later loaders redirect the same. Not fcntl64. */
const musl64 = new Set(
  (
    'creat fallocate fopen fseeko fstat fstatat fstatfs fstatvfs ftello ftruncate getdents getrlimit lockf lseek lstat ' +
    'mkostemp mkstemp mmap open openat posix_fadvise posix_fallocate pread preadv prlimit pwrite pwritev readdir ' +
    'scandir sendfile setrlimit stat statfs statvfs truncate'
  )
    .split(' ')
    .map((name) => `${name}64`),
);

const quoted = (names) => names.join(', ') || 'none';

function expect(right, complaint) {
  if (!right) throw new Error(complaint);
}

function expectEntryPoints(exports) {
  const missing = entryPoints.filter((name) => !exports.includes(name));
  expect(missing.length === 0, `does not export ${quoted(missing)}`);
}

/** Every name musl's libc.so has, from the linker stub in zig. */
function muslNames(zig) {
  const stub = readFileSync(join(zig, 'lib', 'libc', 'musl', 'libc.S'), 'utf8');
  return new Set(Array.from(stub.matchAll(/^(?:\.globl|\.weak|WEAK64) (\S+)/gm), (match) => match[1]));
}

function verifyElf(bytes, target, zig) {
  const elf = readElf(bytes);
  expect(elf.machine === target.machine, `machine ${elf.machine}`);
  expectEntryPoints(elf.exports);
  // Only here may one library's names take the place of another's.
  const shown = elf.exports.filter((name) => !entryPoints.includes(name));
  expect(shown.length === 0, `exports ${quoted(shown)}`);
  const strange = elf.needed.filter((name) => !libcFiles.test(name));
  expect(strange.length === 0, `needs ${quoted(strange)}`);

  const fromLibc = elf.imports.filter(({ name }) => !isHostSymbol(name));
  const glibc = fromLibc.map(({ version }) => version?.replace(/^GLIBC_/, '')).filter(Boolean);
  const newest = glibc.reduce((a, b) => (number(a) > number(b) ? a : b), '0');
  expect(number(newest) <= number(glibcFloor), `needs glibc ${newest}`);
  const nobodys = fromLibc.filter(({ version, weak }) => !version && !weak).map(({ name }) => name);
  expect(nobodys.length === 0, `undefined: ${quoted(nobodys)}`);
  const musl = muslNames(zig);
  const lacking = fromLibc
    .filter(({ name, weak }) => !weak && !musl.has(name) && !musl64.has(name))
    .map(({ name }) => name);
  expect(lacking.length === 0, `musl has no ${quoted(lacking)}`);

  expect(elf.stripped, 'not stripped');
  expect(!elf.textRelocations, 'text relocations');
  expect(!elf.staticTls, 'static TLS: musl does not load it');
  return `glibc >= ${newest}, musl; needs ${elf.needed.join(' ')}`;
}

function verifyPe(bytes, target) {
  const pe = readPe(bytes);
  expect(pe.machine === target.machine, `machine ${pe.machine}`);
  expectEntryPoints(pe.exports);
  const strange = pe.needed.filter((name) => !windowsFiles.test(name));
  expect(strange.length === 0, `needs ${quoted(strange)}`);
  return `needs ${pe.needed.join(' ')}`;
}

function verifyMachO(bytes, target) {
  const image = readMachO(bytes);
  expect(image.machine === target.machine, `machine ${image.machine}`);
  expectEntryPoints(image.exports);
  expect(image.needed.join() === '/usr/lib/libSystem.B.dylib', `needs ${quoted(image.needed)}`);
  // Looked up in whatever is loaded: a misspelt system call would link, too.
  const strange = image.lookups.filter((name) => !isHostSymbol(name));
  expect(strange.length === 0, `undefined: ${quoted(strange)}`);
  return `needs ${image.needed.join(' ')}`;
}

export function verify(file, target, zig) {
  const read = { elf: verifyElf, pe: verifyPe, macho: verifyMachO }[target.format];
  return read(readFileSync(file), target, zig);
}

/**
 * A C or C++ compiler for make: `node zig-compiler.mjs cc|c++ TARGET ARGUMENT…`, clang's arguments.
 * ZIG is the program, EXPORTS_MAP the version script for what is linked.
 */
import { spawnSync } from 'node:child_process';

const [language, target, ...given] = process.argv.slice(2);
// zig's linker knows neither; its C++ runtime is static and the version script hides it.
const unknown = (argument) => argument.startsWith('-Wl,--exclude-libs') || argument.startsWith('-static-lib');
const links = given.includes('-shared');
const args = [
  ...[language, '-target', target],
  ...given.filter((argument) => !unknown(argument)),
  ...(links ? ['-Wl,-s', `-Wl,--version-script=${process.env.EXPORTS_MAP}`] : []),
];
process.exitCode = spawnSync(process.env.ZIG, args, { stdio: 'inherit' }).status ?? 1;

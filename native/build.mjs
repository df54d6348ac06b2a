/**
 * Compiles the addon of an installed package where no prebuilt file fits: `node node_modules/multiproc/native/build.mjs`.
 * Needs what node-gyp needs: Python, make and a C++20 compiler.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const gyp = join(root, 'binding.gyp');
// Not in the published package, or npm would compile at every installation.
if (!existsSync(gyp)) writeFileSync(gyp, "{ 'includes': ['native/multiproc.gypi'] }\n");
const shell = process.platform === 'win32';
const run = spawnSync('npx', ['--yes', 'node-gyp', 'rebuild'], { cwd: root, stdio: 'inherit', shell });
if (run.error) console.error(`npx cannot be started: ${run.error.message}`);
process.exitCode = run.status ?? 1;

/** Where things are, seen from the project's root. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const prebuilds = join(root, 'prebuilds');
export const manifestFile = join(prebuilds, 'manifest.json');
/** Downloads and compiler caches; safe to delete, slow to make again. */
export const toolchain = join(root, 'build', 'toolchain');
export const stages = join(root, 'build', 'stage');

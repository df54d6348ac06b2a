/** The addon: build/Release of a checkout first, else the prebuilt file for this platform. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArenaBinding } from './arena-binding.js';
import type { ProcessBinding } from './process-binding.js';

export type Binding = ArenaBinding & ProcessBinding;

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export const native: Binding = (require('node-gyp-build') as (dir: string) => Binding)(root);

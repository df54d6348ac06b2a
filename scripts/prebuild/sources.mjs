/** The sources of a prebuilt file, and one hash that changes with any of them. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const compiled = /\.(cc|h|gypi|map)$/;
const scripts = /^scripts\/prebuild(\/|\.mjs$)/;

/** Paths below `root`, with slashes. The folders of other systems are not this target's sources. */
export function sourcesOf(target, root) {
  const system = target.split('-')[0];
  const below = (folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath ?? entry.path, entry.name)
          .slice(root.length + 1)
          .replaceAll('\\', '/'),
      );
  const ours = (file) => /^native\/platform\/([^/]+)\//.exec(file)?.[1] ?? system;
  return [
    'binding.gyp',
    ...below('native').filter((file) => compiled.test(file) && ours(file) === system),
    ...below('scripts').filter((file) => scripts.test(file)),
  ].sort();
}

export function sourceHash(target, root) {
  const hash = createHash('sha256');
  for (const file of sourcesOf(target, root)) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  const napi = createRequire(join(root, 'package.json'))('node-addon-api/package.json');
  return hash.update(`node-addon-api ${napi.version}`).digest('hex');
}

export const fileHash = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

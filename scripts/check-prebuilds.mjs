/** Fails unless every prebuilt file is there, unchanged, and made from the sources as they are now. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestFile, prebuilds, root } from './prebuild/paths.mjs';
import { fileHash, sourceHash } from './prebuild/sources.mjs';
import { targets } from './prebuild/targets.mjs';

const files = existsSync(manifestFile) ? JSON.parse(readFileSync(manifestFile, 'utf8')).files : {};
const complaints = [];
for (const [name, target] of Object.entries(targets)) {
  const file = `${name}/multiproc.node`;
  const facts = files[file];
  if (!facts || !existsSync(join(prebuilds, file))) {
    // What a manifest promises must be there; what it does not know must not.
    if (target.required || facts || existsSync(join(prebuilds, file)))
      complaints.push(`${file}: missing or unknown`);
  } else if (facts.sha256 !== fileHash(join(prebuilds, file)))
    complaints.push(`${file}: is not the file that was made`);
  else if (facts.sources !== sourceHash(name, root)) complaints.push(`${file}: older than the sources`);
}
const present = existsSync(prebuilds) ? readdirSync(prebuilds, { recursive: true, withFileTypes: true }) : [];
for (const entry of present.filter((found) => found.isFile())) {
  const file = join(entry.parentPath ?? entry.path, entry.name)
    .slice(prebuilds.length + 1)
    .replaceAll('\\', '/');
  const expected =
    file === 'manifest.json' || Object.keys(targets).some((name) => file === `${name}/multiproc.node`);
  if (!expected) complaints.push(`${file}: does not belong here`);
}
for (const complaint of complaints) console.error(`prebuilds/${complaint}`);
if (complaints.length > 0) console.error('Run `npm run prebuild`.');
process.exitCode = complaints.length > 0 ? 1 : 0;

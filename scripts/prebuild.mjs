/**
 * Makes prebuilds/<platform>-<arch>/multiproc.node and prebuilds/manifest.json: `node scripts/prebuild.mjs [TARGET…]`.
 *
 * Without arguments, all targets whose platform layer exists. Compiles a copy of the sources, so that editing goes on and
 * build/Release of the checkout stays. See docs/building.md.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { manifestFile, prebuilds, root, stages } from './prebuild/paths.mjs';
import { fileHash, sourceHash, sourcesOf } from './prebuild/sources.mjs';
import { targets } from './prebuild/targets.mjs';
import { obtainZig } from './prebuild/toolchain.mjs';
import { verify } from './prebuild/verify.mjs';
import { buildWithNodeGyp } from './prebuild/with-node-gyp.mjs';
import { buildWithZig } from './prebuild/with-zig.mjs';

const hasLayer = (name) => {
  const folder = join(root, 'native', 'platform', name.split('-')[0]);
  return existsSync(folder) && readdirSync(folder).some((file) => file.endsWith('.cc'));
};

function copySources(name) {
  const stage = join(stages, name);
  rmSync(stage, { recursive: true, force: true });
  for (const file of [...sourcesOf(name, root), 'package.json']) {
    mkdirSync(dirname(join(stage, file)), { recursive: true });
    cpSync(join(root, file), join(stage, file));
  }
  return stage;
}

function record(file, facts) {
  const manifest = existsSync(manifestFile) ? JSON.parse(readFileSync(manifestFile, 'utf8')) : { files: {} };
  manifest.files[file] = facts;
  writeFileSync(`${manifestFile}.new`, `${JSON.stringify(manifest, null, 2)}\n`);
  renameSync(`${manifestFile}.new`, manifestFile);
}

async function build(name) {
  const started = Date.now();
  const target = targets[name];
  const [platform, arch] = name.split('-');
  const zig = obtainZig();
  const stage = copySources(name);
  const sources = sourceHash(name, stage);
  const compile = platform === 'linux' ? buildWithNodeGyp : buildWithZig;
  const made = await compile({ stage, platform, arch, target, zig });
  const facts = verify(made, target, zig);

  const file = `${name}/multiproc.node`;
  mkdirSync(join(prebuilds, name), { recursive: true });
  renameSync(made, join(prebuilds, file));
  record(file, {
    sources,
    sha256: fileHash(join(prebuilds, file)),
    ...(target.untested && { untested: true }),
  });
  const kilobytes = Math.round(statSync(join(prebuilds, file)).size / 1024);
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(
    `${file}: ${kilobytes} kB, ${facts}, in ${seconds} s${target.untested ? ' (never run by us)' : ''}`,
  );
}

const asked = process.argv.slice(2);
for (const name of asked) {
  if (!Object.hasOwn(targets, name))
    throw new Error(`no target ${name}; there are ${Object.keys(targets).join(', ')}`);
}
for (const name of asked.length > 0 ? asked : Object.keys(targets)) {
  if (hasLayer(name)) await build(name);
  else console.log(`${name}: skipped, native/platform has no layer for it yet`);
}

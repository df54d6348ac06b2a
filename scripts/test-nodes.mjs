// npm run test:nodes [-- MAJOR …]: the tests of test/ on other majors of Node, which come as npm packages into
// build/nodes. The addon is the one that is built: Node-API is the same for all.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const majors = process.argv.slice(2).filter((a) => /^\d+$/.test(a));
const rest = process.argv.slice(2).filter((a) => !/^\d+$/.test(a));

function nodeOf(major) {
  const folder = join(root, 'build', 'nodes', major);
  const node = join(folder, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(node)) {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const { status } = spawnSync(
      npm,
      ['install', '--prefix', folder, '--silent', '--no-save', `node@${major}`],
      {
        stdio: 'inherit',
      },
    );
    if (status !== 0) throw new Error(`Node ${major} cannot be installed`);
  }
  return node;
}

let failed = 0;
for (const major of majors.length > 0 ? majors : ['22', '24', '26']) {
  const node = nodeOf(major);
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\nNode ${version}`);
  const { status } = spawnSync(node, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...rest], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  });
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;

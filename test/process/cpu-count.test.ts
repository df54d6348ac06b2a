import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';

const head = `
import * as mp from 'multiproc';
const out = (value) => console.log(JSON.stringify(value));
`;

test('cpuCount honours affinity and the quotas of control groups', async () => {
  const got = await runJson(`${head}
    import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
    import { fileURLToPath } from 'node:url';
    import { execFileSync } from 'node:child_process';
    import { cgroupQuota } from '${new URL('../../lib/process/cpu-count.js', import.meta.url).href}';
    const root = fileURLToPath(new URL('cgroup-' + process.pid, import.meta.url));
    mkdirSync(root + '/a/b', { recursive: true }); mkdirSync(root + '/cpu,cpuacct/c', { recursive: true });
    writeFileSync(root + '/a/cpu.max', '150000 100000\\n'); writeFileSync(root + '/a/b/cpu.max', 'max 100000\\n');
    writeFileSync(root + '/cpu,cpuacct/c/cpu.cfs_quota_us', '50000\\n'); writeFileSync(root + '/cpu,cpuacct/c/cpu.cfs_period_us', '100000\\n');
    const values = [cgroupQuota(root, '0::/a/b\\n'), cgroupQuota(root, '5:cpu,cpuacct:/c\\n3:memory:/x\\n'), cgroupQuota(root, '0::/elsewhere') === Infinity, cgroupQuota(root, '') === Infinity];
    rmSync(root, { recursive: true });
    const pinned = execFileSync('taskset', ['-c', '0', process.execPath, '--input-type=module', '-e', \`import { cpuCount } from '\${import.meta.resolve('multiproc')}'; console.log(cpuCount())\`], { encoding: 'utf8' });
    out([values, Number(pinned), mp.cpuCount() >= 1]);`);
  expect(got).toEqual([[1.5, 0.5, true, true], 1, true]);
});

/** How many processors this process may use. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Processors this process may use at once: its affinity, and the quota of its control groups, rounded up. At least 1. */
export function cpuCount(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(cgroupQuota())));
}

/** The least quota of this process's control group and all above it, in processors. */
export function cgroupQuota(root = '/sys/fs/cgroup', membership = read('/proc/self/cgroup')): number {
  let quota = Infinity;
  for (const line of membership.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) continue;
    const unified = controllers === '';
    if (!unified && !controllers.split(',').includes('cpu')) continue;
    const base = unified ? root : `${root}/${controllers}`;
    // In a container the path may be the host's; then only the root, which is the container's own group, exists.
    for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
      quota = Math.min(quota, unified ? unifiedQuota(`${base}${at}`) : legacyQuota(`${base}${at}`));
      if (at === '' || at === '/') break;
    }
  }
  return quota;
}

function unifiedQuota(directory: string): number {
  const [max, period] = read(`${directory}/cpu.max`).split(/\s+/).map(Number);
  return ratio(max, period);
}

function legacyQuota(directory: string): number {
  return ratio(Number(read(`${directory}/cpu.cfs_quota_us`)), Number(read(`${directory}/cpu.cfs_period_us`)));
}

/** "max", -1 and files that are not there mean no limit. */
function ratio(max: number | undefined, period: number | undefined): number {
  return max !== undefined && period !== undefined && max > 0 && period > 0 ? max / period : Infinity;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

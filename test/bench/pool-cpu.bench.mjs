// Does a pool make real work faster? The SHA-256 of files of some megabytes, one task each.
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuCount } from 'multiproc';
import { best, label, load, otherPools } from './pools.mjs';
import { interleave } from './support.mjs';

export async function bench({ smoke }) {
  const [rounds, files, bytes] = smoke ? [1, 4, 64 << 10] : [9, 96, 4 << 20];
  const folder = mkdtempSync(join(tmpdir(), 'multiproc-bench-'));
  const block = new Uint8Array(bytes);
  for (let i = 0; i < files; i++) writeFileSync(join(folder, String(i)), randomFillSync(block));
  const workers = cpuCount();
  const pools = ['Pool', 'none', 'ThreadPool', ...otherPools];
  // Few and long tasks: as they come, no settings for many short ones.
  const settings = pools.map((pool) => ({
    ...best(pool, [workers]),
    ...(pool === 'piscina' ? { options: {} } : {}),
  }));
  try {
    const loads = [
      ['hash', folder],
      ['hash', folder],
    ];
    const m = await interleave(
      rounds,
      Object.fromEntries(settings.map((setting) => [setting.pool, () => load(setting, loads)[1]])),
    );
    return {
      title: `SHA-256 of ${files} files of ${bytes >> 10} KiB, ${workers} workers`,
      rows: [
        {
          what: 'until all are done',
          unit: 'ms',
          ours: m.Pool,
          peers: Object.fromEntries(
            pools.slice(1).map((pool) => [pool === 'none' ? 'no pool: one process' : label(pool), m[pool]]),
          ),
        },
      ],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

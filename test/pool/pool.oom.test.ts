// Who is taken for a victim of the OOM killer.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OomKills, oomFile } from '../../lib/pool/oom.js';

test('kills are read from the control group, of either version, its own before those below it', () => {
  const root = mkdtempSync(join(tmpdir(), 'multiproc-'));
  try {
    const file = (...path: string[]): string => join(root, ...path);
    const write = (path: string): void => {
      writeFileSync(path, 'low 0\noom 3\noom_kill 2\noom_group_kill 0\n');
    };
    expect(oomFile(root, '0::/\n')).toBe(null);
    write(file('memory.events'));
    expect(oomFile(root, '0::/\n')).toBe(`${root}//memory.events`);
    expect(oomFile(root, '0::/not/mounted\n')).toBe(file('memory.events'));
    expect(oomFile(root, '5:memory:/x\n')).toBe(null);
    mkdirSync(file('memory', 'x'), { recursive: true });
    write(file('memory', 'x', 'memory.oom_control'));
    expect(oomFile(root, '9:name=systemd:/\n5:cpu,memory:/x\n')).toBe(
      file('memory', 'x', 'memory.oom_control'),
    );
    mkdirSync(file('own'));
    write(file('own', 'memory.events'));
    write(file('own', 'memory.events.local'));
    expect(oomFile(root, '0::/own\n')).toBe(file('own', 'memory.events.local'));
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('each kill is one worker that was there before it; an older one is nobody, as soon as it was seen', () => {
  let count = 5;
  let now = 0;
  const kills = new OomKills(
    () => count,
    () => now,
  );
  const first = kills.look();
  expect(kills.explains(first)).toBe(false); // a kill -9

  count += 2; // two at once
  expect(kills.explains(first)).toBe(true);
  const later = kills.look(); // the successor of the one that was noticed first
  expect(kills.explains(first)).toBe(true);
  expect(kills.explains(first)).toBe(false);

  count++; // another process of the group
  kills.lookSometimes(); // a moment ago it was looked at
  now += 1500;
  kills.lookSometimes();
  now += 1500;
  expect(kills.explains(later)).toBe(false);

  count++;
  expect([kills.explains(kills.look()), kills.explains(later)]).toEqual([false, true]); // one that started after it
});

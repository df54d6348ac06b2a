/** docs/errors.md has every code there is, and no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

function codes(text: string): string[] {
  return text.match(/\bERR_MP_[A-Z_]*[A-Z]\b/g) ?? [];
}

test('every code is documented, and every code that is documented exists', () => {
  const made = ['src', 'native'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|cc|h)$/.test(file))
      .flatMap((file) => codes(readFileSync(join(root, folder, file), 'utf8'))),
  );
  const documented = codes(readFileSync(join(root, 'docs/errors.md'), 'utf8'));
  expect([...new Set(documented)].sort()).toEqual([...new Set(made)].sort());
});

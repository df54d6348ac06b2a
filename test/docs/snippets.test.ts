/** Every JavaScript example of the documentation runs, and prints what its comments say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describe, runScript } from '../support/child.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((f) => `docs/${f}`)];

/** What `console.log(…); // this, for a reason` says it prints. */
function promises(source: string): string[] {
  return [...source.matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, said]) => said!);
}

const snippets = pages.flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map(
    ([, source], i) => [`${page} #${i + 1}`, source!] as const,
  ),
);

test('there are examples', () => {
  expect(snippets.length).toBeGreaterThan(5);
});

test.each(snippets)('%s', async (_name, source) => {
  const end = await runScript(source);
  expect(end.code, describe(end)).toBe(0);
  const printed = end.stdout.split('\n').filter((line) => line !== '');
  for (const said of promises(source)) {
    const kept = printed.some((line) => said.startsWith(line));
    expect(kept, `not printed: ${said}\n${describe(end)}`).toBe(true);
  }
});

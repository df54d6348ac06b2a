/** Every JavaScript example of the documentation runs, and prints what its comments say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describe, runScript } from '../support/child.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((f) => `docs/${f}`)];

/** What `console.log(…); // this, for a reason` says it prints; the call may take several lines. */
function promises(source: string): string[] {
  return [...source.matchAll(/console\.log\((?:.*|\n(?: {2}.*\n)+)\);? \/\/ (.*)$/gm)].map(
    ([, said]) => said!,
  );
}

/** Whether a line is what the comment says, up to its reasons. */
function keeps(line: string, said: string): boolean {
  return said === line || (said.startsWith(line) && /^[,:]/.test(said.slice(line.length)));
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
    const kept = printed.some((line) => keeps(line, said));
    expect(kept, `not printed: ${said}\n${describe(end)}`).toBe(true);
  }
});

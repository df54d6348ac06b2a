// lib/ as programs load it: everything they share is one file. Node's loader takes half a millisecond for each module, and
// every process that is started pays it again. Each source file still has its own file in lib/, which only names what it
// exports, so that `lib/tour/main.js` and the tests of internals find one and the same module.
import { copyFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const sources = readdirSync('src', { recursive: true }).filter(
  (f) => f.endsWith('.ts') && !f.endsWith('.d.ts'),
);

const bundle = await rolldown({
  input: Object.fromEntries(sources.map((f) => [f.slice(0, -'.ts'.length), `src/${f}`])),
  platform: 'node',
  external: [/^[^./]/], // packages and Node's own
  transform: { target: 'node20.19' },
});
await bundle.write({
  dir: 'lib',
  format: 'esm',
  sourcemap: true,
  minifyInternalExports: false,
  // Two folders deep like src/*/*.ts: paths relative to import.meta.url mean the same.
  chunkFileNames: 'bundle/[name].js',
  codeSplitting: { groups: [{ name: 'multiproc', test: /src\/(?!entry\/|tour\/)/ }] },
});
// The only one that is no ES module.
copyFileSync('src/entry/fork-main.cjs', 'lib/entry/fork-main.cjs');

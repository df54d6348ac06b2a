/** All the ways a forked process can end: `ends` of test/fixtures/forked.mjs. */

/** A script's end that prints what came of each way; `target` is the function, in the script, whose module may print `first`. */
export const endsOf = (target: string, first = '') => `
  const ways = ['nothing', 'exit', 'really', 'code', 'throw', 'later', 'rejection', 'listener', 'handler', 'again', 'abort', 'signal', 'text', 'text code', 'monitor'];
  const end = async (how) => {
    const p = new mp.Process({ target: ${target}, args: [how], stdio: ['ignore', 'pipe', 'pipe'] }).start();
    const [text, errors, code] = await Promise.all([all(p.stdout), all(p.stderr), p.join()]);
    return [how, code, text.replace(${JSON.stringify(first)}, '').replace(/x{1000}\\n/, 'X '), /Error: ([\\w ]+)/.exec(errors)?.[1] ?? ''];
  };
  out(await Promise.all(ways.map(end)));`;

/** The way, the exit code, the output, the error. */
export const ends = [
  ['nothing', 0, 'X exit 0\n', ''],
  ['exit', 3, 'X exit 3\n', ''],
  ['really', 4, 'X ', ''],
  ['code', 5, 'X exit 5\n', ''],
  ['throw', 1, 'X exit 1\n', 'thrown'],
  ['later', 1, 'X exit 1\n', 'thrown later'],
  ['rejection', 1, 'X exit 1\n', 'rejected'],
  ['listener', 1, 'X exit 0\n', 'in a listener'],
  ['handler', 7, 'X ', 'in the handler'],
  ['again', 0, 'X again\nexit 0\n', ''],
  ['abort', -6, 'X ', ''],
  ['signal', -15, 'X ', ''],
  ['text', 6, 'X exit 6\n', ''],
  ['text code', 7, 'X exit 7\n', ''],
  ['monitor', 7, 'X ', 'in the monitor'],
];

// The same framing and handshake as Python's multiprocessing.connection, in both directions: its peers are real ones.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe as group, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { socketHead } from '../support/sockets.js';

/** Before 3.12 with unnamed MD5 digests, later with named ones. Those that this machine has, e.g. by PYTHONS=python3.14. */
const candidates = ['python3', ...(process.env.PYTHONS ?? 'python3.11 python3.12 python3.13').split(' ')];
const answers = await Promise.all(
  candidates.map((python) => promisify(execFile)(python, ['-c', 'print(1)']).then(() => [python], () => [])),
); // prettier-ignore
const pythons = answers.flat();

/** Runs Python text with the listener's address, as multiprocessing takes it; what it printed as JSON. */
const head = `${socketHead}
import { spawn } from 'node:child_process';
const py = (python, code, address = null) => {
  const p = spawn(python, ['-c', 'import json, sys\\nfrom multiprocessing import AuthenticationError\\nfrom multiprocessing.connection import Client, Listener\\na = json.loads(sys.argv[1])\\naddress = tuple(a) if isinstance(a, list) else a\\n' + code, JSON.stringify(address)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [], waiting = [];
  let text = '';
  p.stdout.setEncoding('utf8').on('data', (d) => {
    text += d;
    for (let i; (i = text.indexOf('\\n')) >= 0; text = text.slice(i + 1)) (waiting.shift() ?? ((l) => lines.push(l)))(JSON.parse(text.slice(0, i)));
  });
  const ended = new Promise((resolve) => p.on('close', resolve));
  return { line: () => new Promise((resolve) => lines.length > 0 ? resolve(lines.shift()) : waiting.push(resolve)), ended };
};
`;

test('Python is here, to be tested against', () => {
  expect(pythons).toContain('python3');
});

const keys = { none: [undefined, 'None'], 'an empty one': ["''", "b''"], bytes: ["'secret'", "b'secret'"] };
const grid = pythons.flatMap((python) =>
  Object.entries(keys).map(([name, key]) => [python, name, key] as const),
);
group.each(grid)('%s, authkey: %s', (python, name, [ours, theirs]) => {
  const bodies = `
    const sizes = [0, 1, 5, 20, 16_384, 16_385, 300_000];
    /** Ours sends, theirs doubles. */
    const talk = async (c) => {
      const same = [];
      for (const n of sizes) {
        const data = Buffer.alloc(n, n % 251);
        await Promise.all([c.sendBytes(data), c.recvBytes().then((b) => same.push(b.equals(Buffer.concat([data, data]))))]);
      }
      await c.sendBytes(Buffer.from('end'));
      return same;
    };`;
  const double = `while (b := c.recv_bytes()) != b'end': c.send_bytes(b + b)
c.close()
print(json.dumps('closed'), flush=True)`;

  test.each(['tcp', 'undefined'])('a client of Python, ours listens (%s)', async (place) => {
    const got = await runJson(`${head} ${bodies}
      const l = await mp.Listener(${place}, { authkey: ${ours} });
      const p = py('${python}', ${JSON.stringify(`c = Client(address, authkey=${theirs})\n${double}`)}, l.address);
      const c = await l.accept();
      const got = [await talk(c), await rejected(c.recvBytes()), await p.line()];
      await p.ended;
      // And the same, blocking.
      const q = py('${python}', ${JSON.stringify(`c = Client(address, authkey=${theirs})\n${double}`)}, l.address);
      const d = l.acceptSync();
      d.sendBytesSync(Buffer.from('xy'));
      got.push(d.recvBytesSync().toString());
      d.sendBytesSync(Buffer.from('end'));
      await q.ended;
      l.close();
      out(got);`);
    expect(got).toEqual([Array(7).fill(true), 'ClosedError ERR_MP_EOF', 'closed', 'xyxy']);
  });

  // Listeners of older versions take an empty key for none.
  const listeners = name === 'an empty one' ? [] : ["('127.0.0.1', 0)", 'None'];
  test.each(listeners)('a listener of Python at %s, ours connects', async (place) => {
    const got = await runJson(`${head} ${bodies}
      const p = py('${python}', ${JSON.stringify(`l = Listener(${place}, authkey=${theirs})
print(json.dumps(l.address), flush=True)
for i in range(2):
  c = l.accept()
  ${double.replaceAll('\n', '\n  ')}`)});
      const address = await p.line();
      const c = await mp.Client(address, { authkey: ${ours} });
      const got = [await talk(c), await rejected(c.recvBytes())];
      const d = mp.ClientSync(address, { authkey: ${ours} });
      d.sendBytesSync(Buffer.from('xy'));
      got.push(d.recvBytesSync().toString());
      d.sendBytesSync(Buffer.from('end'));
      await p.ended;
      out(got);`);
    expect(got).toEqual([Array(7).fill(true), 'ClosedError ERR_MP_EOF', 'xyxy']);
  });
});

test.each(pythons)(
  '%s: another key is an AuthenticationError on both sides, in both directions',
  async (python) => {
    const attempt = (what: string) =>
      `try: ${what}\nexcept AuthenticationError as e: print(json.dumps('refused'), flush=True)`;
    const got = await runJson(`${head}
    const l = await mp.Listener(tcp, { authkey: 'ours' });
    const p = py('${python}', ${JSON.stringify(attempt("Client(address, authkey=b'theirs')"))}, l.address);
    const got = [await rejected(l.accept()), await p.line()];
    await p.ended;
    const q = py('${python}', ${JSON.stringify(`l = Listener(('127.0.0.1', 0), authkey=b'theirs')\nprint(json.dumps(l.address), flush=True)\n${attempt('l.accept()')}`)});
    got.push(await rejected(mp.Client(await q.line(), { authkey: 'ours' })), await q.line());
    await q.ended;
    l.close();
    out(got);`);
    expect(got).toEqual([
      'AuthenticationError ERR_MP_AUTHENTICATION',
      'refused',
      'AuthenticationError ERR_MP_AUTHENTICATION',
      'refused',
    ]);
  },
);

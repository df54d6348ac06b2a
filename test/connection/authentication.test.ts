// The handshake: both sides prove the key, or both get an error; nobody who says something else gets further.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { socketHead } from '../support/sockets.js';

const refused = 'AuthenticationError ERR_MP_AUTHENTICATION';
const head = `${socketHead}
import { createHmac, randomBytes } from 'node:crypto';
const text = (p) => Promise.resolve(p).then(() => 'fine', (e) => nameOf(e) + ': ' + e.message.replace(/127\\.0\\.0\\.1:\\d+/g, 'X'));
/** A peer that takes the protocol step by step: what it hears, message by message. */
const talker = (socket) => {
  let bytes = Buffer.alloc(0), wake = () => {}, over = false;
  socket.on('data', (d) => { bytes = Buffer.concat([bytes, d]); wake(); }).on('close', () => { over = true; wake(); });
  return {
    say: (what) => socket.write(framed(what)),
    write: (what) => socket.write(what),
    async hear() {
      for (;;) {
        if (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
          const end = 4 + bytes.readInt32BE(0), message = bytes.subarray(4, end).toString('latin1');
          bytes = bytes.subarray(end);
          return message;
        }
        if (over) return null;
        await new Promise((r) => (wake = r));
      }
    },
    end: () => socket.destroy(),
  };
};
const mac = (digest, key, text) => createHmac(digest, key).update(Buffer.from(text, 'latin1')).digest('latin1');
`;

test('the same key on both sides, in any form; another one is an error on both, and the listener goes on', async () => {
  const got = await runJson(`${head}
    const l = await mp.Listener(tcp, { authkey: 'key' });
    const got = [];
    for (const authkey of ['key', Buffer.from('key'), Uint8Array.from([107, 101, 121])]) {
      const [a, c] = await Promise.all([l.accept(), mp.Client(l.address, { authkey })]);
      await c.send(1);
      got.push(await a.recv());
      a.close(); c.close();
    }
    for (const authkey of ['Key', '', 'keys', Buffer.alloc(3)]) got.push((await Promise.all([rejected(l.accept()), rejected(mp.Client(l.address, { authkey }))])).join());
    const empty = await mp.Listener(tcp, { authkey: '' });
    got.push((await Promise.all([rejected(empty.accept()), rejected(mp.Client(empty.address, { authkey: '' }))])).join());
    const [a] = await Promise.all([l.accept(), mp.Client(l.address, { authkey: 'key' })]);
    got.push(a.closed);
    for (const authkey of [5, true, [1], {}, new ArrayBuffer(3)]) got.push(await rejected(mp.Client(l.address, { authkey })), await rejected(mp.Listener(tcp, { authkey })));
    process.stdout.write(JSON.stringify(got) + '\\n');
    process.exit();`);
  expect(got).toEqual([
    ...[1, 1, 1],
    ...Array(4).fill(`${refused},${refused}`),
    'fine,fine',
    false,
    ...Array(10).fill('TypeError ERR_MP_TYPE'),
  ]);
});

test('a key on one side only: an error on both, that says so', async () => {
  const got = await runJson(`${head}
    const options = { handshakeTimeout: 300 };
    const withKey = await mp.Listener(tcp, { authkey: 'key', ...options }), without = await mp.Listener(tcp, options);
    const got = [];
    // The client has none: it waits, or it sends.
    for (const use of [(c) => c.recv(), (c) => c.recvBytes(), async (c) => { await c.send(1); return c.recv(); }]) {
      const accepted = text(withKey.accept()), c = await mp.Client(withKey.address);
      got.push(await text(use(c)), await text(c.recv()));
      c.close();
      got.push(await accepted);
    }
    // The listener has none.
    const connecting = text(mp.Client(without.address, { authkey: 'key', ...options })), a = await without.accept();
    got.push(await connecting, await text(a.recv()));
    // It speaks first.
    const again = text(mp.Client(without.address, { authkey: 'key', ...options })), b = await without.accept();
    await b.send('hello');
    got.push(await again, await text(b.recv()));
    withKey.close(); without.close();
    out(got);`);
  const unasked =
    /^AuthenticationError ERR_MP_AUTHENTICATION: Connection\.recv\w*\(\): the listener at X asks for an authkey, and this side has none/;
  for (const i of [0, 1, 3, 4, 6, 7]) expect(got[i]).toMatch(unasked);
  expect(got[2]).toMatch(/^AuthenticationError .*it went away before it had authenticated itself/);
  expect(got[8]).toMatch(/^AuthenticationError/);
  expect(got[9]).toMatch(/^AuthenticationError .*did not authenticate itself within 300 ms/);
  expect(got[10]).toMatch(/^AuthenticationError .*has an authkey, and this side has none/);
  expect(got[11]).toMatch(/^AuthenticationError .*asks for no authkey: only this side has one/);
  expect(got[12]).toMatch(/^AuthenticationError .*has an authkey, and this side has none/);
});

test('garbage, floods, half messages and silence are refused at a listener, and nothing they send is decoded', async () => {
  const got = await runJson(`${head}
    const l = await mp.Listener(tcp, { authkey: 'key', handshakeTimeout: 300 });
    const got = [];
    const attack = async (what) => {
      const accepted = text(l.accept()), peer = talker(raw(l.address));
      await peer.hear();
      await what(peer);
      got.push(await accepted);
      for (let said; (said = await peer.hear()) !== null; ) got[got.length - 1] += ' -> ' + said;
      peer.end();
    };
    await attack((p) => p.say(''));
    await attack((p) => p.say('{sha256}' + 'x'.repeat(32)));
    await attack((p) => p.say('x'.repeat(16)));
    await attack((p) => p.say('{sha1}' + 'x'.repeat(20)));
    await attack((p) => p.say('{sha256}'));
    await attack((p) => p.say('x'.repeat(257)));
    await attack((p) => p.write(Buffer.from([0x7f, 255, 255, 255, 1, 2, 3])));
    await attack((p) => p.write(Buffer.from([255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255])));
    await attack((p) => p.write(Buffer.from('GET / HTTP/1.1\\r\\n\\r\\n')));
    await attack((p) => p.write(Buffer.from([0, 0])));
    await attack(() => {});
    await attack((p) => p.end());
    // It proves the key, and then does not ask for ours.
    await attack(async (p) => p.say('#WELCOME#'));
    l.close();
    out([got, process.memoryUsage().external < 50e6]);`);
  const [said, small] = got;
  const start = 'AuthenticationError ERR_MP_AUTHENTICATION: Listener at X: the client X: ';
  const ends: [RegExp, boolean][] = [
    [/^its answer names no digest/, true],
    [/^it has another authkey/, true],
    [/^it has another authkey/, true],
    [/^its answer names no digest that is allowed: md5, sha256/, true],
    [/^it has another authkey/, true],
    [/^it does not speak this protocol/, true],
    [/^it does not speak this protocol/, true],
    [/^it does not speak this protocol/, true],
    [/^it does not speak this protocol/, true],
    [/^it did not authenticate itself within 300 ms/, true],
    [/^it did not authenticate itself within 300 ms/, true],
    [/^it went away before it had authenticated itself/, false],
    [/^its answer names no digest/, true],
  ];
  expect(said).toHaveLength(ends.length);
  ends.forEach(([end, told], i) => {
    expect(said[i].startsWith(start), said[i]).toBe(true);
    expect(said[i].slice(start.length)).toMatch(end);
    expect(said[i].endsWith(' -> #FAILURE#'), said[i]).toBe(told);
  });
  expect(small).toBe(true);
});

test('and at a client: a listener that asks nothing, or too little, or knows no key', async () => {
  const got = await runJson(`${head}
    const got = [];
    const serve = async (what) => {
      const server = net.createServer((s) => { const p = talker(s.on('error', () => {})); void what(p); }).listen(0, '127.0.0.1');
      await new Promise((r) => server.on('listening', r));
      got.push(await text(mp.Client(['127.0.0.1', server.address().port], { authkey: 'key', handshakeTimeout: 300 })));
      server.close();
    };
    await serve((p) => p.say('#CHALLENGE#short'));
    await serve((p) => p.say('#CHALLENGE#{whirlpool}' + 'x'.repeat(40)));
    await serve((p) => p.say('#CHALLENGE#' + 'x'.repeat(300)));
    await serve((p) => p.say('hello'));
    await serve((p) => p.end());
    await serve(() => {});
    // Takes our answer, cannot give its own.
    await serve(async (p) => { p.say('#CHALLENGE#{sha256}' + 'x'.repeat(40)); await p.hear(); p.say('#WELCOME#'); await p.hear(); p.say('{sha256}' + 'y'.repeat(32)); });
    out(got);`);
  const ends = [
    /its challenge is too short to be safe/,
    /its challenge names no digest that is allowed/,
    /does not speak this protocol/,
    /it asks for no authkey: only this side has one/,
    /went away before it had authenticated itself/,
    /did not authenticate itself within 300 ms/,
    /it has another authkey/,
  ];
  ends.forEach((end, i) => {
    expect(got[i]).toMatch(/^AuthenticationError/);
    expect(got[i]).toMatch(end);
  });
});

test('every digest of Python is understood, in answers and in challenges; what answers come without a name are MD5', async () => {
  const got = await runJson(`${head}
    const names = { md5: 'md5', sha256: 'sha256', sha384: 'sha384', sha3_256: 'sha3-256', sha3_384: 'sha3-384' };
    const l = await mp.Listener(tcp, { authkey: 'key' });
    const got = [];
    for (const [name, digest] of [...Object.entries(names), ['', 'md5']]) {
      const accepted = l.accept(), p = talker(raw(l.address));
      const asked = (await p.hear()).slice('#CHALLENGE#'.length);
      p.say((name && '{' + name + '}') + mac(digest, 'key', asked));
      got.push(asked.startsWith('{sha256}') && asked.length === 48, await p.hear());
      const question = (name && '{' + name + '}') + randomBytes(name ? 40 : 20).toString('latin1');
      p.say('#CHALLENGE#' + question);
      got.push(await p.hear() === (name && '{' + name + '}') + mac(digest, 'key', question));
      p.say('#WELCOME#');
      const a = await accepted;
      p.say('#CHALLENGE#is a message now');
      got.push((await a.recvBytes()).toString());
      p.end(); a.close();
    }
    l.close();
    out(got);`);
  expect(got).toEqual(Array(6).fill([true, '#WELCOME#', true, '#CHALLENGE#is a message now']).flat());
});

test('silent clients keep nobody waiting, also when there are many; each is told of at its time', async () => {
  const got = await runJson(`${head}
    const before = descriptors();
    const l = await mp.Listener(tcp, { authkey: 'key', handshakeTimeout: 500 });
    const silent = Array.from({ length: 20 }, () => raw(l.address));
    await Promise.all(silent.map((s) => new Promise((r) => s.on('connect', r))));
    const accepts = Array.from({ length: 22 }, () => l.accept().then((c) => c, nameOf));
    const first = await Promise.race([Promise.race(accepts), mp.Client(l.address, { authkey: 'key' }).then(() => Promise.race(accepts))]);
    const clients = await mp.Client(l.address, { authkey: 'key' });
    const ends = await Promise.all(accepts);
    const count = (x) => ends.filter((e) => (typeof e === 'string' ? e : 'connection') === x).length;
    for (const s of silent) s.destroy();
    out([typeof first, count('connection'), count('${refused}')]);
    process.exit();`);
  expect(got).toEqual(['object', 2, 20]);
});

/** The start of scripts that test connections over sockets. */
import { head } from './sync.js';

export const socketHead = `${head}
import net from 'node:net';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
/** A new connection's two ends, the listener's first. */
const pair = async (at, options = {}) => {
  const l = await mp.Listener(at, options);
  const [a, c] = await Promise.all([l.accept(), mp.Client(l.address, options)]);
  l.close();
  return [a, c];
};
const tcp = ['127.0.0.1', 0];
/** How many descriptors are open. */
const descriptors = () => readdirSync('/proc/self/fd').length;
/** A client or a server that says what it likes. */
const framed = (text) => { const b = Buffer.from(text, 'latin1'), head = Buffer.alloc(4); head.writeInt32BE(b.length); return Buffer.concat([head, b]); };
const raw = (address) => {
  const socket = typeof address === 'string' ? net.connect(address) : net.connect(address[1], address[0]);
  return socket.on('error', () => {});
};
`;

/** Where a listener is, as source: the same test body on each. */
export const places = {
  path: 'undefined',
  name: '`\\0multiproc-test-${process.pid}`',
  tcp: 'tcp',
  ip6: "['::1', 0]",
};

/** Where listeners are: paths, names without a file (Linux), and hosts with ports. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { MultiprocessingError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import type { SocketName } from '../native/socket-binding.js';

/**
 * A path; on Linux also a name after a NUL character, which has no file and no access rights; or `[host, port]`. Port 0 lets
 * the system choose one.
 */
export type Address = string | readonly [host: string, port: number];

/** A path's bytes, with the NUL behind them, must fit in the system's structure. */
const longestName = 107;

/** Checks an address given to the call named `what`. Paths come out absolute: they mean the same in any other process. */
export function parseAddress(address: unknown, what: string): Address {
  if (typeof address === 'string') {
    if (/^\\\\[.?]\\pipe\\/.test(address))
      throw new MultiprocessingError(
        'ERR_MP_UNSUPPORTED',
        `${what}: named pipes of Windows are not supported yet; use ['127.0.0.1', port]`,
      );
    if (address === '' || address === '\0') throw rangeError(`${what}: the address must not be empty`);
    const isAbstract = address.startsWith('\0');
    if (address.includes('\0', 1)) throw rangeError(`${what}: a path cannot have a NUL character in it`);
    if (isAbstract && process.platform !== 'linux')
      throw new MultiprocessingError('ERR_MP_UNSUPPORTED', `${what}: only Linux has names without a file`);
    const name = isAbstract ? address : resolve(address);
    const size = Buffer.byteLength(name);
    if (size > longestName)
      throw rangeError(
        `${what}: the path has ${size} bytes; the system takes ${longestName} of a socket's: ${show(name)}`,
      );
    return name;
  }
  if (!Array.isArray(address) || address.length !== 2)
    throw typeError(`${what}: the address must be a path or [host, port], not ${show(address)}`);
  const [host, port] = address as [unknown, unknown];
  if (typeof host !== 'string' || host.includes('\0'))
    throw typeError(`${what}: the host must be a name or an IP address, not ${show(host)}`);
  if (typeof port !== 'number') throw typeError(`${what}: the port must be a number, not ${show(port)}`);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw rangeError(`${what}: the port must be 0 to 65535, not ${port}`);
  return [host, port];
}

/** What the system is given, in the order to be tried: all addresses of a host's name. */
export async function systemNames(
  address: Address,
  code: 'ERR_MP_CONNECT' | 'ERR_MP_LISTEN',
  what: string,
): Promise<SocketName[]> {
  if (typeof address === 'string') return [[address, -1]];
  const [host, port] = address;
  if (isIP(host) !== 0) return [[host, port]];
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address: ip }) => [ip, port]);
  } catch (cause) {
    const { code: errno, message } = cause as NodeJS.ErrnoException;
    throw new MultiprocessingError(code, `${what}: the host ${show(host)} is not known: ${message}`, {
      cause,
      ...(errno === undefined ? {} : { errno, syscall: 'getaddrinfo' }),
    });
  }
}

export function addressOf([name, port]: SocketName): Address {
  return port < 0 ? name : [name, port];
}

/** As messages show it. */
export function addressText(address: Address): string {
  if (typeof address === 'string') return address.startsWith('\0') ? `@${address.slice(1)}` : address;
  const [host, port] = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

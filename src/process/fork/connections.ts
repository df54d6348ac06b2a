/**
 * Connections that a forked process has from its parent. The addon has closed them in it, so that the other sides hear the
 * parent alone and see it close them; here they are told so, and clients that keep connections forget them.
 */
import dns from 'node:dns';
import type { Agent } from 'node:http';
import { Socket } from 'node:net';
import { ProcessError } from '../../errors.js';
import { native } from '../../native/load.js';

type Callback = (error: Error) => void;
/** As Node makes it, with what an http.Agent keeps on it. */
interface Inner {
  _writeGeneric: (pending: boolean, data: unknown, encoding: unknown, callback: Callback) => void;
  _httpMessage?: { agent?: Agent | false } | null;
  _handle?: { fd?: number } | null;
}

/** In a child, before anything of the program's runs in it. */
export function leaveConnections(): void {
  const sockets: (Socket & Inner)[] = [];
  native.withSevered((stopped) => {
    // The only one to have such a timer is a resolver whose queries are under way. Another one is made here: it would
    // take the sockets of theirs.
    if (stopped) dns.setServers(dns.getServers());
    const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles: () => unknown[] };
    for (const owner of handles.call(process) as (Socket & Inner)[])
      if (owner instanceof Socket && (owner._handle?.fd ?? 0) > 2) sockets.push(owner);
  });
  for (const socket of sockets) socket._writeGeneric = refuse;
  leaveAgents(sockets);
  leaveDispatchers();
}

const refuse: Inner['_writeGeneric'] = (_pending, _data, _encoding, callback) => {
  callback(
    new ProcessError(
      'ERR_MP_STATE',
      'socket.write(): this socket is the parent’s, and closed in the process that was forked from it; ' +
        'have the parent write what the process gives it, or connect again',
    ),
  );
};

/** Any http.Agent, the global ones among them, would wait for a socket to be free, or take one that is. */
function leaveAgents(sockets: (Socket & Inner)[]): void {
  const kept = sockets.filter((socket) => socket.listenerCount('agentRemove') > 0);
  for (const { _httpMessage: message } of kept) {
    // Or the agent would connect for requests of the parent's that wait for it.
    const agent = message?.agent;
    if (typeof agent === 'object')
      for (const name of Object.keys(agent.requests)) forget(agent.requests, name);
  }
  for (const socket of kept) {
    if (!socket._httpMessage) Object.assign(socket, { destroyed: true });
    socket.emit('agentRemove');
  }
}

function forget(table: object, name: string): void {
  Reflect.deleteProperty(table, name);
}

/** Of fetch() and of undici, which share it under names with the version of their contract. */
const dispatcherName = /undici\.globalDispatcher\./;
const depth = 3;

function leaveDispatchers(): void {
  for (const [key, value] of symbolsOf(globalThis)) if (dispatcherName.test(String(key))) empty(value, depth);
}

/** Clients are made anew when there are none; options and kind stay. Those with a proxy have dispatchers of their own. */
function empty(dispatcher: unknown, deep: number): void {
  if (typeof dispatcher !== 'object' || dispatcher === null || deep === 0) return;
  for (const [{ description }, value] of symbolsOf(dispatcher)) {
    if (description === 'clients' || description === 'origins') {
      if (value instanceof Map || value instanceof Set) value.clear();
      else if (Array.isArray(value)) value.length = 0;
    } else if (/agent|client$/i.test(description ?? '')) empty(value, deep - 1);
  }
}

function symbolsOf(object: object): [symbol, unknown][] {
  return Object.getOwnPropertySymbols(object).map((key) => [key, (object as Record<symbol, unknown>)[key]]);
}

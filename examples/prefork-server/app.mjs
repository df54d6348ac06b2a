// The application: a product search over a catalogue that takes a while to load. It knows nothing of processes.
import { createHash } from 'node:crypto';

const products = 60_000;
const adjectives = ['red', 'green', 'small', 'large', 'old', 'new', 'quiet', 'loud', 'light', 'heavy'];
const nouns = ['lamp', 'chair', 'table', 'clock', 'radio', 'bottle', 'basket', 'mirror', 'carpet', 'kettle'];

/** Products, and which words they are found by. Stands for what real applications load: code, templates, indexes. */
export function loadCatalogue() {
  const names = [];
  const index = new Map();
  for (let id = 0; id < products; id++) {
    const name = `${adjectives[id % 10]} ${nouns[Math.floor(id / 10) % 10]} ${createHash('sha1').update(`${id}`).digest('hex').slice(0, 6)}`;
    names.push(name);
    for (const word of name.split(' ')) {
      const found = index.get(word);
      if (found === undefined) index.set(word, [id]);
      else found.push(id);
    }
  }
  return { names, index };
}

export function search({ names, index }, words) {
  const [first, ...others] = words.map((word) => index.get(word) ?? []).sort((a, b) => a.length - b.length);
  if (first === undefined) return [];
  const sets = others.map((ids) => new Set(ids));
  return first
    .filter((id) => sets.every((ids) => ids.has(id)))
    .slice(0, 10)
    .map((id) => names[id]);
}

/** A request listener. `limit(client)`: whether the client may ask now; `count(what)`: called before each answer. */
export function listener(catalogue, { limit, count, status }) {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const answer = (code, body) => {
      count(code === 200 ? 'served' : 'refused');
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (pathname === '/status') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status()));
    } else if (!limit(request.headers['x-client'] ?? request.socket.remoteAddress)) {
      answer(429, { error: 'slow down' });
    } else {
      answer(200, search(catalogue, (searchParams.get('q') ?? '').split(' ')));
    }
  };
}

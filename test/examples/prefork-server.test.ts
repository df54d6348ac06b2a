// The example as its users run it: started, its workers killed, its requests counted.
import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eventually, isRunning, runCommand } from '../support/child.js';

const server = fileURLToPath(new URL('../../examples/prefork-server/server.mjs', import.meta.url));

interface Status {
  served: number;
  refused: number;
  starts: number;
  pids: number[];
}

async function withServer<T>(
  workers: number,
  perSecond: number,
  body: (port: number) => Promise<T>,
): Promise<{ result: T; code: number | null; errors: string }> {
  const child = spawn(process.execPath, [...runCommand, server, '0', String(workers), String(perSecond)]);
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 50_000);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        const found = /listening on (\d+)/.exec((text += chunk));
        if (found) resolve(Number(found[1]));
      });
      void ended.then(() => reject(new Error(`It ended: ${text}${errors}`)));
    });
    const result = await body(port);
    child.kill('SIGTERM');
    return { result, code: await ended, errors };
  } finally {
    child.kill('SIGKILL');
    clearTimeout(watchdog);
  }
}

/** Status code and body of a request on a connection of its own. */
function ask(port: number, path: string, client = 'somebody'): Promise<{ code: number; body: any }> {
  return new Promise((resolve, reject) => {
    get({ port, path, agent: false, headers: { 'x-client': client } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject).on('end', () => {
        resolve({ code: response.statusCode!, body: JSON.parse(text) });
      });
    }).on('error', reject);
  });
}

/** Resolves when all workers serve and `gone` is none of them. */
async function allServe(port: number, gone = 0): Promise<Status> {
  for (;;) {
    const { body } = await ask(port, '/status').catch(() => ({ body: { pids: [0] } }));
    const { pids } = body as Status;
    if (!pids.includes(0) && !pids.includes(gone)) return body;
  }
}

const search = '/search?q=red%20lamp';

test('a worker that is killed is replaced, and no counter is lost', async () => {
  const { result, code, errors } = await withServer(2, 60_000, async (port) => {
    let expected = 0;
    const many = async (): Promise<void> => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port, search)));
      expected += answers.filter(({ code, body }) => code === 200 && body.length === 10).length;
    };
    const { pids: first } = await allServe(port);
    const killed: number[] = [];
    for (let round = 0; round < 3; round++) {
      await many();
      const { pids } = await allServe(port);
      process.kill(pids[round % 2]!, 'SIGKILL');
      killed.push(pids[round % 2]!);
      await allServe(port, pids[round % 2]);
    }
    await many();
    const status = await allServe(port);
    return { expected, status, first, killed };
  });
  expect(result.expected).toBe(160);
  expect(result.status).toMatchObject({ served: 160, refused: 0, starts: 5 });
  expect(new Set([...result.first, ...result.killed, ...result.status.pids]).size).toBe(5);
  expect(errors.match(/ended with -9/g)).toHaveLength(3);
  expect(code).toBe(0);
  await eventually('no worker is left', () => result.status.pids.every((pid) => !isRunning(pid)));
});

test('killed in the middle of its work, a worker takes at most the answers it owed along', async () => {
  const { result } = await withServer(2, 60_000, async (port) => {
    const { pids } = await allServe(port);
    const asked = Array.from({ length: 200 }, () =>
      ask(port, search).then(
        ({ code }) => code,
        () => 0,
      ),
    );
    await Promise.race(asked);
    process.kill(pids[0]!, 'SIGKILL');
    const answered = (await Promise.all(asked)).filter((code) => code === 200).length;
    return { answered, status: await allServe(port, pids[0]) };
  });
  expect(result.answered).toBeGreaterThan(0);
  expect(result.status.served).toBeGreaterThanOrEqual(result.answered);
  expect(result.status.served).toBeLessThanOrEqual(200);
});

test('the limit of a client is one for all workers', async () => {
  const { result } = await withServer(3, 4, async (port) => {
    await allServe(port);
    const began = Math.floor(Date.now() / 1000);
    const codes = (await Promise.all(Array.from({ length: 60 }, () => ask(port, search, 'eager')))).map(
      (a) => a.code,
    );
    const other = (await ask(port, search, 'someone else')).code;
    const seconds = Math.floor(Date.now() / 1000) - began + 1;
    return { codes, other, seconds, status: await allServe(port) };
  });
  const served = result.codes.filter((code) => code === 200).length;
  expect(served).toBeGreaterThanOrEqual(4);
  expect(served).toBeLessThanOrEqual(4 * result.seconds);
  expect(result.other).toBe(200);
  expect(result.status).toMatchObject({ served: served + 1, refused: 60 - served });
});

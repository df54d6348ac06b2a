/** Runs a script in a Node of its own, under a watchdog: what it tests may block for ever. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface ScriptOptions {
  /** Milliseconds until the script and what it started in its process group are killed, and the test fails. */
  timeout?: number;
  args?: string[];
  env?: Record<string, string>;
  execArgv?: string[];
  /** Whether it is run by `multiproc run`, so that it can fork. */
  forkCapable?: boolean;
  /** Of a script given as source: mjs by default. */
  extension?: 'mjs' | 'cjs' | 'js' | 'ts';
  cwd?: string;
  input?: string;
}

export interface ScriptEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export const fixtures = new URL('../fixtures/', import.meta.url);
const scripts = new URL('../../build/test-scripts/', import.meta.url);

/** The file of a script given as source. In the package's tree, so that it can import 'multiproc' by name. */
export function scriptFile(source: string, extension = 'mjs'): string {
  mkdirSync(scripts, { recursive: true });
  const name = createHash('sha256').update(source).digest('hex').slice(0, 16);
  const file = fileURLToPath(new URL(`${name}.${extension}`, scripts));
  writeFileSync(file, source);
  return file;
}

/** Before a script's file: `multiproc run`. */
export const runCommand = [fileURLToPath(new URL('../../lib/entry/run.js', import.meta.url)), 'run'];

/** Runs a file (URL) or source (text) to its end, whatever that is. */
export async function runScript(script: string | URL, options: ScriptOptions = {}): Promise<ScriptEnd> {
  const { timeout = 30_000, args = [], execArgv = [], extension, cwd } = options;
  const file = script instanceof URL ? fileURLToPath(script) : scriptFile(script, extension);
  const env: Record<string, string | undefined> = { ...process.env, ...options.env };
  // The runner's own settings are none of the script's business.
  for (const name of Object.keys(env))
    if (/^(VITEST|NODE_OPTIONS$)/.test(name) && !options.env?.[name]) delete env[name];
  const launcher = options.forkCapable === true ? runCommand : [];
  const child = spawn(process.execPath, [...launcher, ...execArgv, file, ...args], {
    env,
    cwd,
    detached: true,
    stdio: 'pipe',
  });
  child.stdin.end(options.input);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let late = false;
  const watchdog = setTimeout(() => {
    late = true;
    process.kill(-child.pid!, 'SIGKILL');
  }, timeout);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (c, s) => resolve([c, s]));
  });
  clearTimeout(watchdog);
  const end = { code, signal, stdout, stderr };
  if (late) throw new Error(`The script did not end within ${timeout} ms.\n${describe(end)}`);
  return end;
}

/** Runs a script that must succeed, and gives what it printed as JSON on its last line. */
export async function runJson<T = any>(script: string | URL, options?: ScriptOptions): Promise<T> {
  const end = await runScript(script, options);
  if (end.code !== 0) throw new Error(`The script failed.\n${describe(end)}`);
  try {
    return JSON.parse(end.stdout.trimEnd().split('\n').at(-1)!) as T;
  } catch {
    throw new Error(`The script printed no JSON.\n${describe(end)}`);
  }
}

export function describe({ code, signal, stdout, stderr }: ScriptEnd): string {
  return `code ${code}, signal ${signal}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`;
}

/** Whether a process runs (a zombie does not). */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Waits until a claim holds; fails with its text after the watchdog's time. */
export async function eventually(claim: string, holds: () => boolean, timeout = 20_000): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`Still not so after ${timeout} ms: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

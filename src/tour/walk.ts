/** Finding the files: every regular file below a directory, and what could not be read, by name. */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Found {
  readonly files: string[];
  readonly bytes: number;
  readonly problems: Problem[];
}
export interface Problem {
  readonly path: string;
  readonly reason: string;
}

/** Walks a directory. Links to files are followed, links to directories are not (they may lead in circles). */
export function walk(directory: string): Found {
  const found = { files: [] as string[], bytes: 0, problems: [] as Problem[] };
  const open = [directory];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    try {
      for (const entry of readdirSync(at, { withFileTypes: true })) {
        const path = join(at, entry.name);
        if (entry.isDirectory()) open.push(path);
        else look(path, entry.isSymbolicLink(), found);
      }
    } catch (error) {
      found.problems.push({ path: at, reason: reasonOf(error) });
    }
  }
  return found;
}

function look(
  path: string,
  isLink: boolean,
  found: { files: string[]; bytes: number; problems: Problem[] },
): void {
  try {
    const stats = isLink ? statSync(path) : lstatSync(path);
    if (stats.isFile()) {
      found.files.push(path);
      found.bytes += stats.size;
    } else if (!stats.isDirectory()) {
      found.problems.push({ path, reason: 'not a regular file' });
    }
  } catch (error) {
    found.problems.push({ path, reason: isLink ? 'broken link' : reasonOf(error) });
  }
}

export function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

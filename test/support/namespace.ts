/** Mount namespaces of tests' own: what is mounted there, nobody else sees. */
import { execFileSync } from 'node:child_process';

export function canMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs a shell command in a mount namespace; what it prints. */
export function inNamespace(command: string): string {
  return execFileSync('unshare', ['-m', 'sh', '-c', command], { encoding: 'utf8' });
}

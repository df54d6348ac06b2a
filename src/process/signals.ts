/** Numbers and names of signals. */
import { constants } from 'node:os';

const names = new Map<number, NodeJS.Signals>();
// Of two names for one number the first is the usual one (SIGABRT before SIGIOT).
for (const [name, number] of Object.entries(constants.signals)) {
  if (!names.has(number)) names.set(number, name as NodeJS.Signals);
}

export function signalName(number: number): NodeJS.Signals {
  return names.get(number) ?? (`SIG${number}` as NodeJS.Signals);
}

export const signalNumber = constants.signals;

export function exitCodeText(code: number): string {
  return code < 0 ? `-${signalName(-code)}` : String(code);
}

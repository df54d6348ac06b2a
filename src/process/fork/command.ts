/** The command line of `multiproc run`. */
import { optionName } from '../exec-args.js';

export interface Command {
  options: string[];
  script: string;
  args: string[];
}

/** Node's options whose value may be the next argument. */
const takesValue =
  /^(-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--title|--env-file(-if-exists)?|--(experimental-)?config-file|--inspect-port|--debug-port|--disable-warning|--icu-data-dir|--openssl-config|--redirect-warnings|--diagnostic-dir|--dns-result-order|--unhandled-rejections|--input-type|--experimental-default-type|--watch-path)$/;

/** Null if there is no script. */
export function splitCommand(given: readonly string[]): Command | null {
  let at = 0;
  // A dash alone is the script that comes by standard input.
  while (at < given.length && /^-./.test(given[at]!) && given[at] !== '--') {
    at += takesValue.test(given[at]!.includes('=') ? '' : optionName(given[at]!)) ? 2 : 1;
  }
  const options = given.slice(0, at);
  const [script, ...args] = given.slice(given[at] === '--' ? at + 1 : at);
  return script === undefined ? null : { options, script, args };
}

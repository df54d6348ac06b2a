/** Errors of arguments: the language's own classes, with a code. */

export function rangeError(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_MP_RANGE' });
}

export function typeError(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_MP_TYPE' });
}

/** A value as messages show it: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null)
    return `[${(value.constructor as { name?: string } | undefined)?.name ?? 'object'}]`;
  return String(value);
}

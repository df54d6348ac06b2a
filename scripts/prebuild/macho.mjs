/** What a 64-bit Mach-O library asks for and offers. Reads the symbol table, which is there unless it was stripped. */
const LC_SYMTAB = 0x2;
const LC_LOAD_DYLIB = 0xc;
const N_EXT = 0x01;
const N_PEXT = 0x10;
const N_TYPE = 0x0e;
const N_STAB = 0xe0;
const DYNAMIC_LOOKUP = 0xfe; // the ordinal of "any library of the process"

export function readMachO(bytes) {
  if (bytes.readUInt32LE(0) !== 0xfeedfacf) throw new Error('not 64-bit Mach-O');
  const text = (at) => bytes.toString('latin1', at, bytes.indexOf(0, at));
  const needed = [];
  const exports = [];
  const lookups = [];
  for (let i = 0, at = 32; i < bytes.readUInt32LE(16); i++, at += bytes.readUInt32LE(at + 4)) {
    const command = bytes.readUInt32LE(at);
    if (command === LC_LOAD_DYLIB) needed.push(text(at + bytes.readUInt32LE(at + 8)));
    if (command !== LC_SYMTAB) continue;
    const [symbols, count, strings] = [8, 12, 16].map((offset) => bytes.readUInt32LE(at + offset));
    for (let k = 0; k < count; k++) {
      const symbol = symbols + k * 16;
      const type = bytes[symbol + 4];
      if ((type & N_STAB) !== 0 || (type & N_EXT) === 0 || (type & N_PEXT) !== 0) continue;
      const name = text(strings + bytes.readUInt32LE(symbol)).replace(/^_/, '');
      if ((type & N_TYPE) !== 0) exports.push(name);
      else if (bytes.readUInt16LE(symbol + 6) >> 8 === DYNAMIC_LOOKUP) lookups.push(name);
    }
  }
  return { machine: bytes.readUInt32LE(4), needed, exports, lookups };
}

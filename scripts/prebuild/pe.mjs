/** What a 64-bit Windows DLL asks for and offers. */
export function readPe(bytes) {
  const header = bytes.readUInt32LE(0x3c);
  if (bytes.toString('latin1', header, header + 4) !== 'PE\0\0') throw new Error('not PE');
  const optional = header + 24;
  if (bytes.readUInt16LE(optional) !== 0x20b) throw new Error('not 64-bit PE');
  const sectionTable = optional + bytes.readUInt16LE(header + 20);
  const sections = Array.from({ length: bytes.readUInt16LE(header + 6) }, (_, i) => {
    const at = sectionTable + i * 40;
    const address = bytes.readUInt32LE(at + 12);
    return { address, end: address + bytes.readUInt32LE(at + 16), offset: bytes.readUInt32LE(at + 20) };
  });
  /** The place in the file of an address in memory. */
  const at = (address) => {
    const section = sections.find((s) => address >= s.address && address < s.end);
    return section.offset + address - section.address;
  };
  const text = (address) => bytes.toString('latin1', at(address), bytes.indexOf(0, at(address)));
  const directory = (index) => bytes.readUInt32LE(optional + 112 + index * 8);

  const exports = [];
  if (directory(0) !== 0) {
    const table = at(directory(0));
    const names = at(bytes.readUInt32LE(table + 32));
    for (let i = 0; i < bytes.readUInt32LE(table + 24); i++)
      exports.push(text(bytes.readUInt32LE(names + i * 4)));
  }
  const needed = [];
  if (directory(1) !== 0) {
    for (let i = at(directory(1)); bytes.readUInt32LE(i + 12) !== 0; i += 20) {
      needed.push(text(bytes.readUInt32LE(i + 12)));
    }
  }
  return { machine: bytes.readUInt16LE(header + 4), exports, needed };
}

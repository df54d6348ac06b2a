/** What a 64-bit little-endian ELF shared object asks of the system and offers to it. */
const DT = { NEEDED: 1, STRTAB: 5, TEXTREL: 22, FLAGS: 30 };
const DF_STATIC_TLS = 0x10;
const SHT = { SYMTAB: 2, DYNAMIC: 6, DYNSYM: 11, VERNEED: 0x6ffffffe, VERSYM: 0x6fffffff };
const WEAK = 2;

export function readElf(bytes) {
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1)
    throw new Error('not 64-bit ELF');
  const u64 = (at) => Number(bytes.readBigUInt64LE(at));
  const text = (at) => bytes.toString('latin1', at, bytes.indexOf(0, at));

  const table = u64(0x28);
  const sections = Array.from({ length: bytes.readUInt16LE(0x3c) }, (_, i) => {
    const at = table + i * bytes.readUInt16LE(0x3a);
    const [type, link] = [bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 40)];
    return { type, offset: u64(at + 24), size: u64(at + 32), link, count: bytes.readUInt32LE(at + 44) };
  });
  const find = (type) => sections.find((section) => section.type === type);
  const entries = (section, size) =>
    Array.from({ length: section ? section.size / size : 0 }, (_, i) => section.offset + i * size);

  const dynamic = find(SHT.DYNAMIC);
  const tags = entries(dynamic, 16).map((at) => ({ tag: u64(at), value: u64(at + 8) }));
  const names = sections[dynamic.link].offset;
  const needed = tags.filter(({ tag }) => tag === DT.NEEDED).map(({ value }) => text(names + value));
  const flags = tags.find(({ tag }) => tag === DT.FLAGS)?.value ?? 0;

  const versions = new Map();
  const verneed = find(SHT.VERNEED);
  for (let i = 0, at = verneed?.offset; i < (verneed?.count ?? 0); i++, at += bytes.readUInt32LE(at + 12)) {
    let aux = at + bytes.readUInt32LE(at + 8);
    for (let k = 0; k < bytes.readUInt16LE(at + 2); k++, aux += bytes.readUInt32LE(aux + 12)) {
      versions.set(bytes.readUInt16LE(aux + 6) & 0x7fff, text(names + bytes.readUInt32LE(aux + 8)));
    }
  }
  const dynsym = find(SHT.DYNSYM);
  const versym = find(SHT.VERSYM);
  const symbols = entries(dynsym, 24)
    .slice(1)
    .map((at, i) => ({
      name: text(sections[dynsym.link].offset + bytes.readUInt32LE(at)),
      weak: bytes[at + 4] >> 4 === WEAK,
      defined: bytes.readUInt16LE(at + 6) !== 0,
      version: versions.get(versym ? bytes.readUInt16LE(versym.offset + (i + 1) * 2) & 0x7fff : 0),
    }));

  return {
    machine: bytes.readUInt16LE(18),
    needed,
    imports: symbols.filter((symbol) => !symbol.defined),
    exports: symbols.filter((symbol) => symbol.defined).map((symbol) => symbol.name),
    stripped: find(SHT.SYMTAB) === undefined,
    textRelocations: tags.some(({ tag }) => tag === DT.TEXTREL),
    staticTls: (flags & DF_STATIC_TLS) !== 0,
  };
}

/**
 * Puts the image of the heap into the compact program. The program has a section `.heap` at the end of a segment
 * (compact/layout.ld); its content becomes the image's (compact/build/image.rs). What has made the image lies behind it, in a
 * segment of its own, and is left out.
 */

/** elf.h: offsets in Elf64_Ehdr. */
const PROGRAM_HEADERS = 32;
const SECTION_HEADERS = 40;
const PROGRAM_HEADER_COUNT = 56;
const SECTION_HEADER_COUNT = 60;
const SECTION_NAMES = 62;
/** elf.h: Elf64_Phdr and its members. */
const PROGRAM_HEADER_SIZE = 56;
const PHDR = { type: 0, offset: 8, address: 16, fileSize: 32, memorySize: 40 } as const;
const PT_LOAD = 1;
/** elf.h: Elf64_Shdr and its members. */
const SECTION_HEADER_SIZE = 64;
const SHDR = { name: 0, offset: 24, size: 32 } as const;

/** A list of headers: where each begins. */
function headers(program: Buffer, start: number, count: number, size: number): number[] {
  const first = Number(program.readBigUInt64LE(start));
  return Array.from({ length: program.readUInt16LE(count) }, (_, index) => first + index * size);
}

/** Where a section begins in the file, and where it ends. @throws Error when there is none of this name */
function sectionOf(program: Buffer, name: string): readonly [start: number, end: number] {
  const all = headers(program, SECTION_HEADERS, SECTION_HEADER_COUNT, SECTION_HEADER_SIZE);
  const offset = (header: number) => Number(program.readBigUInt64LE(header + SHDR.offset));
  const names = offset(all[program.readUInt16LE(SECTION_NAMES)] ?? 0);
  const found = all.find((header) => {
    const start = names + program.readUInt32LE(header + SHDR.name);
    return program.toString("latin1", start, program.indexOf(0, start)) === name;
  });
  if (found === undefined) throw new Error(`the program has no section ${name}`);
  return [offset(found), offset(found) + Number(program.readBigUInt64LE(found + SHDR.size))];
}

/** The program with its image. @throws Error when they do not fit together */
export function withImage(program: Buffer, image: Buffer): Buffer {
  const [start, end] = sectionOf(program, ".heap");
  const segments = headers(program, PROGRAM_HEADERS, PROGRAM_HEADER_COUNT, PROGRAM_HEADER_SIZE)
    .filter((header) => program.readUInt32LE(header + PHDR.type) === PT_LOAD)
    .map((header) => {
      const read = (member: number) => program.readBigUInt64LE(header + member);
      return { header, offset: read(PHDR.offset), address: read(PHDR.address), size: read(PHDR.fileSize) };
    });
  const [heap, maker] = segments.slice(-2);
  if (heap === undefined || Number(heap.offset + heap.size) !== end)
    throw new Error("the heap is not the end of the last segment but one");
  if (maker === undefined || Number(maker.offset) !== sectionOf(program, ".maker")[0])
    throw new Error("what makes the image has no segment of its own");
  const words = new BigUint64Array(
    image.buffer.slice(image.byteOffset, image.byteOffset + (image.length & ~7)),
  );
  if (words.some((word) => word >= maker.address && word < maker.address + maker.size))
    throw new Error("the image refers to what has made it: correct compact/layout.ld");

  const whole = Buffer.concat([program.subarray(0, start), image]);
  const size = BigInt(whole.length) - heap.offset;
  whole.writeBigUInt64LE(size, heap.header + PHDR.fileSize);
  whole.writeBigUInt64LE(size, heap.header + PHDR.memorySize);
  whole.fill(0 /* PT_NULL */, maker.header, maker.header + PROGRAM_HEADER_SIZE);
  // The list of sections lay behind the segment. A program does not need it.
  whole.writeBigUInt64LE(0n, SECTION_HEADERS);
  whole.writeUInt32LE(0, SECTION_HEADER_COUNT);
  return whole;
}

/**
 * Puts the image of the heap into the compact program. The program has a segment at an address of its own, `.heap`
 * (compact/build.rs), which is last in the file; its content becomes the image's (compact/src/image.rs).
 */

/** elf.h: offsets in Elf64_Ehdr. */
const PROGRAM_HEADERS = 32;
const SECTION_HEADERS = 40;
const PROGRAM_HEADER_COUNT = 56;
const SECTION_HEADER_COUNT = 60;
/** elf.h: Elf64_Phdr and its members. */
const PROGRAM_HEADER_SIZE = 56;
const PHDR = { type: 0, offset: 8, address: 16, fileSize: 32, memorySize: 40 } as const;
const PT_LOAD = 1;
/** As compact/build.rs tells the linker. */
const HEAP_ADDRESS = 0x10000000n;
const PAGE = 4096;

/** The program with its image. @throws Error when it has no segment for the heap, or one that is not the last */
export function withImage(program: Buffer, image: Buffer): Buffer {
  const first = Number(program.readBigUInt64LE(PROGRAM_HEADERS));
  const headers = Array.from(
    { length: program.readUInt16LE(PROGRAM_HEADER_COUNT) },
    (_, index) => first + index * PROGRAM_HEADER_SIZE,
  ).filter((at) => program.readUInt32LE(at + PHDR.type) === PT_LOAD);
  const heap = headers.find((at) => program.readBigUInt64LE(at + PHDR.address) === HEAP_ADDRESS);
  if (heap === undefined) throw new Error("the program has no segment for the heap");
  const offset = Number(program.readBigUInt64LE(heap + PHDR.offset));
  const isLast = headers.every((at) => at === heap || program.readBigUInt64LE(at + PHDR.offset) < offset);
  if (!isLast || offset % PAGE !== 0) throw new Error("the segment of the heap is not the last in the file");

  const whole = Buffer.concat([program.subarray(0, offset), image]);
  whole.writeBigUInt64LE(BigInt(image.length), heap + PHDR.fileSize);
  whole.writeBigUInt64LE(BigInt(image.length), heap + PHDR.memorySize);
  // The list of sections lay behind the segment. A program does not need it.
  whole.writeBigUInt64LE(0n, SECTION_HEADERS);
  whole.writeUInt32LE(0, SECTION_HEADER_COUNT);
  return whole;
}

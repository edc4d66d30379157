/**
 * What the compact file has beside the language: the part of the Encoding Standard that src/engine/compact.ts supplies. With
 * `npx tsc -p compact` any other name of an engine is an error in src.
 */

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, array: Uint8Array): { readonly written: number; readonly read: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}

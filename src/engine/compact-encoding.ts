/** The part of the Encoding Standard that src uses, for the compact file, whose engine has none. */
import { host } from "./compact-host.ts";

class Encoder {
  encode(text = ""): Uint8Array<ArrayBuffer> {
    return host.encode(text.toWellFormed());
  }

  encodeInto(text: string, array: Uint8Array): { readonly written: number; readonly read: number } {
    const written = host.encode(text.toWellFormed(), array);
    return {
      written,
      get read() {
        return host.decode(array.subarray(0, written), false)?.length ?? 0;
      },
    };
  }
}

const NO_BYTES = new Uint8Array();
const MARK = "\uFEFF";

/** A call takes at most so many arguments. */
const MOST_ARGUMENTS = 32768;

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += MOST_ARGUMENTS)
    text += String.fromCharCode(...bytes.subarray(at, at + MOST_ARGUMENTS));
  return text;
}

class Decoder {
  private readonly fatal: boolean;
  private readonly ignoreBOM: boolean;
  private readonly isLatin1: boolean;

  /** `label` is "utf-8" or "latin1", which gives one character for each byte. */
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean }) {
    this.fatal = options?.fatal ?? false;
    this.ignoreBOM = options?.ignoreBOM ?? false;
    this.isLatin1 = label === "latin1";
  }

  decode(bytes: Uint8Array = NO_BYTES): string {
    if (this.isLatin1) return latin1(bytes);
    const text = host.decode(bytes, this.fatal);
    if (text === undefined) throw new TypeError("the bytes are not UTF-8");
    return !this.ignoreBOM && text.startsWith(MARK) ? text.slice(1) : text;
  }
}

Object.assign(globalThis, { TextEncoder: Encoder, TextDecoder: Decoder });

/** Addresses as tests write them. */
import { type Prefix, parsePrefix } from "../../../src/net/prefix.ts";

export const prefixes = (...texts: string[]): Prefix[] =>
  texts.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(`no address with a prefix length: ${text}`);
    return prefix;
  });

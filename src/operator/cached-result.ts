/** What the result of ADD in libcni's cache says, in whatever version it was written (rule A21). */
import type { Interface, Result } from "../cni/result.ts";
import { parseResult } from "../cni/result-parse.ts";
import { findVersion } from "../cni/version.ts";
import type { IpAddress } from "../net/ip.ts";
import { KeyError } from "../schema/key-error.ts";
import type { Document } from "../schema/keys.ts";
import { get } from "../schema/parse.ts";
import type { CachedAttachment } from "./cache.ts";

const known = new WeakMap<Document, Result | undefined>();

/** The result in its current form; undefined if there is none, or if it cannot be decoded. */
export function resultOf(
  cached: Pick<CachedAttachment, "config" | "result"> | undefined,
): Result | undefined {
  const { config, result } = cached ?? {};
  if (result === undefined) return undefined;
  if (!known.has(result)) known.set(result, decoded(result, config));
  return known.get(result);
}

function decoded(result: Document, config: Document | undefined): Result | undefined {
  const version = config === undefined ? undefined : get(config, "cniVersion");
  const fallback = findVersion(typeof version === "string" ? version : undefined);
  if (fallback === undefined) return undefined;
  try {
    return parseResult(result, "result", fallback);
  } catch (error) {
    if (error instanceof KeyError) return undefined;
    throw error;
  }
}

/** The addresses of the container's interface: those that name it, or none. */
export function addressesOf(cached: CachedAttachment | undefined): IpAddress[] {
  const { interfaces = [], ips = [] } = resultOf(cached) ?? {};
  const isOwn = (index: number | undefined): boolean => {
    const named = index === undefined ? undefined : interfaces[index];
    return named === undefined || named.name === cached?.ifname;
  };
  return ips.filter((ip) => isOwn(ip.interface)).map(({ address }) => address.address);
}

/** The container's end, as ADD has reported it. */
export const ownInterface = (cached: CachedAttachment | undefined): Interface | undefined =>
  resultOf(cached)?.interfaces.find(({ name, sandbox }) => name === cached?.ifname && Boolean(sandbox));

/** The interfaces on the host. */
export const hostInterfaces = (cached: CachedAttachment | undefined): Interface[] =>
  resultOf(cached)?.interfaces.filter(({ sandbox }) => !sandbox) ?? [];

/** Anti-spoofing of MAC addresses on a bridge port (rule B17): macspoofchk of the configuration. */
import type { Owner } from "./masquerade.ts";

/** Drops frames that enter the bridge through `hostInterface` with another source than `mac`. */
export async function setUpSpoofCheck(_owner: Owner, _hostInterface: string, _mac: string): Promise<void> {}

/** Removes the rules of an attachment, found by its container id and interface name. Nothing there is success. */
export async function tearDownSpoofCheck(_owner: Owner): Promise<void> {}

/** @throws CniError naming what is lost or altered (G17). */
export async function checkSpoofCheck(_owner: Owner, _hostInterface: string, _mac: string): Promise<void> {}

/**
 * Removes checks of bridge ports that no longer exist. Chain names carry no network, so "its host interface is gone"
 * is all that GC of one network may conclude from.
 */
export async function collectSpoofChecks(): Promise<void> {}

/**
 * The result of ADD in its current form (specification 1.1.0). result-format.ts writes it in each of the seven versions,
 * and result-parse.ts reads all of them.
 */
import type { IpAddress } from "../net/ip.ts";
import type { Prefix } from "../net/prefix.ts";

/** An interface of the attachment. Without `sandbox` it is on the host (rule A22). */
export interface Interface {
  name: string;
  /** Lower-case, ":" between the bytes. */
  mac?: string;
  /** Bytes. Written from 1.1.0 on. */
  mtu?: number;
  /** The CNI_NETNS string. */
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
}

/** An address with its prefix length, host bits kept. */
export interface IpConfig {
  address: Prefix;
  gateway?: IpAddress;
  /** Index into `interfaces`. Absent in an IPAM result (rule A25). */
  interface?: number;
}

/** A route in the container. Fields after `gw` are written from 1.1.0 on. */
export interface Route {
  dst: Prefix;
  gw?: IpAddress;
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

/** DNS settings for the container. */
export interface Dns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
}

/** What ADD created, or what an IPAM plugin wants created. The latter has no interfaces (rule A25). */
export interface Result {
  interfaces: Interface[];
  ips: IpConfig[];
  routes: Route[];
  dns: Dns;
}

export const emptyResult = (): Result => ({ interfaces: [], ips: [], routes: [], dns: {} });

/** Validates made-up files, and shows their findings as short lines. */
import type { Source } from "../../../src/operator/validate/network-file.ts";
import type { ConfigurationFinding } from "../../../src/operator/validate/report.ts";
import { validate } from "../../../src/operator/validate/validate.ts";

/** A file of a network. */
export const source = (path: string, content: unknown): Source => ({
  path,
  bytes: new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content, null, 2)),
});

/** The findings about files, judged alone. */
export const findingsOf = (...files: readonly Source[]): Promise<ConfigurationFinding[]> =>
  validate({ files, others: [], pluginPath: undefined });

/** The findings about a list of plugins, as "BH104 plugins[0].isGatway unknown key …". Notes are left out. */
export async function said(...plugins: readonly object[]): Promise<string[]> {
  const list = { cniVersion: "1.1.0", name: "net", plugins };
  return (await findingsOf(source("/x/net.conflist", list)))
    .filter(({ level }) => level !== "note")
    .map(({ code, key, message, remedy }) => `${code} ${key}: ${message}; ${remedy}`);
}

/** A bridge plugin with host-local. */
export const bridge = (keys: object = {}, ipam: object = {}) => ({
  type: "bridge",
  bridge: "br0",
  isGateway: true,
  ...keys,
  ipam: { type: "host-local", subnet: "10.1.2.0/24", ...ipam },
});

/** `bridgehead schema [TYPE]`: prints the JSON schema of a network, or of one plugin's configuration (O10). */
import { SHARED_KEYS } from "../cni/keys.ts";
import { PLUGIN_KEYS } from "../plugins/all-keys.ts";
import { networkSchema, pluginSchema } from "../schema/network-schema.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import type { Input } from "./input.ts";

/** Without a type the schema is that of a whole file. @throws CommandError for a plugin that is not ours */
export async function run({ arguments: [type], terminal }: Input): Promise<ExitCode> {
  const source = { plugins: PLUGIN_KEYS, shared: SHARED_KEYS };
  const schema = type === undefined ? networkSchema(source) : pluginSchema(type, source);
  if (schema === undefined) {
    const { nearest } = await import("./validate/nearest.ts");
    const names = PLUGIN_KEYS.map(({ name }) => name);
    const near = nearest(type ?? "", names);
    const meant = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
    throw new CommandError(
      exitCode.wrongUse,
      `no plugin is called ${JSON.stringify(type)}; there are ${names.join(", ")}${meant}`,
    );
  }
  terminal.stdout(`${JSON.stringify(schema, null, 2)}\n`);
  return exitCode.fine;
}

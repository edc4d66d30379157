/** Runs host-local as its executable would, for tests that need real processes before or without a build. */
import { runPlugin } from "../../src/cni/protocol.ts";
import { hostLocal } from "../../src/plugins/host-local/index.ts";
import { readToEnd } from "../../src/sys/file.ts";
import { isOwnNetns } from "../../src/sys/netns.ts";

process.exitCode = await runPlugin(hostLocal, {
  environment: process.env,
  readStdin: () => readToEnd(0),
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  isOwnNetns,
  delegation: {
    isExecutable: () => false,
    builtIn: async () => undefined,
    run: () => ({ exitCode: 1, stdout: new Uint8Array(), stderr: new Uint8Array() }),
  },
  version: "test",
});

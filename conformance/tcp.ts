/** A server in a container that tells who asks, and those who ask. */
import { join } from "node:path";
import { outcomeOf } from "../test/support/command.ts";
import type { NamedNamespace } from "../test/support/scratch-host.ts";

const PROGRAM = join(import.meta.dir, "tcp-program.ts");

/** Runs `body` while a server listens in the namespace, on all addresses of both families. */
export async function withTcpServer(
  where: NamedNamespace,
  port: number,
  body: () => Promise<void>,
): Promise<void> {
  await using _server = await startTcpServer(where, port);
  await body();
}

/** A server that listens when this returns. Before the asker's address it tells its name, if it has one. */
export async function startTcpServer(
  where: NamedNamespace,
  port: number,
  name = "",
): Promise<AsyncDisposable> {
  const server = Bun.spawn(where.inside([process.execPath, PROGRAM, "serve", String(port), name]), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  // Its first line says that it listens.
  for await (const _ of server.stdout) break;
  return {
    [Symbol.asyncDispose]: async () => {
      server.kill();
      await server.exited;
    },
  };
}

/** The answer of the server at `host`, or what went wrong. Without `from` the host itself asks. */
export async function ask(from: NamedNamespace | undefined, host: string, port: number): Promise<string> {
  const command = [process.execPath, PROGRAM, "ask", String(port), host];
  const { stdout, stderr } = await outcomeOf(from === undefined ? command : from.inside(command));
  return stdout.trim() || stderr.trim() || "no answer";
}

/** A server in a container that tells who asks, and those who ask. */
import { join } from "node:path";
import { outcomeOf } from "../../test/support/command.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";

const PROGRAM = join(import.meta.dir, "tcp-program.ts");

/** Runs `body` while a server listens in the namespace, on all addresses of both families. */
export async function withTcpServer(
  where: NamedNamespace,
  port: number,
  body: () => Promise<void>,
): Promise<void> {
  const server = Bun.spawn(where.inside([process.execPath, PROGRAM, "serve", String(port)]), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    // Its first line says that it listens.
    for await (const _ of server.stdout) break;
    await body();
  } finally {
    server.kill();
    await server.exited;
  }
}

/** The answer of the server at `host`, or what went wrong. */
export async function ask(from: NamedNamespace, host: string, port: number): Promise<string> {
  const command = from.inside([process.execPath, PROGRAM, "ask", String(port), host]);
  const { stdout, stderr } = await outcomeOf(command);
  return stdout.trim() || stderr.trim() || "no answer";
}

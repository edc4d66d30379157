/** Servers in containers, and who they see when a client comes by a published port. */
import { outputOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";

const PROGRAM = `${import.meta.dir}/tcp.ts`;

type Place = NamedNamespace | undefined;

const at = (place: Place, command: readonly string[]): string[] =>
  place === undefined ? [...command] : place.inside([...command]);

/** A server that answers with the client's address. */
export class Server implements AsyncDisposable {
  private readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">;

  private constructor(child: Bun.Subprocess<"ignore", "pipe", "inherit">) {
    this.child = child;
  }

  static async start(place: Place, port: number, address = ""): Promise<Server> {
    const child = Bun.spawn(at(place, [process.execPath, PROGRAM, "listen", String(port), address]), {
      stdio: ["ignore", "pipe", "inherit"],
      env: process.env,
    });
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (!new TextDecoder().decode(value).includes("ready")) throw new Error(`no server on port ${port}`);
    return new Server(child);
  }

  get pid(): number {
    return this.child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }
}

const ask = async (from: Place, address: string, port: number): Promise<string> =>
  (await outputOf(at(from, [process.execPath, PROGRAM, "ask", address, String(port)]))).trim();

/** The client's address as the server at the other end sees it, as soon as there is an answer. */
export const seen = (from: Place, address: string, port: number): Promise<string> =>
  eventually(`an answer of ${address} port ${port}`, async () => {
    const answer = await ask(from, address, port);
    return answer === "none" ? undefined : answer;
  });

/** Whether no server answers. */
export const isClosed = async (from: Place, address: string, port: number): Promise<boolean> =>
  (await ask(from, address, port)) === "none";

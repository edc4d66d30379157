/** Calls of the plugins that are measured, in this process's network. */

/** How a call ended, and its memory in KiB. */
export interface Measured {
  readonly exitCode: number;
  /** The most that was resident, pages of the program's file included. */
  readonly resident: number;
  /** What was resident at the end and is no page of a file. */
  readonly own: number;
  readonly space: number;
}

export const CONTAINER = { id: "c1", netns: "/run/netns/c1" } as const;

export class Plugins {
  readonly binaries: string;
  private readonly peaks: string;

  constructor(binaries: string, peaks: string) {
    this.binaries = binaries;
    this.peaks = peaks;
  }

  /** Calls a plugin with this on standard input; `wrap` goes in front, such as a program that sets limits. */
  call(
    plugin: string,
    command: string,
    stdin: string | Blob,
    wrap: readonly string[] = [],
  ): Measured & { stdout: string } {
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      [...wrap, ...(wrap.length === 0 ? [this.peaks] : []), `${this.binaries}/${plugin}`],
      {
        stdin: typeof stdin === "string" ? Buffer.from(stdin) : stdin,
        stderr: "pipe",
        env: this.environment(command),
      },
    );
    const [, resident = 0, own = 0, space = 0] = (
      /peaks (\d+) (\d+) (\d+)/.exec(stderr.toString()) ?? []
    ).map(Number);
    return { exitCode: exitCode ?? -1, resident, own, space, stdout: stdout.toString() };
  }

  private environment(command: string): Record<string, string> {
    return {
      CNI_COMMAND: command,
      CNI_CONTAINERID: CONTAINER.id,
      CNI_NETNS: CONTAINER.netns,
      CNI_IFNAME: "eth0",
      CNI_PATH: this.binaries,
      PATH: process.env.PATH ?? "",
    };
  }
}

/** Runs a command that must succeed. @throws Error with what it said */
export function sh(command: string, stdin = ""): void {
  const { exitCode, stderr } = Bun.spawnSync(["/bin/sh", "-c", command], {
    stdin: Buffer.from(stdin),
    stderr: "pipe",
  });
  if (exitCode !== 0) throw new Error(`${command}: ${stderr}`);
}

/** A control group with little memory, for programs that a test starts in a scratch host. */
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcomeOf } from "./command.ts";
import { eventually } from "./eventually.ts";

export class MemoryGroup implements AsyncDisposable {
  private readonly mount: string;
  private readonly path: string;

  private constructor(mount: string) {
    this.mount = mount;
    this.path = join(mount, `bridgehead-${process.pid}`);
  }

  /** One with so many bytes. @throws Error when this machine has none to give */
  static async of(bytes: number): Promise<MemoryGroup> {
    // Version 1 or 2 has the controller.
    for (const type of ["cgroup -o memory", "cgroup2"]) {
      const mount = mkdtempSync(join(tmpdir(), "groups-"));
      if ((await outcomeOf(`mount -n -t ${type} none ${mount}`)).exitCode !== 0) {
        rmdirSync(mount);
        continue;
      }
      const group = new MemoryGroup(mount);
      mkdirSync(group.path);
      const limit = ["memory.limit_in_bytes", "memory.max"].find((name) =>
        existsSync(`${group.path}/${name}`),
      );
      if (limit !== undefined) {
        writeFileSync(`${group.path}/${limit}`, String(bytes));
        return group;
      }
      await group[Symbol.asyncDispose]();
    }
    throw new Error("there is no control group with memory");
  }

  /** A line of /bin/sh that runs "$@" in it. */
  get line(): string {
    return `echo $$ >${this.path}/cgroup.procs; exec "$@"`;
  }

  /** Removes it once all in it have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    const remove = () => {
      try {
        rmdirSync(this.path);
        return true;
      } catch {
        return false;
      }
    };
    await eventually("the control group is empty", remove);
    await outcomeOf(["umount", this.mount]);
    rmdirSync(this.mount);
  }
}

/** A directory of leases of a test's own, and what is in it. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { networkOf } from "./host-local-call.ts";

export class LeaseDirectory implements Disposable {
  readonly dataDir: string;
  /** Of the network "net". */
  readonly path: string;
  /** Of the cache. */
  readonly state: string;

  /** `above` holds it. */
  constructor(above = tmpdir()) {
    this.dataDir = mkdtempSync(join(above, "leases-"));
    this.path = join(this.dataDir, "net");
    this.state = join(this.dataDir, ".bridgehead");
  }

  /** A configuration of the network "net" with leases here. */
  network(ipam: object, whole: object = {}): object {
    return networkOf(this.dataDir, ipam, whole);
  }

  /** Content by file name, "(directory)" and the like for what is no file; without lock and hints. */
  leases(): Record<string, string> {
    return Object.fromEntries(
      Object.entries(this.all()).filter(([name]) => !/^(lock|last_reserved_ip\.\d+)$/.test(name)),
    );
  }

  all(): Record<string, string> {
    if (!existsSync(this.path)) return {};
    const found: Record<string, string> = {};
    for (const name of readdirSync(this.path).sort()) {
      const content = this.#contentOf(name);
      if (content !== undefined) found[name] = content;
    }
    return found;
  }

  /** Writes a file as another program would. */
  write(name: string, content: string): void {
    mkdirSync(this.path, { recursive: true });
    writeFileSync(join(this.path, name), content, { mode: 0o600 });
  }

  /**
   * Writes into a file that is there, as an editor may. Kernels before Linux 6.13 stamp changes with the time of their
   * last tick: without one in between, the change could not be seen at all.
   */
  async overwrite(name: string, content: string): Promise<void> {
    await this.nextTick(name);
    writeFileSync(join(this.path, name), content);
  }

  /** Waits until a change would bear another time than the last one of this file or, with "", of the directory. */
  async nextTick(name: string): Promise<void> {
    const changed = statSync(join(this.path, name), { bigint: true }).ctimeNs;
    const clock = join(this.dataDir, "clock");
    await eventually("a tick of the file system's clock", () => {
      writeFileSync(clock, "");
      return statSync(clock, { bigint: true }).ctimeNs > changed;
    });
    rmSync(clock);
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { recursive: true, force: true });
  }

  /** Undefined for a file that another process has just removed, be it between the look at it and its reading. */
  #contentOf(name: string): string | undefined {
    const path = join(this.path, name);
    try {
      const status = lstatSync(path);
      if (status.isFile()) return readFileSync(path, "utf8");
      return status.isDirectory() ? "(directory)" : "(other)";
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

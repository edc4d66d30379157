/** A folder with programs of a test's own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export class ProgramFolder implements Disposable {
  /** Not below /run or /var/lib, which belong to the host's state. */
  readonly path = mkdtempSync(join(tmpdir(), "programs-"));

  /** Adds a program with this content; its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o755 });
    return path;
  }

  /** Adds a script of /bin/sh. */
  script(name: string, text: string): string {
    return this.file(name, `#!/bin/sh\n${text}\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

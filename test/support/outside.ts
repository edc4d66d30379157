/** A place outside of the directories of a test that a plugin must not touch, with a file that it must not show. */
import { expect } from "bun:test";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Outside implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "outside-"));
  readonly precious = join(this.path, "precious");
  /** The content of that file. It could be the name of a container. */
  readonly secret = `secret-${crypto.randomUUID()}`;

  constructor() {
    writeFileSync(this.precious, this.secret, { mode: 0o644 });
  }

  /** What can be seen of the file but for its names. */
  state(): object {
    const { mode, uid, size, mtimeMs } = lstatSync(this.precious);
    return {
      names: readdirSync(this.path),
      text: readFileSync(this.precious, "utf8"),
      mode,
      uid,
      size,
      mtimeMs,
    };
  }

  expectNotIn(text: string): void {
    expect(text).not.toContain(this.secret);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

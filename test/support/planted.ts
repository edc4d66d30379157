/** What somebody could put in the place of a file: kinds of files, and files of others under a further name. */
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { outputOf } from "./command.ts";
import type { Outside } from "./outside.ts";

/** Takes away what keeps a planted file busy. */
type Undo = () => void;

export interface Kind {
  readonly name: string;
  /** A regular file with one name, of this user or root. */
  readonly isOwn: boolean;
  readonly needsRoot: boolean;
  plant(path: string, outside: Outside): Promise<Undo | undefined>;
}

const OTHER_USER = 65534;

const kind = (
  name: string,
  plant: (path: string, outside: Outside) => unknown,
  { isOwn = false, needsRoot = false } = {},
): Kind => ({
  name,
  isOwn,
  needsRoot,
  plant: async (path, outside) => (await plant(path, outside)) as Undo | undefined,
});

/** A program that keeps a file busy; returns when it has begun. */
async function busy(line: string, path: string): Promise<Undo> {
  const child = Bun.spawn(["/bin/sh", "-c", line, "sh", path], { stdout: "pipe", stderr: "ignore" });
  for await (const chunk of child.stdout) if (new TextDecoder().decode(chunk).includes("ready")) break;
  return () => child.kill("SIGKILL");
}

const device = (numbers: string) => (path: string) =>
  outputOf(`mknod -m 666 ${path} ${numbers}`).then(() => {});

export const KINDS: readonly Kind[] = [
  kind("a link to a file", (path, { precious }) => symlinkSync(precious, path)),
  kind("a link to a folder", (path, outside) => symlinkSync(outside.path, path)),
  kind("a link to nothing", (path, outside) => symlinkSync(`${outside.path}/missing`, path)),
  kind("a link to itself", (path) => symlinkSync(path, path)),
  kind("a fifo", (path) => outputOf(["mkfifo", path]).then(() => {})),
  kind("a fifo with text, open at both ends", async (path, { secret }) => {
    await outputOf(["mkfifo", path]);
    return busy(`exec 3<>"$1"; echo ${secret} >&3; echo ready; exec sleep 600`, path);
  }),
  kind("a directory", (path) => mkdirSync(path)),
  kind(
    "a socket",
    (path) =>
      new Promise<Undo>((done) => {
        const server = createServer().listen(path, () => done(() => server.close()));
      }),
  ),
  kind("/dev/zero", device("c 1 5"), { needsRoot: true }),
  kind("/dev/full", device("c 1 7"), { needsRoot: true }),
  kind("a terminal", device("c 5 0"), { needsRoot: true }),
  kind("a disk", device("b 7 200"), { needsRoot: true }),
  kind("another name of a file that all may read", (path, { precious }) => linkSync(precious, path)),
  kind("another name of a private file", (path, { precious }) => {
    chmodSync(precious, 0o600);
    linkSync(precious, path);
  }),
  kind(
    "a file of another user",
    (path, { secret }) => {
      writeFileSync(path, secret);
      chownSync(path, OTHER_USER, OTHER_USER);
    },
    { needsRoot: true },
  ),
  kind(
    "a file of a terabyte, all holes",
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    },
    { isOwn: true },
  ),
  kind(
    "a file that grows",
    (path) => busy('echo 10.1.0.7 >>"$1"; echo ready; while echo 10.1.0.7; do :; done >>"$1"', path),
    { isOwn: true },
  ),
];

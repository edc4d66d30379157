/** Holds the lock on a file until standard input ends: `bun test/support/hold-lock.ts PATH`. Says "held" first. */
import { lockFile } from "../../src/sys/flock.ts";
import { STATE_LIMIT } from "./limits.ts";

const [path = ""] = process.argv.slice(2);
using _ = lockFile(path, STATE_LIMIT);
console.log("held");
for await (const _ of Bun.stdin.stream());

/**
 * Runs a program and says on standard error how many bytes of memory it had at most: `bun test/support/peak-memory.ts
 * PROGRAM`. A process of its own, since Linux counts to a program the memory of the process that started it.
 */
const child = Bun.spawnSync(process.argv.slice(2), { stdin: "inherit", stdout: "inherit", stderr: "ignore" });
console.error(child.resourceUsage?.maxRSS);
process.exit(child.exitCode);

/**
 * Becomes another program that may have no memory which is writable and executable, and make none executable
 * (PR_SET_MDWE, as MemoryDenyWriteExecute= of systemd): `bun test/support/no-new-code.ts COMMAND...`.
 */
import { prctl, program } from "./become.ts";

const PR_SET_MDWE = 65;
const PR_MDWE_REFUSE_EXEC_GAIN = 1;

const run = program(process.argv.slice(2));
if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN) !== 0) throw new Error("this kernel has no PR_SET_MDWE");
run();

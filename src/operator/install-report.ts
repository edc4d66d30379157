/** Installs this program, and says what became of each name. */
import type { Program } from "./input.ts";
import { install } from "./install.ts";

/** Returns the exit code. */
export function runInstall(folder: string, { version, plugins, stdout, stderr }: Program): 0 | 1 {
  const into = folder.replace(/(.)\/+$/, "$1");
  try {
    for (const { name, replaced, copied } of install(into, [...plugins, "bridgehead"], version)) {
      const how = `${replaced ? "replaced" : "new"}${copied ? ", a copy: there are no hard links here" : ""}`;
      stdout(`${into}/${name}  ${how}\n`);
    }
    return 0;
  } catch (error) {
    stderr(`bridgehead: ${(error as Error).message}\n`);
    return 1;
  }
}

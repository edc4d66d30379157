/** TypeScript sources as the architecture test sees them: imports, exported names and their comments. */
import { posix } from "node:path";

export interface Import {
  /** Path from the project's folder for "./x.ts", else the specifier as it is written. */
  readonly target: string;
  /** Erased by the compiler: `import type`, or a type in `import("x").T`. */
  readonly typeOnly: boolean;
  /** `import("x")` in an expression. */
  readonly dynamic: boolean;
}

/** The target of a dynamic import whose argument is not a plain string. */
export const COMPUTED = "(computed)";

/** One source file. */
export class Source {
  /** From the project's folder. */
  readonly path: string;
  readonly text: string;
  /** The text with everything blanked out that is not code. */
  readonly code: string;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.code = codeOf(text);
  }

  /** All imports, in the order of the file. @throws Error for a dynamic import of anything but a plain string. */
  imports(): Import[] {
    const found: Import[] = [];
    const declaration =
      /^[ \t]*(?:import|export)\s+(?:(type)\s+)?(?:[\w$*{][^;"'`()=]*?\sfrom\s*|)(["'])([^"']+)\2/gm;
    for (const [, type, , target = ""] of this.code.matchAll(declaration)) {
      found.push({ target: this.#resolve(target), typeOnly: type === "type", dynamic: false });
    }
    for (const { 1: target, index } of this.code.matchAll(
      /(?<![\w$.])import\s*\(\s*(?:["']([^"']+)["']\s*\))?/g,
    )) {
      const typeOnly =
        /[:<|&,=]\s*$/.test(this.code.slice(0, index)) && !/(await|=>)\s*$/.test(this.code.slice(0, index));
      found.push({
        target: target === undefined ? COMPUTED : this.#resolve(target),
        typeOnly,
        dynamic: true,
      });
    }
    return found;
  }

  #resolve(target: string): string {
    return target.startsWith(".") ? posix.join(posix.dirname(this.path), target) : target;
  }

  /**
   * Exported names that no doc comment is about. A comment is about the lines right below it up to the next empty
   * one, so a group of constants needs one. The comment at the head of a file is about its only export, and about
   * those that carry the file's name: Prefix of prefix.ts, encodeLink of link.ts.
   */
  undocumentedExports(): string[] {
    const lines = this.text.split("\n");
    const names: string[] = [];
    let exported = 0;
    let documented = false;
    for (const line of lines) {
      const name = EXPORTED.exec(line)?.[1];
      if (name !== undefined) exported++;
      if (name !== undefined && !documented) names.push(name);
      if (line.trimEnd().endsWith("*/")) documented = true;
      else if (line.trim() === "") documented = false;
    }
    if (!this.text.startsWith("/**")) return names;
    const subject = posix.basename(this.path, ".ts").replaceAll("-", "");
    return exported === 1 ? [] : names.filter((name) => !name.toLowerCase().includes(subject));
  }
}

const EXPORTED =
  /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) +([\w$]+)/;

/**
 * Comments, regular expressions, and strings that name no import become spaces, so that what is left is code and
 * stands where it stood. A template that holds code stays whole.
 */
function codeOf(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*.*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=[=(,:!&|?{};\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\//gs;
  return text.replace(token, (found: string, offset: number) => {
    const names = /["']/.test(found.charAt(0)) && /\b(?:from|import)\s*\(?\s*$/.test(text.slice(0, offset));
    const holdsCode = found.startsWith("`") && found.includes("${");
    return names || holdsCode ? found : found.replace(/[^\n]/g, " ");
  });
}

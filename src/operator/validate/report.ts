/** Collects the findings about configurations, each with the line and column in its file. */
import type { JsonPlaces } from "../../cni/json-places.ts";
import { placeOf } from "../../cni/text-position.ts";
import type { Level } from "../codes/row.ts";
import { type Code, levelOf } from "../finding.ts";

/** A finding about a configuration, as it is printed with --json. */
export interface ConfigurationFinding {
  readonly code: Code;
  readonly level: Level;
  readonly file: string;
  /** Both count from 1, columns in characters. */
  readonly line: number;
  readonly column: number;
  /** The network's name; absent if the file does not say it. */
  readonly network?: string;
  /** The path of the key from the document's root; empty for the file. */
  readonly key: string;
  readonly message: string;
  readonly remedy: string;
}

/** A file that is judged. */
export interface Judged {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly places: JsonPlaces;
  readonly name: string | undefined;
}

/** The findings, in the order of their discovery. */
export class Report {
  readonly findings: ConfigurationFinding[] = [];

  /** Adds a finding about the key at a path. For a missing key the place is that of the object around it. */
  add(code: Code, { path, bytes, places, name }: Judged, key: string, message: string, remedy: string): void {
    let at = key.toLowerCase();
    while (!places.at.has(at)) at = at.replace(/(^|\.?)(?:[^.[\]]*|\[\d+\])$/, "").replace(/\.$/, "");
    const { line, column } = placeOf(bytes, places.at.get(at)?.key ?? 0);
    this.addAt(
      code,
      { file: path, line, column, ...(name !== undefined && { network: name }) },
      key,
      message,
      remedy,
    );
  }

  /** Adds a finding whose place is known. */
  addAt(
    code: Code,
    place: Pick<ConfigurationFinding, "file" | "line" | "column" | "network">,
    key: string,
    message: string,
    remedy: string,
  ): void {
    this.findings.push({ code, level: levelOf(code), ...place, key, message, remedy });
  }
}

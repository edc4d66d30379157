/** What the rules say of every call, whatever the case is about: A5, A16, A17, A19, A20, and for results A21, A22, A25. */
import { type Answer, objectIn, versionIn } from "../engine/answer.ts";
import { VERSIONS } from "../engine/network.ts";
import { resultProblems } from "./result-shape.ts";

/** What of an answer breaks the protocol, in a few words each. */
export function protocolProblems(answer: Answer): string[] {
  const { exitCode, stdout, question } = answer;
  if (exitCode !== 0 && exitCode !== 1) return [`A16: exit code ${exitCode}`];
  if (exitCode === 1) return errorProblems(answer);
  switch (question.command) {
    case undefined:
    case "":
      return stdout === "" ? [] : [`A5: stdout has ${JSON.stringify(stdout)}`];
    case "VERSION":
      return versionProblems(answer);
    case "ADD":
      return addProblems(answer);
    default:
      return stdout === "" ? [] : [`A20: ${question.command} prints ${JSON.stringify(stdout)}`];
  }
}

function errorProblems({ document, stdout, question }: Answer): string[] {
  if (document === undefined) return [`A16: stdout is not one error object: ${JSON.stringify(stdout)}`];
  const { cniVersion, code, msg, details, ...rest } = document;
  const problems: string[] = [];
  if (cniVersion === undefined) problems.push("A17: the error has no cniVersion");
  else if (!VERSIONS.some((version) => version === cniVersion))
    problems.push(`A17: cniVersion of the error is ${JSON.stringify(cniVersion)}`);
  else if (code !== 4 && namesVersion(question.stdin) && cniVersion !== versionIn(question.stdin))
    problems.push(
      `A17: the error has cniVersion ${cniVersion}, the configuration ${versionIn(question.stdin)}`,
    );
  if (!Number.isInteger(code) || Number(code) < 1) problems.push(`A17: code is ${JSON.stringify(code)}`);
  if (typeof msg !== "string" || msg === "") problems.push(`A17: msg is ${JSON.stringify(msg)}`);
  if (details !== undefined && (typeof details !== "string" || details === ""))
    problems.push(`A17: details is ${JSON.stringify(details)}`);
  if (Object.keys(rest).length > 0) problems.push(`A17: the error has ${Object.keys(rest).join(", ")}`);
  return problems;
}

/** Whether stdin tells a version that the plugins know. An error about the environment comes before stdin is read. */
const namesVersion = (stdin: string): boolean =>
  objectIn(stdin) !== undefined && VERSIONS.some((known) => known === versionIn(stdin));

function versionProblems({ stdout, document }: Answer): string[] {
  const expected = { cniVersion: "1.1.0", supportedVersions: [...VERSIONS] };
  const isOne = /^[^\n]+\n?$/.test(stdout);
  return isOne && Bun.deepEquals(document, expected) ? [] : [`A19: VERSION prints ${JSON.stringify(stdout)}`];
}

function addProblems({ document, stdout, question }: Answer): string[] {
  if (document === undefined) return [`A16: stdout is not one result: ${JSON.stringify(stdout)}`];
  const hasPrevious = objectIn(question.stdin)?.prevResult !== undefined;
  return resultProblems(document, { ...question, version: versionIn(question.stdin), hasPrevious });
}

/** Tables of tests as text: a row a line, with " => " between its cells, each row as long as it must be. */

/** The rows of a text. Lines that begin with "#" are none. @throws Error for a row of another length than the first */
export function rows<Row extends readonly string[] = [string, string, string]>(text: string): Row[] {
  const table = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(" => "));
  for (const row of table)
    if (row.length !== table[0]?.length) throw new Error(`a row of another length: ${row.join(" => ")}`);
  return table as unknown as Row[];
}

/** What a cell expects of a text: to match "/…/", or to be this. */
export const expected = (cell: string): RegExp | string =>
  /^\/.*\/$/.test(cell) ? new RegExp(cell.slice(1, -1)) : cell;

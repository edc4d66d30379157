/** The numbers of both processors beside the kernel's own headers: only one of them runs in the other tests. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { systemCalls } from "../support/calls-of-source.ts";
import { testUnless } from "../support/skip.ts";

const HEADERS = {
  x64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
  arm64: "/usr/include/asm-generic/unistd.h",
} as const;

const rows = systemCalls();

function numbersIn(header: string): Map<string, number> {
  const defines = readFileSync(header, "utf8").matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm);
  return new Map([...defines].map(([, name = "", number]) => [name, Number(number)]));
}

test("all calls are found", () => {
  const names = new Set(rows.map(({ name }) => name));
  expect(names.size).toBeGreaterThan(35);
  expect(names).toContain("openat");
});

for (const machine of ["x64", "arm64"] as const) {
  const header = HEADERS[machine];
  const cause = existsSync(header) ? undefined : `no ${header}`;
  testUnless(cause)(`as in the kernel's header for ${machine}`, () => {
    const numbers = numbersIn(header);
    const named = (row: (typeof rows)[number]) => ({ name: row.name, number: row[machine] });
    expect(rows.map(named)).toEqual(rows.map(({ name }) => ({ name, number: numbers.get(name) ?? -1 })));
  });
}

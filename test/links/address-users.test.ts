/** Users of addresses (K6), and the cost of finding them when a container has many addresses (K9). */
import { expect, test } from "bun:test";
import { outcomeOf } from "../support/command.ts";
import { CrowdedKernel, held, usersBehind } from "./crowded-kernel.ts";

const FOUND = 'interface "eth0" behind host veth "veth1"';

test("K6: finds the user of an address that a container has, and none of one that no container has", () => {
  const users = usersBehind(new CrowdedKernel(3));
  expect(users.find(held("2001:db8::3"))?.name).toBe(FOUND);
  expect(users.find(held("2001:db8::4"))).toBeUndefined();
});

/** Dumps of addresses: one of the host and one of the namespace. */
const ONE_LOOK = 2;

test("K9: one dump serves all addresses that are looked up together, and only those", () => {
  const kernel = new CrowdedKernel(3);
  const users = usersBehind(kernel);
  const asked = ["2001:db8::1", "fd00::1", "2001:db8::3"].map(held);
  expect(asked.map((one) => users.find(one, () => asked)?.name)).toEqual([FOUND, undefined, FOUND]);
  expect(kernel.looks).toBe(ONE_LOOK);
  expect(users.find(held("2001:db8::2"))?.name).toBe(FOUND);
  expect(kernel.looks).toBe(2 * ONE_LOOK);
});

/** The first eight addresses of the namespace. */
const EIGHT = Array.from({ length: 8 }, (_, index) => `2001:db8::${index + 1}/128`).join(", ");

/** MiB that the engine may use before it collects garbage, whatever the number of addresses. */
const MORE = 40;

test.each([
  ["the users of an address", "users", () => `${FOUND}, none`],
  [
    "CHECK",
    "check",
    (count: number) =>
      `Failed to match addr fd00::1/128 on interface eth0: it has ${count === 1 ? "2001:db8::1/128" : `${EIGHT} and ${count - 8} more`}`,
  ],
])("K9: 400,000 addresses cost no more memory than a single one: %s", async (_, search, words) => {
  const measure = async (count: number) => {
    const program = [process.execPath, `${import.meta.dir}/crowded-kernel.ts`, search, `${count}`];
    const peak = [process.execPath, `${import.meta.dir}/../support/peak-memory.ts`, ...program];
    const { exitCode, stdout, stderr } = await outcomeOf(peak);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${words(count)}\n` });
    return Number(stderr) / 2 ** 20;
  };
  const before = await measure(1);
  expect(before).toBeGreaterThan(0);
  expect(await measure(400_000)).toBeLessThan(before + MORE);
});

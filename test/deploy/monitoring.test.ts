/** R5: the alerts, the dashboard and their page use only metrics and labels that `leases --metrics` prints. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../operator/recording.ts";
import { PROJECT } from "../support/test-files.ts";

const read = (name: string): string => readFileSync(join(PROJECT, "deploy/monitoring", name), "utf8");

/** Labels that Prometheus adds. */
const ADDED = ["instance"];

/** Words of PromQL that are used here and are neither metrics nor labels; https://prometheus.io/docs/prometheus/latest/querying/ */
const WORDS = ["sum", "by", "bottomk", "topk", "label_values"];

interface Printed {
  readonly metrics: ReadonlySet<string>;
  readonly labels: ReadonlySet<string>;
}

/** What is wrong with an expression. */
function complaints(expression: string, { metrics, labels }: Printed): string[] {
  const values = expression.replaceAll(/"[^"]*"/g, '""');
  const matched = [...values.matchAll(/(\w+)=~?""/g), ...values.matchAll(/\$labels\.(\w+)/g)];
  const grouped = [...values.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(", "));
  const asked = [...matched.map(([, label = ""]) => label), ...grouped];
  const names = values.replaceAll(/\{[^}]*\}|\bby \([^)]*\)/g, "").match(/\b[a-z]\w*/g) ?? [];
  return [
    ...names.filter((name) => !metrics.has(name) && !WORDS.includes(name)).map((name) => `no metric ${name}`),
    ...asked.filter((label) => !labels.has(label)).map((label) => `no label ${label}`),
  ];
}

/** All metrics and labels that the command prints, for a network with a lease. */
async function printed(): Promise<Printed> {
  const folder = mkdtempSync(join(tmpdir(), "bridgehead-monitoring-"));
  try {
    const [config, leases] = [join(folder, "net.d"), join(folder, "networks")];
    const ipam = { type: "host-local", dataDir: leases, subnet: "10.66.0.0/29" };
    for (const path of [config, join(leases, "n")]) mkdirSync(path, { recursive: true });
    writeFileSync(join(config, "n.conf"), JSON.stringify({ name: "n", type: "bridge", ipam }));
    writeFileSync(join(leases, "n/10.66.0.2"), "c1\r\neth0");
    const options = ["--config-dir", config, "--data-dir", leases, "--cache-dir", folder];
    const { stdout } = await command(["leases", "--metrics", ...options]);
    const samples = [...stdout.matchAll(/^(\w+)\{(.*)\} \d+$/gm)];
    return {
      metrics: new Set(samples.map(([, name = ""]) => name)),
      labels: new Set([
        ...samples.flatMap(([, , labels = ""]) =>
          [...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label),
        ),
        ...ADDED,
      ]),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly { expr: string; annotations: Record<string, string> }[];
  }[];
}
interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly targets: readonly { expr: string; legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { name: string; type: string; query: string }[] };
}

test("R5: each expression names only metrics and labels that are printed, and all metrics are used", async () => {
  const known = await printed();
  const rules = (Bun.YAML.parse(read("alerts.yaml")) as Alerts).groups.flatMap((group) => group.rules);
  const { panels, templating } = JSON.parse(read("dashboard.json")) as Dashboard;
  const targets = panels.flatMap((panel) => panel.targets);
  const variables = templating.list.filter(({ type }) => type === "query");
  const expressions = [
    ...rules.map(({ expr }) => expr),
    ...targets.map(({ expr }) => expr),
    ...variables.map(({ query }) => query.replace(/, \w+\)$/, ")")),
  ];
  expect(expressions.length).toBe(rules.length + panels.length + 2);
  expect(expressions.flatMap((each) => complaints(each, known))).toEqual([]);
  for (const metric of known.metrics) {
    expect(expressions.join("\n")).toContain(metric);
    expect(read("README.md")).toContain(`| \`${metric}\` |`);
  }
  const legends = targets.map(({ legendFormat }) => legendFormat).join(" ");
  const texts = rules.flatMap(({ annotations }) => Object.values(annotations)).join(" ");
  for (const [, label = ""] of [...legends.matchAll(/\{\{(\w+)\}\}/g), ...texts.matchAll(/\$labels\.(\w+)/g)])
    expect([...known.labels]).toContain(label);
  for (const [, variable = ""] of expressions.join(" ").matchAll(/\$(\w+)/g))
    expect(templating.list.map(({ name }) => name)).toContain(variable);
});

test("R5: a metric and a label that do not exist are found", () => {
  const known = { metrics: new Set(["m"]), labels: new Set(["a"]) };
  expect(complaints('sum by (a) (m{a="x"}) / m > 0.1', known)).toEqual([]);
  expect(complaints('topk(3, sum by (a, b) (n{c=~"$a"}))', known)).toEqual([
    "no metric n",
    "no label c",
    "no label b",
  ]);
});

/**
 * The plan of the house: which room may import which, and the habits that a reader relies on. Each rule is a function
 * from sources to complaints; the tests run it over the project, and over a made-up source that breaks it.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Source } from "./support/source.ts";
import { PROJECT } from "./support/test-files.ts";

/** What a plugin may import. It never imports another one: the IPAM plugin is delegated to. */
const PLUGIN = ["links", "leases", "netfilter", "cni", "schema", "netlink", "net", "sys"].map(
  (room) => `src/${room}`,
);
const PLUGIN_FOLDERS = readdirSync(join(PROJECT, "src/plugins"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => `src/plugins/${name}`);

/**
 * Room by room what it may import, next to itself: a folder with all below it, with "/*" only the files right in it.
 * A file is in the room with the longest name that its path begins with. Arrows point downwards only.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/main.ts": [
    "src/operator.ts",
    "src/host.ts",
    "src/trace/trace.ts",
    "src/plugins/registry.ts",
    "src/cni",
    "src/sys",
    "#engine",
  ],
  "src/host.ts": ["src/plugins/registry.ts", "src/cni", "src/sys", "#engine"],
  "src/operator.ts": [
    "src/operator/input.ts",
    "src/operator/until-closed.ts",
    "src/operator/version-text.ts",
    "#operator",
  ],
  "src/operator": [...PLUGIN, "src/plugins", "#engine", "commander", "damerau-levenshtein"],
  ...Object.fromEntries(PLUGIN_FOLDERS.map((folder) => [folder, PLUGIN])),
  "src/plugins/registry.ts": ["src/plugins", "src/cni"],
  "src/plugins/all-keys.ts": ["src/plugins", "src/schema"],
  "src/links": ["src/cni", "src/netlink", "src/net", "src/sys", "#engine"],
  "src/leases": ["src/cni", "src/net", "src/sys", "#engine"],
  "src/netfilter": ["src/cni", "src/netlink", "src/net", "src/sys", "#engine"],
  "src/trace": ["src/host.ts", "src/netlink", "src/net", "src/sys", "#engine"],
  // The protocol knows no Linux.
  "src/cni": ["src/schema", "src/net", "#engine"],
  "src/schema": ["src/net"],
  "src/netlink/rtnetlink": ["src/netlink/*", "src/net", "src/sys/errno.ts"],
  "src/netlink/conntrack": ["src/netlink/*", "src/net"],
  "src/netlink/sock-diag": ["src/netlink/*", "src/net"],
  "src/netlink/nftables": ["src/netlink/*", "src/net", "src/sys/deadline.ts", "src/sys/errno.ts"],
  // The one file of netlink that does I/O; everything else runs without Linux and root.
  "src/netlink/socket.ts": ["src/netlink/*", "src/sys", "#engine"],
  "src/netlink": ["src/netlink/socket.ts", "src/net", "src/sys/deadline.ts", "src/sys/errno.ts"],
  "src/net": [],
  "src/sys/errno.ts": [],
  "src/sys": ["src/sys/errno.ts", "#engine"],
  "src/engine": ["bun:ffi"],
  // A black box test knows the built programs only; so does the demo.
  test: ["src", "build", "test", "conformance", "bench", "package.json", "*"],
  // The image of the file under test is made as the build makes it.
  conformance: ["test/support", "build/image.ts", "*"],
  bench: [
    ...["test/support", "conformance/reference.ts", "conformance/debian.ts", "build/toolchain.ts"],
    "*",
  ],
  demo: ["test/support", "build", "*"],
  build: ["package.json", "src/plugins", "src/operator", "src/cni/keys.ts", "src/schema", "*"],
  "build.ts": ["build", "*"],
};

type Rule = (sources: readonly Source[]) => string[];

const rooms = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const isIn = (path: string, room: string) => path === room || path.startsWith(`${room}/`);
const roomOf = (path: string) => rooms.find((room) => isIn(path, room));
const isOwnFile = (target: string) => target.endsWith(".ts") || target.endsWith(".json");

/** "*" in the table stands for modules that are no files of the project. */
function mayImport(room: string, target: string): boolean {
  if (isOwnFile(target) && roomOf(target) === room) return true;
  return (MAY_IMPORT[room] ?? []).some((entry) => {
    if (entry === "*") return !isOwnFile(target);
    return entry.endsWith("/*") ? dirname(target) === entry.slice(0, -2) : isIn(target, entry);
  });
}

const onlyAllowedArrows: Rule = (sources) =>
  sources.flatMap((source) => {
    const room = roomOf(source.path);
    if (room === undefined) return [`${source.path}: in no room of the table`];
    return source
      .imports()
      .flatMap(({ target }) => (mayImport(room, target) ? [] : [`${source.path} imports ${target}`]));
  });

/** In src `import type` counts as well: a reader of one file of a circle has to read all of them. */
const noCycles: Rule = (sources) => {
  const arrows = new Map(
    sources.map((source) => [
      source.path,
      source.imports().flatMap((found) => (found.typeOnly && !isIn(source.path, "src") ? [] : found.target)),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, way: readonly string[]) => {
    if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(" -> "));
    if (done.has(path)) return;
    done.add(path);
    for (const target of arrows.get(path) ?? []) walk(target, [...way, path]);
  };
  for (const path of arrows.keys()) walk(path, []);
  return cycles;
};

const inSource = (sources: readonly Source[]) => sources.filter((source) => isIn(source.path, "src"));

const noNodeModules: Rule = (sources) =>
  inSource(sources).flatMap((source) =>
    source
      .imports()
      .flatMap(({ target }) => (target.startsWith("node:") ? [`${source.path} imports ${target}`] : [])),
  );

/** Names that an engine gives beside the language: objects, and functions. */
const ENGINE =
  /(?<![\w$.])(?:(?:Bun|process|performance|Atomics|WebAssembly|crypto|console|globalThis|Buffer)(?=\s*[.;]| as )|(?:SharedArrayBuffer|structuredClone|queueMicrotask|set(?:Timeout|Interval|Immediate)|fetch|require)(?=\())/;

const engineOnlyInItsRoom: Rule = (sources) =>
  inSource(sources)
    .filter((source) => !isIn(source.path, "src/engine"))
    .flatMap((source) => {
      const [name] = ENGINE.exec(source.code) ?? [];
      return name === undefined ? [] : [`${source.path} names the engine's ${name}`];
    });

/**
 * What the engine of the compact file lacks, or has in another way: no Intl, so that texts of a locale differ, and the same
 * random numbers in each process. What an engine has beside the language `npx tsc -p compact` refuses.
 */
const NOT_IN_BOTH =
  /(?<![\w$.])(?:Date|Intl|Proxy|WeakRef|FinalizationRegistry|ShadowRealm|Temporal)\b(?!\s*:)|(?<![\w$.])(?:eval|Function)(?=\()|(?<=\.)(?:localeCompare|toLocale\w+)\b|\bMath\.random\b/;

/** Files of the operator that the compact file has too; the others run in the Bun file only. */
const OPERATOR_OF_BOTH = [
  "few-commands.ts",
  "input.ts",
  "install.ts",
  "install-report.ts",
  "until-closed.ts",
  "version-text.ts",
];

const isOfBoth = ({ path }: Source) =>
  !isIn(path, "src/operator") || OPERATOR_OF_BOTH.some((name) => path === `src/operator/${name}`);

const languageOfBothEngines: Rule = (sources) =>
  inSource(sources)
    .filter(isOfBoth)
    .flatMap((source) => {
      const [name] = NOT_IN_BOTH.exec(source.code) ?? [];
      return name === undefined ? [] : [`${source.path} uses ${name}, which not every engine has`];
    });

/** The engine of the compact file passes at most 65,535 arguments: a list of routes can be longer. */
const listsAreNoArguments: Rule = (sources) =>
  inSource(sources)
    .filter(({ code }) => /\.(?:push|unshift)\(\s*\.\.\.|\bMath\.(?:max|min)\(\s*\.\.\./.test(code))
    .map(({ path }) => `${path} passes a list as arguments: add its elements in a loop`);

const childrenOnlyByChild: Rule = (sources) =>
  inSource(sources)
    .filter(({ path }) => path !== "src/sys/child.ts" && !isIn(path, "src/engine"))
    .filter(({ code }) => /\bspawn(Sync)?\b/.test(code))
    .map((source) => `${source.path} starts a child without src/sys/child.ts`);

/** As the formatter writes it: a number behind the body of a test. The limits of all tests are in limits.ts. */
const noLimitOfItsOwn: Rule = (sources) =>
  sources
    .filter(({ path }) => path.endsWith(".test.ts"))
    .filter(({ code }) => /^\s*\}, \d[\d_]{3,}\);$|^ +\d[\d_]*_000,\n *\)/m.test(code))
    .map(({ path }) => `${path}: a test with a limit of its own`);

/** What Bun starts without `env` gets the variables of the start, and so another PATH than provideTools has set. */
const scratchHostsGetVariables: Rule = (sources) =>
  sources
    .filter(({ code }) => /\bisolated\(/.test(code) && /\bBun\s*\.\s*spawn\(/.test(code))
    .filter(({ code }) => !/\benv: (\{ \.\.\.)?process\.env\b/.test(code))
    .map(({ path }) => `${path} starts a scratch host without \`env: process.env\``);

/** Such a text begins with the name of a class, or is the engine's. The two files make words of whatever was thrown. */
const noErrorsAsText: Rule = (sources) =>
  inSource(sources)
    .filter(({ path }) => path !== "src/cni/error.ts" && path !== "src/sys/errno.ts")
    .flatMap(({ path, text }) =>
      [
        ...text.matchAll(
          /String\(\s*(error|failure|thrown|cause|reason|problem|e)\s*\)|\$\{\s*(error|failure|thrown|e)\s*\}|\?\s*(error|failure|thrown|cause)\.message\s*:/g,
        ),
      ].map(([found]) => `${path}: ${found}`),
    );

/** The engine looks up the name of each `#member` when a function is first called; TypeScript's own cost nothing. */
const privateByTypeScript: Rule = (sources) =>
  inSource(sources).flatMap(({ path, code }) =>
    [...code.matchAll(/(?<![\w"'`])#[a-z]\w*/gi)].map(([name]) => `${path}: ${name}, not private`),
  );

const NOTHING_NAMES = /(^|[/-])(utils?|helpers?|common|types?|misc|shared)(\.test)?(\.ts)?(?=\/|$)/;

const namesThatSaySomething: Rule = (sources) =>
  sources.flatMap(({ path }) => (NOTHING_NAMES.test(path) ? [`${path}: the name says nothing`] : []));

const LONGEST = 250;

const shortFiles: Rule = (sources) =>
  inSource(sources).flatMap(({ path, text }) => {
    const lines = text.trimEnd().split("\n").length;
    const explained = /^\/\/ Long because: \S/m.test(text);
    return lines <= LONGEST || explained ? [] : [`${path}: ${lines} lines, and no line "// Long because: …"`];
  });

/** Named after system calls and constants of the kernel's headers, whose manual pages say what they are. */
const isKernelName = (path: string, name: string) =>
  ["src/sys/file.ts", "src/sys/socket.ts"].includes(path) ||
  (isIn(path, "src/netlink") && /^[A-Z][A-Z0-9_]+$/.test(name));

const documentedExports: Rule = (sources) =>
  inSource(sources).flatMap((source) =>
    source
      .undocumentedExports()
      .filter((name) => !isKernelName(source.path, name))
      .map((name) => `${source.path}: ${name} has no doc comment`),
  );

const project = [
  ...new Bun.Glob("{src,test,conformance,bench,demo,build}/**/*.ts").scanSync(PROJECT),
  "build.ts",
]
  .sort()
  .map(async (path) => new Source(path, await Bun.file(`${PROJECT}/${path}`).text()));
const sources = await Promise.all(project);

const long = (last: string) => `${"// line\n".repeat(LONGEST)}${last}\n`;

/** Each rule with sources that break it, and what it has to say about them. */
const RULES: readonly {
  name: string;
  rule: Rule;
  broken: readonly [string, string][];
  complaints: readonly string[];
}[] = [
  {
    name: "imports point downwards only",
    rule: onlyAllowedArrows,
    broken: [
      ["src/plugins/bridge/add.ts", 'import { store } from "../host-local/store.ts";'],
      ["src/cni/config.ts", 'import type { Fd } from "../sys/file.ts";'],
      ["src/net/ip.ts", 'export { x } from "../cni/error.ts";'],
      ["src/netlink/message.ts", 'const late = await import("./rtnetlink/link.ts");'],
      ["src/netlink/rtnetlink/link.ts", 'import {\n  socket,\n} from "../../sys/socket.ts";'],
      ["src/netlink/bytes.ts", 'type T = import("../sys/netns.ts").Netns;'],
      ["src/plugins/bridge/del.ts", 'import "execa";'],
      ["src/plugins/bridge/gc.ts", "await import(name);"],
      ["src/sys/file.ts", 'import { dlopen } from "bun:ffi";'],
      ["src/sys/flock.ts", 'import { x } from "../../test/support/eventually.ts";'],
      ["demo/demo.ts", 'import { x } from "../src/main.ts";'],
      ["conformance/bridge.ts", 'import { x } from "../src/cni/error.ts";'],
      ["elsewhere/x.ts", ""],
    ],
    complaints: [
      "src/plugins/bridge/add.ts imports src/plugins/host-local/store.ts",
      "src/cni/config.ts imports src/sys/file.ts",
      "src/net/ip.ts imports src/cni/error.ts",
      "src/netlink/message.ts imports src/netlink/rtnetlink/link.ts",
      "src/netlink/rtnetlink/link.ts imports src/sys/socket.ts",
      "src/netlink/bytes.ts imports src/sys/netns.ts",
      "src/plugins/bridge/del.ts imports execa",
      "src/plugins/bridge/gc.ts imports (computed)",
      "src/sys/file.ts imports bun:ffi",
      "src/sys/flock.ts imports test/support/eventually.ts",
      "demo/demo.ts imports src/main.ts",
      "conformance/bridge.ts imports src/cni/error.ts",
      "elsewhere/x.ts: in no room of the table",
    ],
  },
  {
    name: "no file imports itself by a detour",
    rule: noCycles,
    broken: [
      ["src/net/a.ts", 'import { b } from "./b.ts";'],
      ["src/net/b.ts", 'import { type X, c } from "./c.ts";'],
      ["src/net/c.ts", 'const a = () => import("./a.ts");'],
      ["src/net/d.ts", 'import type { E } from "./e.ts";'],
      ["src/net/e.ts", 'import type { D } from "./d.ts";'],
      ["test/f.ts", 'import type { G } from "./g.ts";'],
      ["test/g.ts", 'import type { F } from "./f.ts";'],
    ],
    complaints: [
      "src/net/a.ts -> src/net/b.ts -> src/net/c.ts -> src/net/a.ts",
      "src/net/d.ts -> src/net/e.ts -> src/net/d.ts",
    ],
  },
  {
    name: "src imports no node:* module, which would cost start-up time",
    rule: noNodeModules,
    broken: [
      ["src/sys/file.ts", '/** Not node:os. */\nimport { readFileSync } from "node:fs";'],
      ["test/a.test.ts", 'import "node:fs";'],
    ],
    complaints: ["src/sys/file.ts imports node:fs"],
  },
  {
    name: "only src/engine names the engine",
    rule: engineOnlyInItsRoom,
    broken: [
      ["src/cni/a.ts", "// process.env\nconst x = process.env.X;"],
      ["src/cni/b.ts", "const child = { process: 1 }; child.process.pid; process(child);"],
      ["src/cni/c.ts", "const { exit } = process;"],
      ["src/sys/c.ts", 'const library = (Bun as unknown as { FFI: Library }).FFI; Bun.hash("x");'],
      ["src/sys/d.ts", "const later = setTimeout(() => {}, 1);"],
      ["src/engine/bun.ts", "process.exit(0);"],
    ],
    complaints: [
      "src/cni/a.ts names the engine's process",
      "src/cni/c.ts names the engine's process",
      "src/sys/c.ts names the engine's Bun",
      "src/sys/d.ts names the engine's setTimeout",
    ],
  },
  {
    name: "what not every engine has is not used",
    rule: languageOfBothEngines,
    broken: [
      ["src/net/a.ts", "const at = new Date();"],
      ["src/net/b.ts", "names.sort((a, b) => a.localeCompare(b));"],
      ["src/net/c.ts", "const id = Math.random();"],
      ["src/net/d.ts", 'const sum = eval("1 + 1");'],
      ["src/net/e.ts", "// No Date.\nconst DateOf = { Date: 1 };\nlist.eval(1);"],
      ["src/operator/install.ts", "new Date();"],
      ["src/operator/leases.ts", "new Date();"],
      ["test/a.ts", "new Date();"],
    ],
    complaints: [
      "src/net/a.ts uses Date, which not every engine has",
      "src/net/b.ts uses localeCompare, which not every engine has",
      "src/net/c.ts uses Math.random, which not every engine has",
      "src/net/d.ts uses eval, which not every engine has",
      "src/operator/install.ts uses Date, which not every engine has",
    ],
  },
  {
    name: "no list becomes arguments",
    rule: listsAreNoArguments,
    broken: [
      ["src/net/a.ts", "routes.push(...more);"],
      ["src/net/b.ts", "const most = Math.max(...sizes);"],
      ["src/net/c.ts", "const all = [...routes, ...more];\nroutes.push(one);"],
    ],
    complaints: [
      "src/net/a.ts passes a list as arguments: add its elements in a loop",
      "src/net/b.ts passes a list as arguments: add its elements in a loop",
    ],
  },
  {
    name: "K7: only child.ts starts children",
    rule: childrenOnlyByChild,
    broken: [
      ["src/main.ts", 'import { spawn } from "#engine";'],
      ["src/sys/a.ts", 'const child = Bun.spawnSync({ cmd: ["x"] });'],
      ["src/sys/b.ts", "// Not spawn().\nrunProgram({});"],
      ["src/sys/child.ts", "spawn(path);"],
    ],
    complaints: [
      "src/main.ts starts a child without src/sys/child.ts",
      "src/sys/a.ts starts a child without src/sys/child.ts",
    ],
  },
  {
    name: "K24: tests have one limit",
    rule: noLimitOfItsOwn,
    broken: [
      ["test/a.test.ts", 'test("a", () => {\n}, 10_000);\n'],
      ["test/b.test.ts", 'test(\n  "b",\n  () => {},\n  10_000,\n);\n'],
      ["test/c.test.ts", 'test("c", () => {\n  f({ timeout: 1000 });\n});\n'],
    ],
    complaints: [
      "test/a.test.ts: a test with a limit of its own",
      "test/b.test.ts: a test with a limit of its own",
    ],
  },
  {
    name: "K23: scratch hosts get the variables that hold now",
    rule: scratchHostsGetVariables,
    broken: [
      ["test/a.ts", 'Bun.spawn(isolated(["true"]), { stdin: "pipe" });'],
      ["test/b.ts", 'Bun.spawn(isolated(["true"]), { env: process.env });'],
      ["test/c.ts", "outcomeOf(isolated([]));"],
    ],
    complaints: ["test/a.ts starts a scratch host without `env: process.env`"],
  },
  {
    name: "K26: no error is made a text with the name of its class",
    rule: noErrorsAsText,
    broken: [
      ["src/net/a.ts", `log(\`cannot: \${error}\`);\nlog(\`cannot: \${error.message}\`);`],
      ["src/net/b.ts", "throw new Error(String(failure));"],
      ["src/net/c.ts", "const words = error instanceof Error ? error.message : error;"],
      ["src/sys/errno.ts", "String(thrown);"],
    ],
    complaints: [
      `src/net/a.ts: \${error}`,
      "src/net/b.ts: String(failure)",
      "src/net/c.ts: ? error.message :",
    ],
  },
  {
    name: "members are private by TypeScript",
    rule: privateByTypeScript,
    broken: [
      ["src/net/a.ts", "class A {\n  readonly #at = 0;\n}"],
      ["src/net/b.ts", "// Not #at.\nclass B {\n  private at = 0;\n}"],
    ],
    complaints: ["src/net/a.ts: #at, not private"],
  },
  {
    name: "names say something",
    rule: namesThatSaySomething,
    broken: [
      ["src/net/utils.ts", ""],
      ["src/common/ip.ts", ""],
      ["test/test-helpers.ts", ""],
      ["src/cni/protocol.ts", ""],
    ],
    complaints: [
      "src/net/utils.ts: the name says nothing",
      "src/common/ip.ts: the name says nothing",
      "test/test-helpers.ts: the name says nothing",
    ],
  },
  {
    name: `a file of more than ${LONGEST} lines says why`,
    rule: shortFiles,
    broken: [
      ["src/net/a.ts", long("// end")],
      ["src/net/b.ts", long("// Long because: it holds one table.")],
    ],
    complaints: [`src/net/a.ts: ${LONGEST + 1} lines, and no line "// Long because: …"`],
  },
  {
    name: "everything exported has a doc comment",
    rule: documentedExports,
    broken: [
      [
        "src/net/prefix.ts",
        "/** All. */\nimport 1;\n\n/** Good. */\nexport const good = 1;\nexport const fine = 2;\n\nexport type PrefixLength = number;\n\nexport interface Bad {}\n// no\nexport async function worse() {}",
      ],
    ],
    complaints: ["src/net/prefix.ts: Bad has no doc comment", "src/net/prefix.ts: worse has no doc comment"],
  },
];

describe("the architecture", () => {
  test.each(RULES)("$name", ({ rule }) => {
    expect(rule(sources)).toEqual([]);
  });

  test.each(RULES)("is guarded: $name", ({ rule, broken, complaints }) => {
    expect(rule(broken.map(([path, text]) => new Source(path, text)))).toEqual([...complaints]);
  });

  test("no import escapes the reader: it finds all that Bun finds", () => {
    const transpiler = new Bun.Transpiler({ loader: "ts" });
    const imports = sources.map((source) => ({ source, expected: transpiler.scanImports(source.text) }));
    expect(imports.length).toBeGreaterThan(50);
    for (const { source, expected } of imports) {
      const found = source.imports().map(({ target }) => target);
      for (const { path } of expected) {
        expect(found).toContain(
          path.startsWith(".") ? new URL(path, `file:///${source.path}`).pathname.slice(1) : path,
        );
      }
    }
  });
});

/**
 * host-local on a kernel that has neither numbers of namespaces nor their files (both of Linux 6.18), nor user
 * attributes on tmpfs (6.6), nor times finer than its ticks (6.13). The tests are those of the other kernel.
 */
process.env.BRIDGEHEAD_RUNS ??= "30";
await import("../../plugins/host-local/model.test.ts");
await import("../../leases/stale-index.test.ts");
await import("../../kernel/host-local/reclaim.test.ts");

export {};

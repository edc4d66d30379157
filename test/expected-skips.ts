/** Skips that are right on the machine that runs the CI. Any other skip fails there. */

export interface ExpectedSkip {
  /** Matches the file and the name of the test, "test/kernel/vlan.test.ts > …". */
  readonly test: RegExp;
  readonly cause: RegExp;
}

export const EXPECTED_SKIPS: readonly ExpectedSkip[] = [
  // Debian's package of the reference is no part of a bare system.
  { test: /^test\/build\/host-local\/reference\.test\.ts > /, cause: /^no reference host-local in / },
  {
    test: /^test\/kernel\/operator\/(doctor|repair|topology)\.test\.ts > /,
    cause: /^no reference bridge in /,
  },
  // The CI's machine may be without systemd.
  { test: /^test\/kernel\/operator\/repair\.test\.ts > /, cause: /^no busctl$/ },
  { test: /^test\/deploy\/systemd\.test\.ts > /, cause: /^no systemd-analyze$/ },
  // The kernel's headers come with a C compiler.
  { test: /^test\/sys\/syscall\.test\.ts > /, cause: /^no \/usr\/include\// },
  // Built from source where there is a Go that is new enough.
  { test: /^test\/vm\/guest\/reference\.test\.ts > /, cause: /^no reference: |^\S+ holds an old reference$/ },
  // What only the compact file stands; processors without SSE4.2 are emulated where QEMU is.
  {
    test: /^test\/kernel\/(hard-ground|bridge\/shortage)\.test\.ts > /,
    cause: /^the Bun file asks for more$|^no qemu-\w+$/,
  },
  // The second build needs Rust and a C compiler for musl.
  { test: /^test\/kernel\/bridge\/two-builds\.test\.ts > /, cause: /^no compact in dist$/ },
  // Only the Bun file has all commands of the operator.
  { test: /^test\/kernel\/operator\//, cause: /^the compact file has few commands$/ },
  // The image has the compact file only, and the CI's machine has no tool for images.
  {
    test: /^test\/(kernel|build)\/image\.test\.ts > /,
    cause: /^the image has the compact file$|^no skopeo$/,
  },
  // Without dot only a small check of the grammar is made.
  { test: /^test\/operator\/show\/draw\.test\.ts > /, cause: /^no dot$/ },
  // The packages have the compact file only, too, and the CI's machine may have no tools of RPM.
  {
    test: /^test\/kernel\/packages\.test\.ts > /,
    cause: /^the packages have the compact file$|^no rpmbuild$/,
  },
  // The CI's machine has bash only.
  { test: /^test\/operator\/completion\.test\.ts > /, cause: /^no (zsh|fish)$/ },
];

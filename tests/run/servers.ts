import process from "node:process";
import { loads } from "./modules.ts";
import { runCommand } from "./spawn.ts";

/** A kind of server that tests need. */
interface ServerKind {
  /** The file of tests/servers that a test imports, itself or through others, when it needs one. */
  readonly starter: string;
  /** The packages of Debian that bring it. */
  readonly packages: readonly string[];
  /** Commands that succeed when it is there. */
  readonly programs: readonly (readonly [string, ...string[]])[];
  /** Has something else than Debian bring it. */
  readonly provide?: () => Promise<unknown>;
  /** Starts one for all files, where that is dear, and says in a variable where it is. */
  readonly shared?: () => Promise<{ variable: string; address: string; stop: () => Promise<void> }>;
}

/** The test run's servers. */
export interface SharedServers {
  /** Ends them. */
  stop(): Promise<void>;
}

/** Their starters are imported when they are wanted: what imports one says by it that it needs the server. */
const KINDS: readonly ServerKind[] = [
  {
    starter: "redis_server",
    packages: ["redis-server"],
    programs: [["redis-server", "--version"]],
  },
  {
    starter: "certificates",
    packages: ["openssl"],
    programs: [["openssl", "version"]],
  },
  {
    starter: "s3_server",
    packages: ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"],
    programs: [
      ["ceph-mon", "--version"],
      ["ceph-osd", "--version"],
      ["radosgw", "--version"],
      ["ceph", "--version"],
    ],
    shared: async () => {
      const { S3_VARIABLE, startCeph } = await import("../servers/ceph_server.ts");
      const { endpoint, stop } = await startCeph();
      return { variable: S3_VARIABLE, address: endpoint, stop };
    },
  },
  {
    starter: "azurite_server",
    packages: [],
    programs: [],
    provide: async () => await (await import("../servers/azurite_server.ts")).findAzurite(),
    shared: async () => {
      const { AZURE_VARIABLE, startAzurite } = await import("../servers/azurite_server.ts");
      const { url, stop } = await startAzurite();
      return { variable: AZURE_VARIABLE, address: url, stop };
    },
  },
];

/** Whether a test file needs a server that is not part of this repository. */
export function needsServer(file: string): boolean {
  return kindsOf([file]).length > 0;
}

/**
 * Has the system bring the servers that are missing for some test files.
 *
 * @returns why they are not there, `undefined` when they are.
 */
export async function provideServers(files: readonly string[]): Promise<string | undefined> {
  const kinds = kindsOf(files);
  for (const { provide } of kinds) {
    try {
      await provide?.();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  if (await hasAll(kinds)) return undefined;
  const packages = kinds.flatMap(({ packages }) => packages);
  if (process.getuid?.() !== 0) {
    return `${packages.join(", ")} are missing, and only root can install them`;
  }
  // The packages would start services of their own; the tests start theirs.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  for (
    const command of [
      ["apt-get", "update", "-qq"],
      ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...packages],
    ] as [string, ...string[]][]
  ) {
    const { code, trouble, output } = await runCommand(command, { env });
    if (code !== 0) {
      return `${command.join(" ")} ${trouble ?? `ended with ${code}`}\n${output.trim()}`;
    }
  }
  return await hasAll(kinds) ? undefined : `${packages.join(", ")} do not run here`;
}

/**
 * Starts what is too dear to be started for each test file, and names it in
 * the environment of this process, which those that run tests inherit.
 */
export async function startShared(files: readonly string[]): Promise<SharedServers> {
  const started: { readonly stop: () => Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
  };
  const outcomes = await Promise.allSettled(
    kindsOf(files).map(async ({ shared }) => {
      const server = await shared?.();
      if (server === undefined) return;
      started.push(server);
      process.env[server.variable] = server.address;
    }),
  );
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed?.status !== "rejected") return { stop };
  await stop();
  throw failed.reason;
}

function kindsOf(files: readonly string[]): ServerKind[] {
  return KINDS.filter(({ starter }) => loads(files, `tests/servers/${starter}.ts`));
}

async function hasAll(kinds: readonly ServerKind[]): Promise<boolean> {
  const results = await Promise.all(
    kinds.flatMap(({ programs }) => programs).map((command) => runCommand(command)),
  );
  return results.every(({ code }) => code === 0);
}

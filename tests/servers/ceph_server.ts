import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runCommand } from "../run/spawn.ts";
import { freePort, scratchFolder } from "./scratch.ts";

/** How long the gateway may take to answer, in milliseconds. */
const START_LIMIT_MS = 120_000;

/** Where a test run says that it has started one for all its files. */
export const S3_VARIABLE = "STRATA_TEST_S3";

/** What the gateway knows its one user by. */
export const S3_CREDENTIALS = { accessKeyId: "testkey", secretAccessKey: "testsecret" } as const;

/** A Ceph cluster that runs: one monitor, one store in memory, one RADOS Gateway, which speaks S3. */
export interface CephServer {
  /** Where the gateway is. */
  readonly endpoint: string;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/** Starts a cluster in a folder of its own. It ends with this process at the latest. */
export async function startCeph(): Promise<CephServer> {
  const { path, remove } = scratchFolder("ceph");
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.reverse().map(end));
    remove();
  };
  try {
    const port = await freePort();
    await start(path, port, children);
    return { endpoint: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(folder: string, port: number, children: ChildProcess[]): Promise<void> {
  const [monitor, older] = [await freePort(), await freePort()];
  const fsid = crypto.randomUUID();
  const keyring = join(folder, "keyring");
  const conf = join(folder, "ceph.conf");
  for (const name of ["mon", "osd", "log"]) mkdirSync(join(folder, name));
  const address = `[v2:127.0.0.1:${monitor},v1:127.0.0.1:${older}]`;
  writeFileSync(conf, configOf({ folder, keyring, fsid, address, port }));
  const env = { CEPH_CONF: conf };
  const run = async (...command: [string, ...string[]]): Promise<void> => {
    const { code, output } = await runCommand(command, { env, limit: START_LIMIT_MS });
    if (code !== 0) throw new Error(`${command.slice(0, 3).join(" ")} failed: ${output.trim()}`);
  };
  const launch = (...[program, ...args]: [string, ...string[]]): void => {
    const child = spawn(program, [...args, "-f"], {
      env: { ...process.env, ...env },
      stdio: "ignore",
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    // The test process must not wait for it.
    child.unref();
    children.push(child);
  };

  const all = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"];
  await run(
    "ceph-authtool",
    "--create-keyring",
    keyring,
    "--gen-key",
    "-n",
    "mon.",
    ...all.slice(0, 3),
  );
  for (const name of ["client.admin", "client.rgw"]) {
    await run("ceph-authtool", keyring, "--gen-key", "-n", name, ...all);
  }
  const osd = ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"];
  await run("ceph-authtool", keyring, "--gen-key", "-n", "osd.0", ...osd);
  const map = join(folder, "monmap");
  await run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, map);
  await run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring);
  launch("ceph-mon", "-i", "a");
  const uuid = crypto.randomUUID();
  await run("ceph", "--connect-timeout", "60", "osd", "new", uuid);
  await run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", uuid);
  launch("ceph-osd", "-i", "0");
  launch("radosgw", "-n", "client.rgw");
  await answers(`http://127.0.0.1:${port}`, folder);
  const { accessKeyId, secretAccessKey } = S3_CREDENTIALS;
  const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
  await run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test", ...keys);
  const other = ["--access-key=otherkey", "--secret-key=othersecret"];
  await run("radosgw-admin", "user", "create", "--uid=other", "--display-name=other", ...other);
}

function configOf(
  { folder, keyring, fsid, address, port }: Record<string, string | number>,
): string {
  return `[global]
fsid = ${fsid}
mon host = ${address}
mon initial members = a
public network = 127.0.0.0/8
keyring = ${keyring}
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
mon data = ${folder}/mon
mon data avail crit = 0
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
log file = ${folder}/log/$name.log
admin socket = ${folder}/$name.asok
pid file = ${folder}/$name.pid
[client.rgw]
# The space of what is removed or replaced is given back at once, not after two hours.
rgw gc obj min wait = 1
rgw gc processor period = 5
rgw gc processor max time = 5
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw dns name = localhost
`;
}

async function answers(url: string, folder: string): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  while (true) {
    try {
      await (await fetch(url)).body?.cancel();
      return;
    } catch (error) {
      if (Date.now() > limit || !existsSync(folder)) {
        throw new Error("the RADOS Gateway does not come up", { cause: error });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.ref();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(pid, "SIGKILL");
});

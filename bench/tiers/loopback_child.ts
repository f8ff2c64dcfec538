/*
 * A server on loopback: loopback_child.ts NAME PORT. Tells its address as a
 * line of JSON and ends with its standard input.
 */

import process from "node:process";
import { startGcs } from "../../tests/servers/gcs_server.ts";
import { startUpstashBridge } from "../../tests/servers/upstash_bridge.ts";

/** Where a server is and what lets one in. */
export interface LoopbackAddress {
  readonly url: string;
  readonly token: string;
}

const STARTERS = {
  async gcs(): Promise<LoopbackAddress> {
    const { endpoint, buckets, tokens } = await startGcs();
    buckets.create("bench");
    return { url: endpoint, token: tokens.give() };
  },
  async upstash(redisPort: number): Promise<LoopbackAddress> {
    const { url, token } = await startUpstashBridge({ redisPort });
    return { url, token };
  },
};

/** The servers there are. */
export type LoopbackName = keyof typeof STARTERS;

const [, , name, port] = process.argv;
const { url, token } = await STARTERS[name as LoopbackName](Number(port));
console.log(JSON.stringify({ url, token }));
process.stdin.resume().on("end", () => process.exit());

import type { Agent } from "node:http";

/**
 * An agent for clients over `node:http`, which keeps connections. Deno's client
 * sends a request on such a connection again by itself when the connection ends,
 * even where it ends because the request was given up
 * (https://github.com/denoland/deno/issues/36786): a write would then come to the
 * store after later ones. It does so for requests that say that their connection
 * was used before, so they do not say it. What a broken connection has failed is
 * tried again here in any case.
 *
 * It has as many connections as are needed: a stream that nobody reads keeps
 * its own, and with a limit a few of them would hold up every request.
 *
 * @param protocol as URLs have it.
 */
export async function keepAliveAgent(protocol: "http:" | "https:"): Promise<Agent> {
  const { Agent } = protocol === "http:" ? await import("node:http") : await import("node:https");
  const agent: Agent = new Agent({ keepAlive: true });
  const reuseSocket = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    reuseSocket(socket, request);
    request.reusedSocket = false;
  };
  return agent;
}

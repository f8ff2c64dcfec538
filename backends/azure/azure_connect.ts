import type { ContainerClient } from "@azure/storage-blob";
import type { Agent } from "node:http";
import type { Clock } from "../../src/types.ts";
import { keepAliveAgent } from "../_object_store/keep_alive_agent.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { AzureAccess } from "./azure_config.ts";
import { cachedCredential, type KeptCredential } from "./azure_credential.ts";

/** A way to a container. */
export interface AzureConnection {
  /** The client. */
  readonly container: ContainerClient;
  /** Gives its tokens, where it has some. */
  readonly credential?: KeptCredential | undefined;
}

/** Loads the package, and makes a client of a container. Nothing is sent. */
export async function connectAzure(
  access: AzureAccess,
  container: string,
  clock: Clock,
): Promise<AzureConnection> {
  if (access.kind === "client") return { container: access.client as unknown as ContainerClient };
  const azure = await import("@azure/storage-blob");
  const credential = access.kind === "credential"
    ? cachedCredential(access.credential, clock)
    : undefined;
  const connect = (agent?: Agent): ContainerClient => {
    // Attempts are counted here. The package hands its options on to one that takes an agent.
    const options = { retryOptions: { maxTries: 1 }, ...(agent === undefined ? {} : { agent }) };
    switch (access.kind) {
      case "connectionString":
        return new azure.ContainerClient(access.connectionString, container, options);
      case "sas": {
        const url = `${access.url}/${container}?${access.token}`;
        return new azure.ContainerClient(url, new azure.AnonymousCredential(), options);
      }
      case "key": {
        const key = new azure.StorageSharedKeyCredential(access.name, access.key);
        return new azure.ContainerClient(`${access.url}/${container}`, key, options);
      }
      default:
        return new azure.ContainerClient(
          `${access.url}/${container}`,
          credential as never,
          options,
        );
    }
  };
  try {
    // Where it is may stand in a connection string, which the package reads.
    const protocol = new URL(connect().url).protocol === "http:" ? "http:" : "https:";
    return { container: connect(await keepAliveAgent(protocol)), credential };
  } catch {
    // What it says may repeat the credentials.
    throw new StoreError("credentials", { detail: access.kind });
  }
}

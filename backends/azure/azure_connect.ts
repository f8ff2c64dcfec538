import type { ContainerClient } from "@azure/storage-blob";
import { StoreError } from "../_object_store/store_error.ts";
import type { AzureAccess } from "./azure_config.ts";

/** Loads the package, and makes a client of a container. Nothing is sent. */
export async function connectAzure(
  access: AzureAccess,
  container: string,
): Promise<ContainerClient> {
  if (access.kind === "client") return access.client as unknown as ContainerClient;
  const azure = await import("@azure/storage-blob");
  // Attempts are counted here.
  const options = { retryOptions: { maxTries: 1 } };
  try {
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
      default: {
        const url = `${access.url}/${container}`;
        return new azure.ContainerClient(url, access.credential as never, options);
      }
    }
  } catch {
    // What it says may repeat the credentials.
    throw new StoreError("credentials", { detail: access.kind });
  }
}

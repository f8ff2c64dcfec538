import { type Fetch, send } from "../_object_store/http.ts";
import { StoreError } from "../_object_store/store_error.ts";
import type { GcsToken } from "./gcs_config.ts";
import {
  type GcsAuthorizedUser,
  type GcsServiceAccount,
  parseToken,
  tokenOfServiceAccount,
  tokenOfUser,
} from "./service_account.ts";

const METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token";

/**
 * A token by the application default credentials: the file that
 * `GOOGLE_APPLICATION_CREDENTIALS` names, the file of `gcloud auth
 * application-default login`, else the metadata server of Google's machines,
 * at `GCE_METADATA_HOST` where that is set.
 *
 * @throws {StoreError} `"credentials"` when there are none.
 */
export async function defaultToken(
  fetch: Fetch,
  signal: AbortSignal,
): Promise<GcsToken> {
  const { default: process } = await import("node:process");
  const { env } = process;
  const named = env["GOOGLE_APPLICATION_CREDENTIALS"];
  const file = await readCredentials(named ?? await userFile(env), named !== undefined);
  if (file !== undefined) return await tokenOfFile(file, fetch, signal);
  const host = env["GCE_METADATA_HOST"] ?? "metadata.google.internal";
  try {
    const response = await send(fetch, `http://${host}${METADATA_PATH}`, {
      headers: { "metadata-flavor": "Google" },
      signal,
    });
    return await parseToken(response, signal);
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== "network") throw error;
    throw new StoreError("credentials", { detail: "none" });
  }
}

async function tokenOfFile(
  file: Partial<GcsServiceAccount & GcsAuthorizedUser>,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<GcsToken> {
  if (file.client_email !== undefined && file.private_key !== undefined) {
    return await tokenOfServiceAccount(file as GcsServiceAccount, fetch, signal);
  }
  if (file.refresh_token !== undefined && file.client_id !== undefined) {
    return await tokenOfUser(file as GcsAuthorizedUser, fetch, signal);
  }
  // External accounts need an exchange of their own: a 'token' function can make it.
  throw new StoreError("credentials", { detail: "file.unsupported" });
}

async function readCredentials(
  path: string,
  isNamed: boolean,
): Promise<Partial<GcsServiceAccount & GcsAuthorizedUser> | undefined> {
  const { readFile } = await import("node:fs/promises");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    if (isNamed) throw new StoreError("credentials", { detail: "file.unreadable" });
    return undefined;
  }
  try {
    const file: unknown = JSON.parse(text);
    if (typeof file === "object" && file !== null) return file;
  } catch {
    // It is no JSON.
  }
  throw new StoreError("credentials", { detail: "file.foreign" });
}

async function userFile(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { homedir, platform } = await import("node:os");
  const { join } = await import("node:path");
  const folder = env["CLOUDSDK_CONFIG"] ??
    (platform() === "win32"
      ? join(env["APPDATA"] ?? homedir(), "gcloud")
      : join(homedir(), ".config", "gcloud"));
  return join(folder, "application_default_credentials.json");
}

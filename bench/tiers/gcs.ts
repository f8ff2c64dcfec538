import { openCacheStore } from "./cache_store.ts";
import { startLoopback } from "./loopback.ts";
import type { OpenTierKind, Store } from "./store.ts";
import { NETWORK_SIZES } from "./values.ts";

/** The one that the server has. */
const BUCKET = "bench";
const FETCH = "fetch of the JSON API";

/** The GCS tier over a server on loopback that follows the documentation of the JSON API, beside bare requests to it. */
export const openGcsKind: OpenTierKind = async () => {
  const { url: endpoint, token, stop } = await startLoopback("gcs");
  const tier = { type: "gcs", bucket: BUCKET, endpoint, token: () => Promise.resolve(token) };
  return {
    sizes: NETWORK_SIZES,
    callsPerSample: 1,
    sources: [
      { name: FETCH, open: () => openFetch(endpoint, token) },
      {
        name: "Strata gcs",
        floor: FETCH,
        open: () => openCacheStore({ ...tier, prefix: "strata" }),
      },
    ],
    close: stop,
  };
};

function openFetch(endpoint: string, token: string): Store {
  const headers = { authorization: `Bearer ${token}` };
  const nameOf = (key: string): string => encodeURIComponent(`raw/${key}`);
  const url = (key: string): string => `${endpoint}/storage/v1/b/${BUCKET}/o/${nameOf(key)}`;
  const send = async (address: string, init: RequestInit = {}): Promise<Uint8Array> => {
    const response = await fetch(address, { headers, ...init });
    const body = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw new Error(`Cannot bench: the server answers ${response.status}`);
    return body;
  };
  return {
    set: (key, value) => {
      const address = `${endpoint}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=`;
      return send(address + nameOf(key), { method: "POST", body: value as BodyInit });
    },
    get: (key) => send(`${url(key)}?alt=media`),
    getStream: async (key) => (await fetch(`${url(key)}?alt=media`, { headers })).body!,
    delete: (key) => send(url(key), { method: "DELETE" }),
    close: () => {},
  };
}

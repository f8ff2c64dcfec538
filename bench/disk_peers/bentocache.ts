import { Buffer } from "node:buffer";
import { installedVersion } from "./installed_version.ts";
import type { Peer } from "./peer.ts";

/**
 * BentoCache with its file driver. Its values are JSON, so that bytes go as a
 * base64 string: an array of numbers takes it several times longer.
 */
export const bentoCacheFile: Peer = {
  name: "BentoCache file",
  version: () => installedVersion("bentocache"),
  isSlow: true,
  async open(folder) {
    const { BentoCache, bentostore } = await import("bentocache");
    const { fileDriver } = await import("bentocache/drivers/file");
    const store = bentostore().useL2Layer(fileDriver({ directory: folder, pruneInterval: false }));
    const bento = new BentoCache({ default: "file", stores: { file: store } });
    return {
      set: ({ key, bytes }) =>
        bento.set({ key, value: Buffer.from(bytes.buffer).toString("base64") }),
      async get({ key }) {
        const text = await bento.get<string>({ key });
        return typeof text === "string" ? Buffer.from(text, "base64") : undefined;
      },
      delete: ({ key }) => bento.delete({ key }),
      close: () => bento.disconnectAll(),
    };
  },
};

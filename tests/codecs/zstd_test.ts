import { createZstdCodec } from "../../codecs/zstd.ts";
import { codecSuite } from "../codec_suite.ts";

codecSuite("zstd", () => createZstdCodec());

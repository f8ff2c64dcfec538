import { createLz4Codec } from "../../codecs/lz4.ts";
import { codecSuite } from "../codec_suite.ts";

codecSuite("lz4", () => createLz4Codec());

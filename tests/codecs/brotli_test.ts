import { createBrotliCodec } from "../../codecs/brotli.ts";
import { codecSuite } from "../codec_suite.ts";

codecSuite("brotli", () => createBrotliCodec());

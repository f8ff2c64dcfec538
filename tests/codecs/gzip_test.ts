import { createGzipCodec } from "../../codecs/gzip.ts";
import { codecSuite } from "../codec_suite.ts";

codecSuite("gzip", () => createGzipCodec());

import { createDeflateCodec } from "../../codecs/deflate.ts";
import { codecSuite } from "../codec_suite.ts";

codecSuite("deflate", () => createDeflateCodec());

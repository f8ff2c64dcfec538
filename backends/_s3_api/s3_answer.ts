import { readRefusal } from "../_object_store/http.ts";
import type { S3Answer } from "./s3_error.ts";
import { elementText } from "./s3_xml.ts";

/** What a refusal says; its body may be missing. */
export async function s3AnswerOf(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<S3Answer> {
  const { status, text, retryAfter } = await readRefusal(response, signal);
  return { status, code: elementText(text, "Code"), retryAfter };
}

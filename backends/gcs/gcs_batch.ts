/** The answer to one request of a batch. */
export interface BatchAnswer {
  /** Status of HTTP. */
  readonly status: number;
  /** Its body. */
  readonly text: string;
}

/** The body of a request that deletes several objects, by their paths. */
export function batchBody(paths: readonly string[]): { body: Uint8Array; type: string } {
  const boundary = `strata-${crypto.randomUUID()}`;
  const parts = paths.map((path, at) =>
    [
      `--${boundary}`,
      "Content-Type: application/http",
      "Content-Transfer-Encoding: binary",
      `Content-ID: <${at}>`,
      "",
      `DELETE ${path} HTTP/1.1`,
      "",
      "",
    ].join("\r\n")
  );
  const body = new TextEncoder().encode(`${parts.join("")}\r\n--${boundary}--\r\n`);
  return { body, type: `multipart/mixed; boundary=${boundary}` };
}

/** The answers of a batch, by the numbers of their requests; those that are not there or not whole are left out. */
export function parseBatch(contentType: string, text: string): Map<number, BatchAnswer> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1];
  const answers = new Map<number, BatchAnswer>();
  if (boundary === undefined) return answers;
  for (const part of text.split(`--${boundary}`)) {
    const at = /^content-id:\s*<response-(\d+)>/im.exec(part)?.[1];
    const status = /^HTTP\/\d(?:\.\d)? (\d{3})/m.exec(part);
    if (at === undefined || status === null) continue;
    const inner = part.slice(status.index);
    const start = /\r?\n\r?\n/.exec(inner);
    const body = start === null ? "" : inner.slice(start.index + start[0].length).trim();
    answers.set(Number(at), { status: Number(status[1]), text: body });
  }
  return answers;
}

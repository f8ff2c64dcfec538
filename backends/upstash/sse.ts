/** The longest line; no message of ours is near it. */
const MAX_LINE_LENGTH = 1024 * 1024;

/**
 * Reads a stream of server-sent events, of which only the data counts.
 *
 * @param onData is given each line of data.
 * @returns when the stream is over.
 * @throws when it breaks, or a line is too long.
 */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  onData: (data: string) => void,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE_LENGTH) {
        throw new RangeError("Cannot read events: line is too long");
      }
      for (const line of lines) {
        if (line.startsWith("data:")) onData(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

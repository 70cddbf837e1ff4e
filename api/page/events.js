// Server-sent events, read by fetch: an EventSource can't send a key.

/** Yield {event, data} of a stream, data as JSON, until it ends or `signal` stops it. Throws `Problem`. */
export async function* events(client, path, { signal } = {}) {
  const response = await client.send(path, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (held + value).split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const told = Object.fromEntries(block.split("\n").map((line) => /^(\w*): ?(.*)$/.exec(line)?.slice(1)).filter(Boolean));
      if (told.data) yield { event: told.event ?? "message", data: JSON.parse(told.data) };
    }
  }
}

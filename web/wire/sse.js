/* Reads Server-Sent Events from a response's body. */

/**
 * @typedef {{event: string, id: string | null, data: string}} Frame
 */

/**
 * The frames of a stream, in batches of what arrived together; a comment gives an empty batch.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Frame[]>}
 */
export async function* batches(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = parts.pop() ?? "";
      yield parts.map(frame).filter((it) => it !== null);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/**
 * @param {string} text
 * @returns {Frame | null}
 */
function frame(text) {
  /** @type {Frame} */
  const found = { event: "message", id: null, data: "" };
  /** @type {string[]} */
  const data = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") found.event = value;
    else if (name === "id") found.id = value;
    else if (name === "data") data.push(value);
  }
  found.data = data.join("\n");
  return data.length ? found : null;
}

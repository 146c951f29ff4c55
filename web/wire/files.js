/* Files of the API: their bytes, and uploads that tell how far they are. */
import { call, credentials, refusal, unreachable, Problem } from "./api.js";

const ID = /^file_[0-9a-f]{32}$/;
/** So many are read at the same time. */
const MAX_READS = 3;

/** @type {Promise<void>[]} */
const reads = [];

/**
 * The bytes of a file, read with this page's own credentials; a Problem if they can't be had.
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>} Without a type: what a file calls itself is not believed.
 */
export async function bytesOf(id, signal) {
  if (!ID.test(id)) throw new Problem(404, { title: "It names no file.", type: "unknown-file" });
  while (reads.length >= MAX_READS) await Promise.race(reads);
  signal?.throwIfAborted();
  const read = readOf(id, signal);
  const over = read.then(
    () => undefined,
    () => undefined,
  );
  reads.push(over);
  try {
    return await read;
  } finally {
    reads.splice(reads.indexOf(over), 1);
  }
}

/** @param {string} id @param {AbortSignal} [signal] */
async function readOf(id, signal) {
  let answer;
  try {
    answer = await fetch(`/v1/files/${id}`, { headers: credentials(), signal });
    if (answer.ok) return new Blob([await answer.arrayBuffer()]);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  throw await refusal(answer);
}

/** How large files may be, and which a model takes. @param {string} model */
export const limitsOf = (model) =>
  call("GET", `/v1/files/limits?model=${encodeURIComponent(model)}`);

/**
 * Upload a file; what the server says of it, or a Problem.
 * @param {File} file
 * @param {string} type Its MIME type; empty: the server looks at the bytes.
 * @param {{tell: (share: number) => void, signal: AbortSignal}} more `tell`: how much is sent.
 * @returns {Promise<any>}
 */
export function upload(file, type, { tell, signal }) {
  const request = new XMLHttpRequest(); // fetch does not tell how much is sent
  request.open("POST", `/v1/files?name=${encodeURIComponent(sendableName(file.name))}`);
  request.responseType = "blob";
  request.setRequestHeader("Content-Type", type || "application/octet-stream");
  for (const [header, value] of Object.entries(credentials())) {
    request.setRequestHeader(header, value);
  }
  request.upload.onprogress = ({ loaded, total }) => tell(total ? loaded / total : 0);
  signal.addEventListener("abort", () => request.abort());
  return new Promise((resolve, reject) => {
    request.onload = () => {
      const { status } = request;
      const answer = new Response(request.response, { status, headers: headersOf(request) });
      if (answer.ok) answer.json().then(resolve, reject);
      else refusal(answer).then(reject, reject);
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(signal.reason);
    request.send(file);
  });
}

/** A name that the API takes. @param {string} name */
const sendableName = (name) =>
  [...name.toWellFormed().replace(/[\p{Cc}/\\]/gu, "_")].slice(0, 200).join("") || "file";

/** @param {XMLHttpRequest} request */
function headersOf(request) {
  const after = request.getResponseHeader("Retry-After");
  return after ? { "Retry-After": after } : undefined;
}

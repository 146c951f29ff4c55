// Folds journals as the page does: a line of JSON in, a line out, until stdin ends.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const from = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`));
const { applyEvents, emptyRun, runStatus } = await from("run");
const { usageOf } = await from("usage");
const { rowsOf } = await from("timeline");

function told(run) {
  const usage = usageOf(run);
  return {
    seq: run.seq,
    status: runStatus(run),
    open: [...run.waits.open.keys()],
    below: run.waits.below.map((it) => it.id),
    steps: [...run.steps.values()].map((it) => [
      it.step, it.attempt, it.text, it.reasoning, it.ended, it.interrupted, it.finish,
      it.usage.input_tokens, it.usage.output_tokens,
    ]),
    tools: [...run.tools.values()].map((it) => [
      it.callId, it.name, it.step, it.arguments, it.state, it.output, it.truncated, it.progress,
    ]),
    output: run.output,
    error: run.error?.message ?? null,
    usage: [usage.input_tokens, usage.output_tokens],
  };
}

const plain = (_, value) => (value instanceof Map ? [...value] : value);

for await (const line of createInterface({ input: process.stdin })) {
  const { events, cuts } = JSON.parse(line);
  const run = emptyRun();
  const seen = [];
  let at = 0;
  for (const cut of cuts) {
    applyEvents(run, events.slice(at, cut));
    seen.push(told(run));
    at = cut;
  }
  const asks = run.items.filter((it) => it.kind === "ask" && it.data.state === "open");
  const model = JSON.stringify(run, plain);
  console.log(JSON.stringify({ seen, asks: asks.map((it) => it.id), model, rows: rowsOf(run) }));
}

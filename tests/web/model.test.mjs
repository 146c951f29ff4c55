// The page's pure modules, one by one: run by test_model.py with the folder of the model.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const from = (name) => import(pathToFileURL(`${process.env.MODEL}/${name}.js`));
const { blocksOf, inline, parseBlock } = await from("markdown");
const { argumentsOf, fieldsOf } = await from("schema");
const { axisOf, barsOf, stripOf, ticksOf } = await from("axis");
const { answerOf, formOf } = await from("asks/asked");
const { addressOf, bytes, claimOf, isOwnText, isPicture, refusalOf } = await from("files");
const { doing, noListing, queryOf, released, typed, withFrame, withPage, PAGE } = await from("listing");
const { knownTo } = await from("asks/knew");
const { inWindow } = await from("window");
const { rowsOf } = await from("timeline");
const { applyEvents, emptyRun } = await from("run");
const { inWords } = await from("rule");
const { heldCalls } = await from("waits");
const { countedOf, usageOf } = await from("usage");
const { brief, duration, exactly, money, number, quoted, tokensOf, visible } = await from("words");

const kinds = (text) => blocksOf(text).flatMap(parseBlock).map((it) => it.kind);
const run = (id, at, status = "running") => ({
  run_id: id, created_at: `2026-01-01T00:00:${String(at).padStart(2, "0")}Z`, status,
});
const ids = (listing) => listing.runs.map((it) => it.run_id);

test("blocks that are settled keep their source while text is appended", () => {
  const whole = "# A\n\ntext *b*\n\n```js\nx\n\ny\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- c\n- d\n\n1. e";
  assert.deepEqual(kinds(whole), ["heading", "paragraph", "code", "table", "list", "numbers"]);
  const last = blocksOf(whole);
  for (let end = 1; end <= whole.length; end++) {
    const now = blocksOf(whole.slice(0, end));
    assert.deepEqual(now.slice(0, -1), last.slice(0, now.length - 1));
  }
});

test("only links to the web are links, and the rest stays text", () => {
  const [link] = inline("[a](https://x.example:8/y)");
  assert.deepEqual([link.kind, link.href, link.text], ["link", "https://x.example:8/y", "x.example:8"]);
  for (const href of ["javascript:alert(1)", "data:text/html,x", "//x.example", "/runs", "ftp://x"]) {
    assert.deepEqual(inline(`[a](${href})`), [{ kind: "text", text: `[a](${href})` }]);
  }
  const [owned] = inline("[bank](https://bank.example@evil.example/)");
  assert.equal(owned.text, "evil.example");
  assert.deepEqual(kinds("<script>alert(1)</script>"), ["paragraph"]);
});

test("a run in a list tells what it does and since when, or what came of it", () => {
  const at = "2026-01-01T00:00:00Z";
  const one = (status, more) => ({ status, waiting_for: [], created_at: at, line: [], step: 3, ...more });
  const told = (status, more) => doing(one(status, more), Date.parse(at) + 65_000).join("|");
  const open = { line: [["queue", 0, 1000], ["model", 5000, null]], now: { kind: "model", what: "step 3" } };
  assert.equal(told("running", open), "run|writing|for 1 m 00 s · step 3");
  const tool = { line: [["tool", 64_000, null]], now: { kind: "tool", what: "nap(s=6)" } };
  assert.equal(told("running", tool), "run|tool|for 1.0 s · nap(s=6)");
  assert.equal(told("queued", { line: [["queue", 0, null]], now: { kind: "queue", what: "" } }), "run|queued|for 1 m 05 s");
  const waits = (what) => ({ waiting_for: [{ kind: "approval", what }, { kind: "input", what: "?" }] });
  assert.equal(told("waiting", waits("approve `pay`")), "wait|approve|`pay` and 1 more");
  assert.equal(told("completed", { now: { kind: "said", what: "42" } }), "||42");
  assert.equal(told("completed"), "quiet|no text|");
  assert.equal(told("cancelled"), "quiet|cancelled|in step 3");
  assert.equal(told("timed_out", { step: 0 }), "fail|timed out|before its first step");
  assert.equal(told("failed", { error: { type: "x", message: "why\u202e" } }), "fail|x|why⟨U+202E⟩");
  assert.equal(told("scheduled", { start_at: "2026-01-01T00:02:05Z" }), "quiet|starts|in 1 m 00 s");
});

test("no tokens are counted before a step has ended", () => {
  assert.equal(tokensOf({ input_tokens: 0, output_tokens: 0 }, true), null);
  assert.equal(tokensOf({ input_tokens: 0, output_tokens: 0 }, false), 0);
  assert.equal(tokensOf({ input_tokens: 1, output_tokens: 2 }, true), 3);
});

test("markdown of any length and depth is read at once", () => {
  const began = performance.now();
  for (const piece of ["*", "`", "[", "[a](", "**a", "> ", "- ", "|", "```\n", "\n"]) {
    blocksOf(piece.repeat(20_000)).flatMap(parseBlock);
  }
  assert.ok(performance.now() - began < 8000, "it takes too long");
});

test("a large table stays as it is written", () => {
  const table = (rows) => `|a|b|\n|-|-|\n${"|1|2|\n".repeat(rows)}`.trim();
  assert.deepEqual(kinds(table(2000)), ["table"]);
  assert.deepEqual(parseBlock(table(3000)), [{ kind: "code", text: table(3000) }]);
});

test("arguments keep their types, and what is unchanged is what the model gave", () => {
  const schema = {
    properties: {
      text: { type: "string" }, count: { type: "integer" }, on: { type: "boolean" },
      kind: { enum: ["a", "b"] }, list: { type: "array" }, extra: { type: "string" },
    },
    required: ["text"],
  };
  const given = { text: "x", count: 3, on: true, kind: "a", list: [1], odd: null };
  const fields = fieldsOf(schema, given);
  const controls = Object.fromEntries(fields.map((it) => [it.name, it.control]));
  assert.deepEqual(controls, {
    text: "line", count: "number", on: "switch", kind: "choice", list: "json", extra: "line",
    odd: "json",
  });
  assert.equal(fieldsOf(schema, { text: "damaged in transit, handbook 4.2" })[0].control, "lines");
  assert.deepEqual(argumentsOf(fields, {}, given), { values: given, changed: [], wrong: {} });
  const texts = { count: "4", on: "false", list: "[2]", extra: "y" };
  const read = argumentsOf(fields, texts, given);
  assert.deepEqual(read.values, { ...given, count: 4, on: false, list: [2], extra: "y" });
  assert.deepEqual(read.changed, ["count", "on", "list", "extra"]);
  const wrong = argumentsOf(fields, { count: "1.5", list: "[" }, given).wrong;
  assert.deepEqual(Object.keys(wrong), ["count", "list"]);
  assert.deepEqual(Object.keys(argumentsOf(fields, { count: "9007199254740993" }, given).wrong), [
    "count",
  ]);
  const large = { text: "x", deep: [{ id: 12345678901234567890 }] };
  const some = fieldsOf({}, large);
  assert.deepEqual(argumentsOf(some, {}, large).wrong, {});
  assert.deepEqual(Object.keys(argumentsOf(some, { text: "y" }, large).wrong), ["deep"]);
});

test("a list follows the stream: what came, what went, what was pushed down", () => {
  let list = withPage(noListing(), [run("b", 2), run("a", 1)]);
  list = withFrame(list, { upsert: [run("b", 2), run("a", 1)], gone: [] }, true, false);
  list = withFrame(list, { upsert: [run("c", 3)], gone: ["a"] }, false, false);
  assert.deepEqual(ids(list), ["c", "b"]);
  const held = withFrame(list, { upsert: [run("d", 4)], gone: [] }, false, true);
  assert.deepEqual([ids(held), held.held.length], [["c", "b"], 1]);
  assert.deepEqual(ids(released(held)), ["d", "c", "b"]);
  const again = withFrame(list, { upsert: [run("c", 3, "completed")], gone: [] }, true, false);
  assert.deepEqual(again.runs.map((it) => it.status), ["completed"]);
});

test("runs below a full top stay when newer ones push them there", () => {
  const many = Array.from({ length: PAGE }, (_, at) => run(`r${String(at).padStart(2, "0")}`, at));
  const top = { upsert: many.slice(-PAGE), gone: [] };
  let list = withFrame(withPage(noListing(), many), top, true, false);
  list = withFrame(list, { upsert: [run("z", 59)], gone: ["r00"] }, false, false);
  assert.equal(ids(list).length, PAGE + 1);
  assert.equal(ids(list).at(-1), "r00");
  list = withFrame(list, { upsert: [], gone: ["r30"] }, false, false);
  assert.ok(!ids(list).includes("r30"));
});

test("words for people", () => {
  assert.deepEqual(typed("team=docs  slow run"), { "metadata.team": "docs", q: "slow run" });
  assert.equal(queryOf({ status: "failed", since: "no" }, 0), `status=failed&limit=${PAGE}`);
  assert.equal(visible("a\u202eb\u0007\u200bc\nd"), "a⟨U+202E⟩b⟨U+0007⟩⟨U+200B⟩c\nd");
  assert.equal(brief({ a: "x\u202ey", b: [1] }), "a=x⟨U+202E⟩y  b=[1]");
  assert.equal(brief({ id: 2 ** 53 }), "id=≈ 9007199254740992");
  assert.deepEqual([960, 61_000, 7_260_000].map(duration), ["1.0 s", "1 m 01 s", "2 h 01 m"]);
  assert.equal(number(1234567), "1\u2009234\u2009567");
  assert.equal(money({ amount: "0.00042", estimated: true }), "≈ $0.0004");
  assert.equal(money({ amount: "0.00000042" }), "< $0.0001");
  assert.equal(exactly({ amount: "0.00000042" }), "$0.00000042");
  assert.equal(quoted("a'b"), "'a'\\''b'");
});

test("the timeline has a row for each step, call and wait, and folds what nobody worked in", () => {
  let seq = 0;
  const event = (seconds, type, data, step = null, attempt = null) => ({
    seq: ++seq, at: new Date(seconds * 1000).toISOString(), type, step, attempt, data,
  });
  const call = { call_id: "c", name: "look", arguments: {} };
  const error = { type: "x", message: "busy" };
  const events = [
    event(0, "run.queued", { agent: "a", title: "t" }),
    event(1, "run.started", { agent: "a", limits: {} }),
    event(1, "step.started", { model: "m" }, 1, 1),
    event(2, "attempt.failed", { error, retry_in_s: 1 }, 1, 1),
    event(3, "message.delta", { text: "hi" }, 1, 2),
    event(4, "message.completed", { text: "hi", tool_calls: [call] }, 1, 2),
    event(4, "approval.requested", { approval_id: "p", call_id: "c", tool: "look" }, 1),
    event(604, "approval.resolved", { approval_id: "p", decision: "approve" }, 1),
    event(604, "tool.started", call, 1, 1),
    event(606, "tool.completed", { call_id: "c", name: "look", output: "y" }, 1, 1),
  ];
  const rows = rowsOf(applyEvents(emptyRun(), events));
  assert.deepEqual(rows.map((it) => it.label), ["queued", "Step 1", "look", "approval"]);
  assert.deepEqual(rows[1].segments.map((it) => [it.kind, it.from, it.to]), [
    ["void", 1000, 2000], ["gap", 2000, 3000], ["model", 3000, 4000],
  ]);
  assert.deepEqual(rows[3].segments.map((it) => [it.from, it.to]), [[4000, 604_000]]);
  const axis = axisOf(rows, 606_000);
  assert.deepEqual(axis.folds, [[4600, 603_700]]);
  const places = [0, 1000, 4000, 300_000, 604_000, 606_000].map(axis.x);
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
  assert.ok(Math.abs(places.at(-1) - 100) < 1e-6);
  assert.ok(ticksOf(axis, 606_000).length <= 8);
  const idle = axisOf(rows.slice(0, 1), 3_600_000);
  assert.equal(idle.folds.length, 1);
  assert.ok(ticksOf(idle, 3_600_000).length <= 8);
});

test("a strip has each stretch in its place, and long waits are folded", () => {
  const line = [["queue", 0, 100], ["model", 100, 1100], ["wait", 1100, 3_601_100], ["tool", 3_601_100, null]];
  const strip = stripOf(line, 3_602_100);
  assert.deepEqual(strip.map((it) => it.kind), ["queue", "model", "wait", "tool"]);
  const wide = Object.fromEntries(strip.map((it) => [it.kind, it.width]));
  assert.ok(wide.model > 20 && wide.tool > 20 && wide.wait < 50, JSON.stringify(wide));
  assert.ok(Math.abs(strip.at(-1).left + strip.at(-1).width - 100) < 0.01);
  assert.equal(strip.at(-1).open, true);
  assert.deepEqual(stripOf([], 10), []);
});

test("a model that is unavailable leaves its text void, and the next one is named", () => {
  let seq = 0;
  const event = (type, data, attempt) => ({
    seq: ++seq, at: "2026-01-01T00:00:00Z", type, step: 1, attempt, data,
  });
  const run = applyEvents(emptyRun(), [
    event("step.started", { model: "a" }, null),
    event("message.delta", { text: "half" }, 3),
    event("model.fallback", { from: "a", to: "b", reason: "busy" }, 3),
    event("message.delta", { text: "late" }, 3),
    event("message.delta", { text: "whole" }, 4),
  ]);
  const { model, text, attempt, voids: [gone] } = run.steps.get(1);
  assert.deepEqual([model, text, attempt], ["b", "whole", 4]);
  assert.deepEqual([gone.attempt, gone.text], [3, "half"]);
  assert.equal(gone.reason, "a is unavailable, b is asked. busy");
});

test("an attempt whose text was left out is void all the same, and says where its text is", () => {
  const at = (second) => `2026-01-01T00:00:0${second}Z`;
  const event = (seq, type, data, more = {}) => ({ seq, run_id: "r", at: at(seq % 10), type, step: 1, data, ...more });
  const events = [
    event(1, "step.started", { model: "m" }),
    event(5, "attempt.superseded", { attempt: 1, from_seq: 2, to_seq: 4, reason: "lost" }),
    event(9, "message.completed", { text: "whole", usage: { input_tokens: 1, output_tokens: 1 } }),
  ];
  const run = applyEvents(emptyRun(), events);
  const [gone] = run.steps.get(1).voids;
  assert.deepEqual([gone.attempt, gone.text, gone.seqs], [1, "", [2, 4]]);
  assert.deepEqual([run.steps.get(1).from, run.steps.get(1).text], [1, "whole"]);
  const kinds = rowsOf(run).find((row) => row.key === "step-1").segments.map((it) => it.kind);
  assert.deepEqual(kinds, ["void", "model"]);
});

test("a lean run keeps no deltas of a step that has ended, and knows the same", () => {
  const at = "2026-01-01T00:00:00Z";
  const event = (seq, type, step, data = {}) => ({ seq, run_id: "r", at, type, step, data });
  const events = [event(1, "step.started", 1, { model: "m" })];
  for (let seq = 2; seq < 500; seq++) events.push(event(seq, "message.delta", 1, { text: "w" }));
  events.push(event(500, "message.completed", 1, { text: "whole" }));
  events.push(event(501, "step.started", 2, { model: "m" }), event(502, "message.delta", 2, { text: "n" }));
  const lean = applyEvents(emptyRun(true), events);
  const all = applyEvents(emptyRun(), events);
  assert.deepEqual(lean.events.map((it) => it.seq), [1, 500, 501, 502]);
  assert.deepEqual(lean.counted, lean.events);
  assert.deepEqual([...lean.steps], [...all.steps]);
  assert.equal(all.events.length, 502);
  applyEvents(lean, [{ seq: 503, run_id: "r", at, type: "run.rewound", data: { to_seq: 500, epoch: 1 } }]);
  assert.equal(lean.steps.get(1).text, "whole");
});

test("a window has what is seen and what stays, and gaps as high as all the rest", () => {
  const heights = Array.from({ length: 100 }, (_, at) => 10 + at);
  const parts = inWindow(heights, 1000, 1200, (at) => at === 90);
  const whole = heights.reduce((sum, height) => sum + height, 0);
  const shown = parts.map(({ at, gap }) => gap || heights[at]);
  assert.equal(shown.reduce((sum, height) => sum + height, 0), whole);
  assert.ok(parts.some(({ at }) => at === 90) && parts.length < 12, JSON.stringify(parts));
  assert.deepEqual(inWindow(heights, 0, whole, () => false).map(({ at }) => at), heights.map((_, at) => at));
  assert.deepEqual(inWindow([], 0, 10, () => false), []);
});

test("what happens in a conversation belongs to its turn, and a turn knows what it took", () => {
  const at = (second) => `2026-01-01T00:00:0${second}Z`;
  const event = (seq, type, data, step) => ({ seq, run_id: "r", at: at(seq % 10), type, step, data });
  const run = applyEvents(emptyRun(), [
    event(1, "message.user", { text: "a", turn: 1 }),
    event(2, "step.started", { model: "m" }, 1),
    event(3, "turn.completed", { turn: 1, status: "completed", usage: {} }),
    event(4, "message.user", { text: "b", turn: 2, command_id: "c" }),
    event(5, "message.user", { text: "c", turn: 2, command_id: "d" }),
  ]);
  assert.deepEqual(run.items.map((it) => [it.kind, it.turn]), [
    ["user", 1], ["step", 1], ["turn", 1], ["user", 2], ["user", 2],
  ]);
  assert.deepEqual(run.items.filter((it) => it.kind === "user").map((it) => it.data.begins), [true, true, false]);
  const { steps, from } = run.items[2].data;
  assert.deepEqual([steps, run.items[2].at - from], [1, 2000]);
});

test("a call knows the run that it has started, and how that one ended", () => {
  const event = (seq, type, data) => ({ seq, run_id: "r", at: "2026-01-01T00:00:00Z", type, step: 1, data });
  const born = { call_id: "c", run_id: "run_x", agent: "helper" };
  const events = [event(1, "tool.started", { call_id: "c", name: "ask" }), event(2, "child.started", born)];
  const run = applyEvents(emptyRun(), events);
  const before = run.tools.get("c");
  assert.deepEqual(run.children.get("c"), { ...born, status: "running" });
  applyEvents(run, [event(3, "child.ended", { call_id: "c", run_id: "run_x", status: "failed" })]);
  assert.deepEqual(run.children.get("c"), { ...born, status: "failed" });
  assert.notEqual(run.tools.get("c"), before);
});

test("a call waits while the run below it does, however far down that is", () => {
  const run = (id) => ({ run_id: id, agent: "a", status: "running" });
  const asks = { data: { call_id: "c9" } };
  const held = (below, children, open = new Map()) =>
    [...heldCalls({ waits: { below: below.map((id) => ({ run_id: id })), open }, children: new Map(children) })];
  const two = [["c1", run("r1")], ["c2", run("r2")]];
  assert.deepEqual(held(["r2"], two), ["c2"]);
  assert.deepEqual(held(["r7"], two), []);
  assert.deepEqual(held(["r7"], two.slice(0, 1)), ["c1"]);
  assert.deepEqual(held([], two, new Map([["x", asks]])), ["c9"]);
  assert.deepEqual(held(["r1"], [["c1", { ...run("r1"), status: "completed" }]]), []);
});

test("each turn of a conversation has its limits; any other run has them as a whole", () => {
  const at = "2026-01-01T00:00:00Z";
  let seq = 0;
  const event = (type, data, step = null) => ({ seq: ++seq, at, type, step, attempt: 1, data });
  const usage = { input_tokens: 10, output_tokens: 1, cost: { amount: "0.1", estimated: false } };
  const step = (number) => [
    event("step.started", { model: "m" }, number),
    event("message.completed", { text: "", usage, tool_calls: [{ call_id: `c${number}`, name: "t" }] }, number),
  ];
  const events = (open) => [
    event("run.queued", { open }),
    event("message.user", { text: "a", turn: open ? 1 : 0 }),
    ...step(1), ...step(2),
    event("message.user", { text: "b", turn: open ? 2 : 0 }),
    ...step(3),
  ];
  const counted = (open) => countedOf(applyEvents(emptyRun(), (seq = 0, events(open))));
  const own = { input_tokens: 10, output_tokens: 1, cost: { amount: "0.1", estimated: false } };
  assert.deepEqual(counted(true), { turn: 2, steps: 1, calls: 1, usage: own });
  const whole = { input_tokens: 30, output_tokens: 3 };
  assert.deepEqual(counted(false), { turn: 0, steps: 3, calls: 3, usage: whole });
  assert.deepEqual(usageOf(applyEvents(emptyRun(), (seq = 0, events(true)))), whole);
});

test("a simple rule is said in words, if they say all of it", () => {
  const over = { properties: { amount: { exclusiveMinimum: 50 } } };
  assert.equal(inWords(over, { amount: 184.9 }), "amount > 50");
  assert.equal(inWords(over), "amount > 50");
  assert.equal(inWords(over, { amount: "much" }), "");
  assert.equal(inWords(over, {}), "");
  const more = { type: "object", properties: { to: { enum: ["a", 1] }, at: { pattern: "^/" } }, required: ["to", "why"] };
  assert.equal(inWords(more, { to: "a", at: "/x" }), 'to is one of "a", 1 and at matches ^/ and why is given');
  assert.equal(inWords({ not: over }, { amount: 1 }), "");
  assert.equal(inWords({ properties: { a: { minLength: 3 } } }, { a: "abcd" }), "");
  assert.equal(inWords({}, { a: 1 }), "");
});

test("a step of a turn that has failed does not go on", () => {
  const at = (seq) => `2026-01-01T00:00:0${seq}Z`;
  const event = (seq, type, data, step = null) => ({ seq, at: at(seq), type, step, attempt: 1, data });
  const run = applyEvents(emptyRun(), [
    event(1, "run.queued", { open: true }),
    event(2, "message.user", { text: "a", turn: 1 }),
    event(3, "step.started", { model: "m" }, 1),
    event(5, "turn.completed", { turn: 1, status: "failed", usage: {} }),
  ]);
  assert.equal(run.steps.get(1).endedAt, Date.parse(at(5)));
  assert.equal(run.steps.get(1).ended, false);
  assert.equal(rowsOf(run).at(-1).segments[0].to, 4000);
});

test("a run that asks knew the results of the steps before, and no other call of its own", () => {
  const at = "2026-01-01T00:00:00Z";
  const call = (seq, step, call_id, type, more = {}) =>
    ({ seq, at, step, attempt: 1, type, data: { call_id, name: "look", ...more } });
  const events = [
    call(1, 1, "call_1_0", "tool.started", { arguments: { path: "a" } }),
    call(2, 1, "call_1_0", "tool.failed", { error: "busy", retryable: true }),
    call(3, 1, "call_1_0", "tool.started", { arguments: { path: "a" } }),
    call(4, 1, "call_1_0", "tool.completed", { output: "42" }),
    call(5, 1, "call_1_1", "tool.failed", { error: "gone", retryable: false }),
    call(6, 2, "call_2_0", "tool.completed", { output: "beside" }),
    call(7, 2, "call_2_1", "tool.started"),
  ];
  const ids = (item) => knownTo(events, item).map((tool) => tool.callId);
  for (const kind of ["approval", "input"]) {
    assert.deepEqual(ids({ kind, step: 2 }), ["call_1_0", "call_1_1"]);
  }
  assert.deepEqual(ids({ kind: "resume", step: 2 }), ["call_1_0", "call_1_1", "call_2_0"]);
  const [looked] = knownTo(events, { kind: "approval", step: 2 });
  assert.deepEqual([looked.attempts.length, looked.output], [2, "42"]);
});

test("the line of a list is another text only when that can be seen", () => {
  const line = [["model", 0, 40_000], ["tool", 40_000, null]];
  const at = (end) => barsOf(line, end);
  assert.equal(at(80_000), "model 0 50 \ntool 50 50 open");
  assert.equal(at(80_100), at(80_000));
  assert.notEqual(at(90_000), at(80_000));
  assert.equal(barsOf([], 5000), "");
});

test("a whole number of days has no hours", () => {
  assert.equal(duration(7 * 86_400_000), "7 d");
  assert.equal(duration(7 * 86_400_000 + 3_600_000), "7 d 1 h");
});

test("a call's row tells its arguments", () => {
  const at = "2026-01-01T00:00:00Z";
  const events = [
    { seq: 1, at, step: 1, attempt: 1, type: "step.started", data: {} },
    { seq: 2, at, step: 1, attempt: 1, type: "message.completed",
      data: { tool_calls: [{ call_id: "c", name: "look", arguments: { path: "a" } }] } },
    { seq: 3, at, step: 1, attempt: 1, type: "tool.started",
      data: { call_id: "c", name: "look", arguments: { path: "a" } } },
  ];
  const row = rowsOf(applyEvents(emptyRun(), events)).find((it) => it.key === "c");
  assert.equal(row.sub, "path=a");
});

const ORDER = {
  type: "object",
  properties: {
    name: { type: "string", title: "Your name", minLength: 2 },
    age: { type: "integer", minimum: 18, description: "In years" },
    rate: { type: "number" },
    hot: { type: "boolean" },
    size: { type: "string", enum: ["s", "l"], enumNames: ["Small", "Large"] },
    extras: { type: "array", items: { anyOf: [{ const: "m", title: "Milk" }, { const: "h", title: "Honey" }] } },
    ["__proto__"]: { type: "string" },
    constructor: { type: "string", default: "x" },
  },
  required: ["name", "age", "hot"],
};

test("a question's schema is a form, and what it holds is the answer or is wrong by field", () => {
  const form = formOf(ORDER);
  const controls = form.fields.map((it) => it.control).join(" ");
  assert.equal(controls, "line number number choice choice choices line line");
  const [name, , , hot, size, extras] = form.fields;
  assert.deepEqual([name.label, name.required, size.required], ["Your name", true, false]);
  assert.deepEqual(hot.choices, [["true", "Yes"], ["false", "No"]]);
  assert.deepEqual(size.choices, [["s", "Small"], ["l", "Large"]]);
  assert.deepEqual(extras.choices, [["m", "Milk"], ["h", "Honey"]]);
  const wrong = (held) => ({ ...answerOf(form, new Map(Object.entries(held))).wrong });
  assert.deepEqual(wrong({}), { name: "is required", age: "is required", hot: "is required" });
  assert.deepEqual(wrong({ name: ["x"], age: ["1.5"], hot: ["true"], rate: ["ten"] }), {
    name: "needs at least 2 characters", age: "must be a whole number", rate: "must be a number",
  });
  assert.deepEqual(wrong({ name: ["xy"], age: ["17"], hot: ["false"] }), { age: "must be at least 18" });
  const held = [["name", ["decline"]], ["age", ["20"]], ["hot", ["false"]], ["extras", ["h"]], ["__proto__", ["p"]]];
  assert.equal(
    answerOf(form, new Map(held)).text,
    '{"name":"decline","age":20,"hot":false,"extras":["h"],"__proto__":"p","constructor":"x"}',
  );
});

const fieldWith = (more) => formOf({ type: "object", properties: { a: more }, required: ["a"] });
const given = (more) => fieldWith(more).fields[0].given;

test("what a schema holds in the wrong place breaks no form", () => {
  const odd = { toString: 1, valueOf: 1 };
  const text = { type: "string", default: odd, title: odd, description: odd, minLength: odd, maxLength: odd };
  const form = fieldWith(text);
  assert.deepEqual(form.fields.map(({ label, help, given }) => [label, help, given]), [["a", "", []]]);
  assert.equal(answerOf(form, new Map([["a", ["x"]]])).text, '{"a":"x"}');
  const number = fieldWith({ type: "number", minimum: odd, maximum: odd, default: [odd] });
  assert.equal(answerOf(number, new Map([["a", ["1"]]])).text, '{"a":1}');
  assert.deepEqual(fieldWith({ enum: ["s"], enumNames: [odd] }).fields[0].choices, [["s", "s"]]);
  assert.deepEqual(fieldWith({ oneOf: [{ const: "s", title: odd }] }).fields[0].choices, [["s", "s"]]);
  const many = { type: "array", items: { enum: ["s"] }, default: [odd, [odd], "s"], minItems: odd, maxItems: odd };
  assert.equal(answerOf(fieldWith(many), new Map()).text, '{"a":["s"]}');
  assert.equal(formOf({ enum: ["s"], title: odd, default: odd }).fields[0].label, "answer");
});

test("a default that is none of the choices is not given", () => {
  assert.deepEqual(given({ type: "boolean", default: "yes" }), []);
  assert.deepEqual(given({ type: "boolean", default: false }), ["false"]);
  assert.deepEqual(given({ enum: ["s", "l"], default: "m" }), []);
  assert.deepEqual(given({ enum: ["s", "l"], default: "l" }), ["l"]);
  const extras = { type: "array", items: { enum: ["m", "h"] }, default: ["h", "x", "m", "m"] };
  assert.deepEqual(given(extras), ["m", "h"]);
  const form = fieldWith({ type: "boolean", default: "yes" });
  assert.deepEqual({ ...answerOf(form, new Map()).wrong }, { a: "is required" });
});

test("an object that does not say which properties it has, or requires others, stays a text", () => {
  for (const properties of [undefined, null, 5, ["a"]]) {
    assert.equal(formOf({ type: "object", properties }), null);
  }
  const a = { type: "string" };
  for (const required of [["b"], ["toString"], [{ toString: 1 }]]) {
    assert.equal(formOf({ type: "object", properties: { a }, required }), null);
  }
});

test("a choice between texts is one field, and what is no flat form stays a text", () => {
  const form = formOf({ enum: ["red", "green"] });
  assert.equal(answerOf(form, new Map([["answer", ["green"]]])).text, "green");
  assert.deepEqual(formOf({ type: "object", properties: {} }).fields, []);
  const inner = { type: "object", properties: {} };
  for (const one of [inner, true, null, { type: "array", items: { type: "string" } }, { enum: [1, 2] }, { oneOf: 3 }]) {
    assert.equal(formOf({ type: "object", properties: { a: one } }), null);
  }
  assert.equal(formOf({ type: "string", pattern: "^a" }), null);
  assert.equal(formOf({ type: "object", required: 5, properties: { a: { type: "string" } } }).fields.length, 1);
});

test("a text that comes with a picture of itself is a text, the names of files are none", () => {
  assert.equal(isOwnText("1\t2\r\n3\t4\r\n", ["image.png"]), true);
  assert.equal(isOwnText("a.txt\nwhat it says", ["a.txt"]), true);
  for (const text of ["", "\n", "a.txt", "/home/ann/a.txt\r\n/home/ann/b.txt\r\n"]) {
    assert.equal(isOwnText(text, ["a.txt", "b.txt"]), false);
  }
});

test("only pictures are drawn, and only what a model takes is sent", () => {
  for (const type of ["image/svg+xml", "text/html", "application/pdf", "", undefined]) {
    assert.equal(isPicture(type), false);
  }
  assert.equal(isPicture("image/png"), true);
  assert.deepEqual([claimOf("image/svg+xml"), claimOf("image/png"), claimOf("text/csv")], ["", "", "text/csv"]);
  assert.deepEqual([bytes(0), bytes(1023), bytes(1536), bytes(33554432)], ["0 bytes", "1023 bytes", "1.5 KiB", "32 MiB"]);
  const limits = { types: ["image/png"], max_bytes: 100, max_text_bytes: 10, max_parts: 4 };
  const said = (size, type, uploaded = false) => refusalOf({ size, type, uploaded }, limits);
  assert.equal(said(50, "image/png"), "");
  assert.equal(said(0, "image/png"), "is empty");
  assert.equal(said(101, "image/png"), "has 101 bytes; a file has at most 100 bytes");
  assert.equal(said(50, "application/zip"), "is application/zip; the model takes PNG, texts");
  assert.equal(said(50, "image/svg+xml"), "");
  assert.match(said(50, "text/plain", true), /^is a text of 50 bytes/);
  assert.match(said(50, "application/octet-stream", true), /the model takes/);
  assert.equal(addressOf("https://x.example:8/a b").href, "https://x.example:8/a%20b");
  for (const url of ["javascript:alert(1)", "data:text/html,x", "//x", "https://a@b/", "blob:x", null]) {
    assert.equal(addressOf(url), null);
  }
});

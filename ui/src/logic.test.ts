import { describe, expect, it } from "vitest";
import { href, hrefOfRef, placeOf } from "./address";
import { roomsTouched } from "./api/live";
import type { Decision, MonitoringWindow, Profile, Run, RunColumns } from "./api/types";
import { extent, ticks } from "./charts/scale";
import { smoothed } from "./charts/smooth";
import { ago, bytes, call, lasted, quoted, span, value } from "./format";
import { sentence } from "./parts/sentence";
import { partsOf, typeOf } from "./rooms/api/schema";
import { boxesOf } from "./rooms/data/lineage";
import { columnChanges, shapeOf } from "./rooms/data/shape";
import { quantile, trafficOf } from "./rooms/deployments/prometheus";
import { classOfKey, pieces, withSpan } from "./rooms/labels/answer";
import { health, stageOf } from "./rooms/loops/stage";
import { identifier, missing, projectFile, type Chosen } from "./rooms/builder/plain";
import { best, bestWait, inProject, triggerText } from "./rooms/loops/prices";
import { marksOf, metricOf, pointsOf } from "./rooms/loops/timeline";
import { curlOf } from "./rooms/models/request";
import { barsOf, type Reference } from "./rooms/monitoring/bins";
import { stepsOf } from "./rooms/pipelines/steps";
import { rowsOf, shownAs } from "./rooms/runs/artifact";
import { both, complete, equal } from "./rooms/runs/filter";
import { rankCorrelation, shareBetween, weights } from "./rooms/runs/stats";

describe("addresses", () => {
  it("a place and its address are the same thing", () => {
    const place = placeOf(href(["models", "a/b c", 3], { tab: "gates", none: "" }));
    expect(place.parts).toEqual(["models", "a/b c", "3"]);
    expect([...place.query]).toEqual([["tab", "gates"]]);
  });
  it("addresses of MLflow's page lead to ours", () => {
    expect(placeOf("#/experiments/7/runs/abc").parts).toEqual(["runs", "abc"]);
    expect(placeOf("#/experiments/7").query.get("experiment")).toBe("7");
    expect(placeOf("#/models/churn/versions/2").parts).toEqual(["models", "churn", "2"]);
  });
  it("a broken escape is a name like any other", () => expect(placeOf("#/loops/%E0%A4%A").parts).toEqual(["loops", "%E0%A4%A"]));
  it("a reference leads to the page of its thing", () => {
    expect(hrefOfRef("models:/churn/3")).toBe("#/models/churn/3");
    expect(hrefOfRef("features:/weather/1")).toBe("#/features/weather");
    expect(hrefOfRef("windows:/churn/2024-01-01T00:00:00+00:00")).toBe("#/monitoring/churn?window=2024-01-01T00%3A00%3A00%2B00%3A00");
    expect(hrefOfRef("nothing")).toBe("");
    expect(hrefOfRef("unknown:/x")).toBe("");
  });
});

describe("words", () => {
  it("numbers have three or four digits", () => expect([null, 0.71234, 12.3456, 1234567, 0.00001, 3].map(value)).toEqual(["–", "0.712", "12.35", "1,234,567", "1.0e-5", "3"]));
  it("times and sizes have fitting units", () => {
    expect([span(604800), span(5400), lasted(0.0123), lasted(75), lasted(90000), bytes(1234567)]).toEqual(["7 days", "90 minutes", "12 ms", "1 min 15 s", "1 d 1 h", "1.2 MB"]);
    expect(ago("2024-01-01T00:00:00Z", Date.parse("2024-01-03T00:00:00Z"))).toBe("2 days ago");
  });
  it("a shell takes a quoted text as it is", () => expect(quoted("it's")).toBe("'it'\\''s'"));
  it("a call leaves out what is empty", () => expect(call("drift", { share: 0.1, columns: [], name: "" })).toBe("drift(share=0.1)"));
  it("an event of an unknown kind tells its facts", () => expect(sentence({ id: 1, kind: "new.thing_made", subject: "models:/x", at: "", facts: { who: "ada", deep: {} } })).toBe("thing made x: who ada"));
  it("an event names the rooms that are read again", () => {
    expect(roomsTouched("tracking.run_ended")).toContain("run_search");
    expect(roomsTouched("unheard.of")).toEqual([]);
  });
});

describe("charts", () => {
  it("ticks are round and cover the range", () => {
    expect(ticks(0.583, 0.768, 4)).toEqual([0.55, 0.6, 0.65, 0.7, 0.75, 0.8]);
    expect(ticks(5, 5)).toHaveLength(2);
  });
  it("an extent passes over what is undefined", () => expect(extent([null, 3, undefined, -1, NaN])).toEqual([-1, 3]));
  it("smoothing keeps a constant, its length and its holes", () => {
    smoothed([2, null, 2, 2], 0.9).forEach((one, i) => (i === 1 ? expect(one).toBeNull() : expect(one).toBeCloseTo(2)));
    expect(smoothed([1, 5], 0)).toEqual([1, 5]);
    expect(smoothed([0, 1], 0.5)[1]).toBeCloseTo(2 / 3);
  });
});

const KNOWN: RunColumns = { metrics: ["auc", "loss per row"], params: ["depth"], tags: ["team"], runs: 3 };
describe("the filter language", () => {
  const options = (text: string) => complete(text, KNOWN).options;
  it("begins with a field", () => {
    expect(options("")[0]).toBe("metrics.auc");
    expect(options("dep")).toEqual(["params.depth"]);
    expect(options("")).toContain("metrics.`loss per row`");
  });
  it("goes on with an operator, a value, and a joint", () => {
    expect(options("metrics.auc ")).toContain(">=");
    expect(options("params.depth ")).toContain("LIKE");
    expect(options("state = ")).toContain("'failed'");
    expect(options("state = 'failed' ")).toEqual(["AND", "OR"]);
    expect(options("metrics.auc > 0.5 AND ")[0]).toBe("metrics.auc");
  });
  it("replaces what is typed, not what stands before", () => expect(complete("metrics.auc > 1 AND par", KNOWN).from).toBe(20));
  it("joins conditions and quotes values", () => {
    expect(both("a = 'x' OR b = 'y'", "c = 1")).toBe("(a = 'x' OR b = 'y') AND c = 1");
    expect(both("", "c = 1")).toBe("c = 1");
    expect(equal("tags.team", "o'neil")).toBe("tags.team = 'o''neil'");
    expect(equal("params.depth", null)).toBe("params.depth IS NULL");
  });
});

const run = (params: Run["params"], auc: number): Run => ({ params, metrics: { auc } }) as unknown as Run;
describe("what goes with a metric", () => {
  it("ranks agree, oppose, or tell nothing", () => {
    expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 99])).toBeCloseTo(1);
    expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1);
    expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBeNull();
  });
  it("a choice that decides all has all of the variance", () => {
    expect(shareBetween(["a", "a", "b", "b"], [1, 1, 2, 2])).toBeCloseTo(1);
    expect(shareBetween(["a", "b", "c"], [1, 2, 3])).toBeNull();
  });
  it("the strongest param comes first", () => {
    const runs = [1, 2, 3, 4, 5, 6].map((depth) => run({ depth, seed: [3, 1, 2, 6, 4, 5][depth - 1]!, kind: depth % 2 ? "x" : "y" }, depth / 10));
    expect(weights(runs, "auc").map((w) => w.param)[0]).toBe("depth");
  });
});

describe("artifacts", () => {
  it("are shown by their names, and unknown bytes not at all", () => {
    expect([["a.PNG", ""], ["r.html", ""], ["t.csv", ""], ["log.txt", "log"], ["output", "pickle"], ["output", "noun"], ["t.parquet", ""], ["output", "table"], ["x.bin", ""]].map(([n, k]) => shownAs(n!, k!))).toEqual(["image", "html", "table", "text", "model", "text", "rows", "rows", "bytes"]);
  });
  it("tables come out of CSV, of lists and of MLflow's form", () => {
    expect(rowsOf('a,b\n1,"x, ""y"""\n', "table")).toEqual({ columns: ["a", "b"], rows: [["1", 'x, "y"']] });
    expect(rowsOf('[{"a":1},{"b":2}]', "json")).toEqual({ columns: ["a", "b"], rows: [[1, undefined], [undefined, 2]] });
    expect(rowsOf('{"columns":["a"],"data":[[1]]}', "json")).toEqual({ columns: ["a"], rows: [[1]] });
    expect([rowsOf("{broken", "json"), rowsOf("3", "json"), rowsOf("null", "json")]).toEqual([null, null, null]);
  });
});

describe("loops", () => {
  it("stand at the stage of the step that runs", () => {
    expect(stageOf({ state: "watching", training: null })).toBe("Monitor");
    expect(stageOf({ state: "rolling out", training: null })).toBe("Deploy");
    expect(stageOf({ state: "training", training: { kind: "train" } as never }, [{ name: "evaluate", state: "running" }, { name: "train", state: "finished" }])).toBe("Evaluate");
    expect(stageOf({ state: "training", training: { kind: "judge" } as never })).toBe("Gate");
  });
  it("wait for a person before all else", () => {
    expect(health({ state: "training" }, 0, 1).word).toBe("waiting for a person");
    expect(health({ state: "watching" }, 0, 0).word).toBe("healthy");
    expect(health({ state: "watching" }, 2, 0).word).toBe("watching an alert");
  });
  it("mark on one line what was measured, drifted and decided", () => {
    const window = { start: "2024-01-01T00:00:00Z", end: "2024-01-08T00:00:00Z", performance: [{ name: "auc", value: 0.7, low: 0.6, high: 0.8, n: 9 }], estimated: [], predictions: 10, labelled: 9, findings: [], drift: { drifted: true, columns: [{ column: "age", drifted: true, cause: "age rose" }] } } as unknown as MonitoringWindow;
    expect(metricOf([window])).toBe("auc");
    expect(pointsOf([window], "auc")[0]).toMatchObject({ value: 0.7, low: 0.6, estimate: null });
    const decision = (at: string, what: string) => ({ at, decision: what, reason: "because" }) as Decision;
    expect(marksOf([decision("2024-01-09T00:00:00Z", "promote"), decision("2024-01-10T00:00:00Z", "wait")], [], [window]).map((m) => m.kind)).toEqual(["drift", "release"]);
  });
});

describe("what is served", () => {
  const text = 'flyball_serving_requests_total{deployment="a"} 4\nflyball_serving_requests_total{deployment="b"} 9\nflyball_serving_request_seconds_bucket{deployment="a",le="0.01"} 2\nflyball_serving_request_seconds_bucket{deployment="a",le="0.1"} 4\nflyball_serving_request_seconds_bucket{deployment="a",le="+Inf"} 4';
  it("counts are of one deployment", () => expect(trafficOf(text, "a").requests).toBe(4));
  it("a quantile lies within its bucket", () => {
    expect(quantile(trafficOf(text, "a").buckets, 0.5)).toBeCloseTo(0.01);
    expect(quantile(trafficOf(text, "a").buckets, 0.75)).toBeCloseTo(0.055);
    expect(quantile([], 0.5)).toBeNull();
  });
  it("a request is typed in a shell and in Python", () => {
    const { curl, python } = curlOf("http://h", "late", { a: null, b: "it's true", c: true });
    expect(curl).toContain("'{\"rows\":[{\"a\":null,\"b\":\"it'\\''s true\",\"c\":true}]}'");
    expect(python).toContain('{"a":None,"b":"it\'s true","c":True}');
  });
  it("bins stand beside those of the reference", () => {
    const counts = (n: number[], missing = 0) => ({ counts: n, total: n.reduce((a, b) => a + b, missing), missing, below: 0, above: 0, unseen: 0 });
    const reference = { numeric: [{ column: "x", edges: [0, 1, 2], repeated: [] }], categorical: [], profile: { columns: { x: counts([5, 5]) } } } as unknown as Reference;
    const bars = barsOf("x", reference, { columns: { x: counts([2, 6], 2) } } as unknown as Profile);
    expect(bars.map((b) => [b.label, b.before, b.now])).toEqual([["0 to 1", 0.5, 0.2], ["1 to 2", 0.5, 0.6], ["missing", 0, 0.2]]);
    expect(barsOf("y", reference, { columns: {} } as unknown as Profile)).toEqual([]);
  });
});

describe("pipelines and data", () => {
  const step = (name: string, after = ""): Run => ({ id: name, name, kind: "step", parent: "p", started: "2024-01-01T00:00:00Z", ended: "2024-01-01T00:00:00Z", tags: { cache: "miss", ...(after ? { after } : {}) } }) as unknown as Run;
  it("steps stand in their order where nothing says what feeds them", () => {
    expect(stepsOf([step("a"), step("b")])).toMatchObject({ isOrderOnly: true, steps: [{ after: [] }, { after: ["a"] }] });
    expect(stepsOf([step("a"), step("b"), step("c", "a, b")])).toMatchObject({ isOrderOnly: false, steps: [{}, { after: [] }, { after: ["a", "b"] }] });
  });
  it("lineage names each thing once", () => {
    const edge = { source: "runs:/1", target: "models:/m/1", relation: "produced" };
    const { boxes, arrows } = boxesOf("models:/m/1", [edge, edge]);
    expect([boxes.length, arrows.length, arrows[0]?.label]).toEqual([2, 1, "produced"]);
  });
  it("columns are new, gone or of another type", () => {
    const column = (name: string, storage: string) => ({ name, type: storage, storage });
    expect(columnChanges([column("a", "int"), column("b", "int")], [column("b", "double"), column("c", "int")]).map((c) => `${c.column} ${c.what}`)).toEqual(["c is new (int)", "a is gone", "b went from int to double"]);
  });
  it("a column's shape is its histogram, or its most frequent values", () => {
    const of = { rows: 4, histogram: [1, 3], bins: null, top: [{ value: "x", rows: 4 }], minimum: 0, maximum: 2, type: "float" as const };
    expect(shapeOf(of)[1]).toEqual({ label: "1 to 2", share: 0.75 });
    expect(shapeOf({ ...of, histogram: [] })).toEqual([{ label: "x", share: 1 }]);
  });
});

describe("labelling", () => {
  it("keys stand for classes", () => {
    expect(classOfKey("2", { task: "classify", classes: ["a", "b"] })).toBe("b");
    expect(classOfKey("y", { task: "accept", classes: [] })).toBe("yes");
    expect(classOfKey("9", { task: "classify", classes: ["a"] })).toBeUndefined();
  });
  it("a span takes the place of those that it crosses", () => {
    const marks = withSpan([{ start: 0, end: 4, label: "A" }, { start: 6, end: 8, label: "B" }], { start: 3, end: 5, label: "C" });
    expect(marks).toEqual([{ start: 3, end: 5, label: "C" }, { start: 6, end: 8, label: "B" }]);
  });
  it("a text is cut by its signs", () => expect(pieces("a😀b c", [{ start: 1, end: 2, label: "E" }]).map((p) => p.text)).toEqual(["a", "😀", "b c"]));
});

describe("the description of the API", () => {
  it("docstrings fall into their parts", () => {
    const { said, args, raises } = partsOf("Does it.\n\nArgs:\n    limit: At most this many,\n        up to 10.\n\nRaises:\n    NotFound: there is none.");
    expect([said, args.limit, raises.NotFound]).toEqual(["Does it.", "At most this many, up to 10.", "there is none."]);
  });
  it("types are words", () => expect(typeOf({ anyOf: [{ type: "array", items: { $ref: "#/x/Run" } }, { type: "null" }] })).toBe("list of Run or null"));
});

describe("prices of policies", () => {
  const one = (trainings: number, gain: number | null, more = {}) => ({ retrain: [`decay(by=${trainings})`], cooldown: "1209600s", trainings, waits: 0, quality: null, gain, seconds: null, is_present: false, is_best: true, ...more });
  it("the policy that pays best depends on what a training costs", () => {
    const found = [one(2, 0), one(10, 0.02), one(5, 0.01, { is_present: true })];
    expect(best(found, { worth: 1, cost: 0, loss: 0 }, 10)!.trainings).toBe(10);
    expect(best(found, { worth: 1, cost: 10, loss: 0 }, 10)!.trainings).toBe(2);
  });
  it("a loss is assumed where the past does not tell it", () => {
    const found = [one(1, null), one(9, null), one(3, null, { is_present: true })];
    expect(best(found, { worth: 10, cost: 1, loss: 0.001 }, 20)!.trainings).toBe(9);
    expect(best(found, { worth: 10, cost: 1, loss: 0 }, 20)!.trainings).toBe(1);
    expect(bestWait({ worth: 7, cost: 50, loss: 0.01 })).toBe(10);
  });
  it("triggers and cool-downs are written as in a project", () => {
    expect(triggerText({ trigger: "decay", params: { metric: "roc_auc", by: 0.02 } })).toBe('decay(metric="roc_auc", by=0.02)');
    expect(inProject({ retrain: ["drift(windows=2)"], cooldown: "1209600s" })).toBe('retrain=[fb.on.drift(windows=2)],\ncooldown="14d",');
  });
});

describe("the builder", () => {
  const chosen: Chosen = { name: "", dataset: { name: "my-orders", source: "a \"b\".csv", query: "", key: "id", time: "", label_time: "" }, label: "paid", leftOut: [], views: [], kind: "classification", model: "linear", holdout: "20%", slices: [], schedule: "" };
  it("names things as Python lets it, and quotes the rest", () => {
    expect(["my-orders", "2nd", "class", "---"].map(identifier)).toEqual(["my_orders", "the_2nd", "the_class", "thing"]);
    expect(projectFile(chosen)).toContain('my_orders = fb.dataset("my-orders", "a \\"b\\".csv", key="id", label="paid")');
    expect(projectFile(chosen)).toContain("def train_my_orders_paid():");
  });
  it("says what is missing before it writes a file that cannot run", () => {
    expect(missing(chosen)).toBe("");
    expect(missing({ ...chosen, label: "" })).toContain("column");
    expect(missing({ ...chosen, holdout: "14d" })).toContain("no time");
    expect(missing({ ...chosen, dataset: { ...chosen.dataset, key: "" } })).toContain("neither");
  });
});

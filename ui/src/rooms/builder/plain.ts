// Writes a project file: a plain, readable pipeline out of what was chosen.

import type { Dataset, FeatureView } from "../../api/types";

export type Kind = "classification" | "regression";
export type Model = "boosting" | "forest" | "linear";

export interface Chosen {
  name: string;
  dataset: Pick<Dataset, "name" | "source" | "query" | "key" | "time" | "label_time">;
  label: string;
  leftOut: string[];
  views: Pick<FeatureView, "name" | "source" | "query" | "function" | "entity" | "time" | "ttl_seconds">[];
  kind: Kind;
  model: Model;
  holdout: string;
  slices: string[];
  schedule: string;
}

const MODELS: Record<Model, Record<Kind, [from: string, name: string]>> = {
  boosting: { classification: ["sklearn.ensemble", "HistGradientBoostingClassifier"], regression: ["sklearn.ensemble", "HistGradientBoostingRegressor"] },
  forest: { classification: ["sklearn.ensemble", "RandomForestClassifier"], regression: ["sklearn.ensemble", "RandomForestRegressor"] },
  linear: { classification: ["sklearn.linear_model", "LogisticRegression"], regression: ["sklearn.linear_model", "Ridge"] },
};
const SETTINGS: Record<Model, Record<Kind, string>> = {
  boosting: { classification: "random_state=0", regression: "random_state=0" },
  forest: { classification: "n_estimators=200, min_samples_leaf=5, random_state=0", regression: "n_estimators=200, min_samples_leaf=5, random_state=0" },
  linear: { classification: "max_iter=1000", regression: "" },
};

const text = (given: string): string => JSON.stringify(given);
const list = (given: string[]): string => `[${given.map(text).join(", ")}]`;

/** A name as Python lets one call a thing. */
export function identifier(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_]+/g, "_").replace(/^_+|_+$/g, "") || "thing";
  return /^[0-9]/.test(plain) || KEYWORDS.has(plain) ? `the_${plain}` : plain;
}

const KEYWORDS = new Set("False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield train fb".split(" "));

/** Features that a project file can declare again: those of a file, or of a query over it. */
export const isDeclarable = (view: Chosen["views"][number]): boolean => view.source !== "" && !view.function && !view.query;

function imports({ model, kind }: Chosen): string[] {
  const [from, name] = MODELS[model][kind];
  if (model === "boosting") return [`from ${from} import ${name}`];
  return ["from sklearn.compose import make_column_transformer", ...(model === "forest" ? [`from ${from} import ${name}`] : []), "from sklearn.impute import SimpleImputer", ...(model === "linear" ? [`from ${from} import ${name}`] : []),
    "from sklearn.pipeline import make_pipeline", `from sklearn.preprocessing import OneHotEncoder${model === "linear" ? ", StandardScaler" : ""}`];
}

function train({ model, kind, leftOut }: Chosen): string[] {
  const [, name] = MODELS[model][kind];
  const made = `${name}(${SETTINGS[model][kind]})`;
  const drop = leftOut.length ? [`    x = x.drop(columns=${list(leftOut)}, errors="ignore")`] : [];
  if (model === "boosting") return ["    x, y = rows.labelled().xy()", ...drop, `    return ${made}.fit(x, y)`];
  const numbers = model === "linear" ? "make_pipeline(SimpleImputer(), StandardScaler())" : "SimpleImputer()";
  return [
    "    x, y = rows.labelled().xy()", ...drop, '    numbers = list(x.select_dtypes("number"))', "    others = [column for column in x if column not in numbers]", "    encode = make_column_transformer(", `        (${numbers}, numbers),`,
    '        (OneHotEncoder(handle_unknown="ignore", min_frequency=10), others),', "    )", `    return make_pipeline(encode, ${made}).fit(x, y)`,
  ];
}

function span(seconds: number): string {
  const [size, unit] = ([[86_400, "d"], [3600, "h"], [60, "m"], [1, "s"]] as [number, string][]).find(([length]) => seconds % length === 0) ?? [1, "s"];
  return `${seconds / size}${unit}`;
}

/** A call on one line, or one argument a line where that grows too long. */
function call(name: string, given: string[]): string {
  const line = `${name}(${given.join(", ")})`;
  return line.length <= 100 ? line : `${name}(\n${given.map((one) => `    ${one},\n`).join("")})`;
}

/** What keeps a project file from being written out of this; empty if nothing does. */
export function missing({ dataset, label, holdout }: Chosen): string {
  if (!label) return "Choose the column that shall be predicted.";
  if (dataset.query) return "The dataset is a query: its declaration stands in a project already.";
  if (!dataset.time && !dataset.key) return "The dataset has neither a time nor a key, so no rows can be held out to judge by. Declare one in a project.";
  if (!dataset.time && !holdout.endsWith("%")) return "The dataset has no time: hold out a share, such as 20%.";
  return "";
}

export function projectFile(chosen: Chosen): string {
  const { dataset, label, views, kind, holdout, slices, schedule } = chosen;
  const name = chosen.name || `${dataset.name}-${label}`;
  const rows = identifier(dataset.name), pipeline = identifier(`train_${name}`), metric = kind === "classification" ? "roc_auc" : "rmse";
  const roles = (["key", "time"] as const).filter((role) => dataset[role]).map((role) => `${role}=${text(dataset[role])}`);
  const declared = [text(dataset.name), text(dataset.source), ...roles, `label=${text(label)}`, ...(dataset.label_time ? [`label_time=${text(dataset.label_time)}`] : [])];
  const known = views.filter(isDeclarable);
  const features = known.length ? `, features=[${known.map((view) => identifier(view.name)).join(", ")}]` : "";
  return [
    `"""Predicts ${label} of ${dataset.name}. Written by the builder; it is yours now.`, "", `    flyball run ${pipeline}`, "    flyball apply", '"""', "",
    ...imports(chosen), "", "import flyball as fb", "", call(`${rows} = fb.dataset`, declared),
    ...known.map((view) => call(`${identifier(view.name)} = fb.feature_view`, [text(view.name), text(view.source), `entity=${view.entity.length === 1 ? text(view.entity[0]!) : list(view.entity)}`, `time=${text(view.time)}`, ...(view.ttl_seconds ? [`ttl=${text(span(view.ttl_seconds))}`] : [])])),
    "", "", "@fb.step", "def train(rows: fb.Table) -> fb.Model:", ...train(chosen), "", "", "@fb.pipeline", `def ${pipeline}():`, `    rows = fb.training_set(${rows}${features})`, `    past, held = fb.split(rows, holdout=${text(holdout)})`, "    model = train(past)",
    `    scored = fb.evaluate(model, held${slices.length ? `, slices=${list(slices)}` : ""})`, `    return fb.register(${text(name)}, model, scored, reference=past)`, "", "", "fb.loop(", `    ${text(name)},`, `    ${pipeline},`,
    `    retrain=[fb.on.drift()${schedule ? `, fb.on.schedule(${text(schedule)})` : ""}],`, `    gates=[fb.gate.beats_champion(${text(metric)}), fb.gate.schema()],`, `    rollout=fb.canary([10, 100], hold="1h"),`, `    monitors=[fb.monitor.drift(), fb.monitor.quality(), fb.monitor.performance(${text(metric)})],`, ")", "",
  ].join("\n");
}

// How an artifact is shown, and tables out of what was kept as text.

export type How = "image" | "audio" | "video" | "html" | "table" | "rows" | "model" | "json" | "text" | "bytes";

const BY_ENDING: [RegExp, How][] = [
  [/\.(png|jpe?g|gif|webp|svg|bmp)$/i, "image"], [/\.(wav|mp3|ogg|flac)$/i, "audio"], [/\.(mp4|webm)$/i, "video"], [/\.html?$/i, "html"], [/\.(csv|tsv)$/i, "table"], [/\.(parquet|arrow|feather)$/i, "rows"], [/\.(skops|onnx|pkl|joblib|safetensors|ubj|cbm|pt|pth|h5|keras)$/i, "model"], [/\.json$/i, "json"],
  [/\.(txt|log|md|ya?ml|toml|ini|cfg|py|sql|sh|jsonl|xml|diff)$/i, "text"],
];

export function shownAs(name: string, kind: string): How {
  const found = BY_ENDING.find(([ending]) => ending.test(name));
  if (found) return found[1];
  if (kind === "table" || kind === "arrow") return "rows";
  if (kind === "model" || kind === "pickle") return "model";
  return kind === "text" || kind === "log" || kind === "noun" || /(^|\/)(log|stdout|stderr)$/.test(name) ? "text" : "bytes";
}

export const isLog = (name: string, kind: string): boolean => kind === "log" || /(^|\/)((log|stdout|stderr)(\.txt)?|output\.txt)$|\.log$/.test(name);

export interface TableOfText {
  columns: string[];
  rows: unknown[][];
}

/** The table that a text is, or null if it is none: CSV, a JSON list of objects, or MLflow's columns and data. */
export function rowsOf(text: string, how: "table" | "json"): TableOfText | null {
  if (how === "table") {
    const [columns = [], ...rows] = cellsOf(text, text.split("\n", 1)[0]!.includes("\t") ? "\t" : ",");
    return { columns, rows: rows.filter((row) => row.length > 1 || row[0] !== "") };
  }
  try {
    const given: unknown = JSON.parse(text);
    if (isTable(given)) return { columns: given.columns.map(String), rows: given.data };
    if (!Array.isArray(given) || !given.length || !given.every((one) => typeof one === "object" && one !== null && !Array.isArray(one))) return null;
    const columns = [...new Set(given.flatMap((one) => Object.keys(one as object)))];
    return { columns, rows: given.map((one) => columns.map((key) => (one as Record<string, unknown>)[key])) };
  } catch {
    return null;
  }
}

function isTable(given: unknown): given is { columns: unknown[]; data: unknown[][] } {
  const table = given as { columns?: unknown; data?: unknown } | null;
  return typeof given === "object" && given !== null && Array.isArray(table?.columns) && Array.isArray(table.data) && table.data.every(Array.isArray);
}

/** The cells of a CSV text; quoted ones may hold the separator, line ends and doubled quotes. */
function cellsOf(text: string, separator: string): string[][] {
  const rows: string[][] = [[]];
  let cell = "", isQuoted = false;
  const end = () => {
    rows[rows.length - 1]!.push(cell);
    cell = "";
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (isQuoted) {
      if (c === '"' && text[i + 1] === '"') cell += text[++i];
      else if (c === '"') isQuoted = false;
      else cell += c;
    } else if (c === '"') isQuoted = true;
    else if (c === separator) end();
    else if (c === "\n") {
      end();
      rows.push([]);
    } else if (c !== "\r") cell += c;
  }
  end();
  return rows;
}

import { quoted } from "../../format";

const pythonOf = (given: unknown): string => JSON.stringify(given).replace(/\btrue\b|\bfalse\b|\bnull\b|"(?:[^"\\]|\\.)*"/g, (word) => ({ true: "True", false: "False", null: "None" })[word] ?? word);

/** A request for a prediction, as it is typed in a shell and in Python. */
export function curlOf(url: string, deployment: string, row: Record<string, unknown>): { curl: string; python: string } {
  const address = `${url}/predict/${encodeURIComponent(deployment)}`;
  return {
    curl: `curl ${address} \\\n  -d ${quoted(JSON.stringify({ rows: [row] }))}`,
    python: `import urllib3\n\nanswer = urllib3.request("POST", "${address}", json={"rows": [${pythonOf(row)}]})\nprint(answer.json()["predictions"])`,
  };
}

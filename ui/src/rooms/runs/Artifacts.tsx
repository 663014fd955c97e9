// What a run left behind, shown as what it is. HTML stands in a frame that is fenced off from the page.

import { Button, Text } from "@mantine/core";
import { href, useView } from "../../address";
import { ask, useAsked, type Asked } from "../../api/client";
import type { TrackingArtifact } from "../../api/types";
import { bytes, plain } from "../../format";
import { Code, Command, Empty, Facts, Fault, Link, Waiting } from "../../parts/basics";
import { Rows as Paged } from "../../parts/rows";
import { Table } from "../../parts/table";
import { rowsOf, shownAs, type TableOfText } from "./artifact";

const MOST_TEXT = 2_000_000;

export function Artifacts({ of, isLog = false }: { of: TrackingArtifact[]; isLog?: boolean }) {
  const [view, setView] = useView({ artifact: "" });
  if (!of.length) return <Empty command={isLog ? "flyball run PIPELINE" : "fb.log_artifact(\"plot.png\")"}>{isLog ? "Nothing was printed. What the steps of a pipeline print stands here." : "No artifacts. Any file, figure, table or text can be kept with a run:"}</Empty>;
  const chosen = of.find((one) => one.name === view.artifact) ?? of[0]!;
  return (
    <div className="split">
      <ul className="files" aria-label="Artifacts">
        {of.map((one) => <li key={one.name}><button type="button" aria-current={one === chosen} onClick={() => setView({ artifact: one.name })}><span className="long">{one.name}</span><span className="soft">{bytes(one.size)}</span></button></li>)}
      </ul>
      <div className="shown">
        <div className="panel-head"><Text fw={550} className="long">{chosen.name}</Text><Button component="a" variant="default" href={`blobs/${chosen.digest}`} download={chosen.name.split("/").pop()}>Download</Button></div>
        <Shown of={chosen} key={chosen.digest} />
      </div>
    </div>
  );
}

function Shown({ of }: { of: TrackingArtifact }) {
  const how = shownAs(of.name, of.kind);
  const address = `view/${of.digest}/${encodeURIComponent(of.name.split("/").pop() ?? "file")}`;
  if (how === "image") return <img src={address} alt={of.name} className="shown-image" />;
  if (how === "audio") return <audio controls src={address} aria-label={of.name} />;
  if (how === "video") return <video controls src={address} aria-label={of.name} className="shown-image" />;
  if (how === "html") return <iframe src={address} title={of.name} sandbox="allow-scripts" className="shown-html" />;
  if (how === "rows" || (how === "table" && of.size > MOST_TEXT)) return <Paged digest={of.digest} name={of.name} />;
  if (how === "model") return <Model of={of} />;
  if (how === "bytes") return <Text size="sm" c="dimmed">{of.kind || "file"}, {bytes(of.size)}: nothing that a browser shows.</Text>;
  if (of.size > MOST_TEXT) return <Text size="sm" c="dimmed">{bytes(of.size)} are much for a page; it can be downloaded.</Text>;
  return <TextOf digest={of.digest} how={how} />;
}

/** A model is never loaded here: what is known of it is told, and the way to it. */
function Model({ of }: { of: TrackingArtifact }) {
  const made = useAsked(ask("registry/find_by_run", { run: of.run })).data ?? [];
  return (
    <>
      <Facts of={{ kind: of.kind || "model", size: bytes(of.size), digest: <Code>{of.digest}</Code>, "registered as": made.length ? made.map((one) => <div key={`${one.model} ${one.version}`}><Link to={href(["models", one.model, one.version])}>{one.model} version {one.version}</Link>: signature, evaluation, a form to try it</div>) : "no version of a model" }} />
      <Text size="sm" c="dimmed" mt="sm" mb={4}>It is loaded where it is used, and never by this page or its server:</Text>
      <Command>{`flyball runs download ${of.run} ${of.name}`}</Command>
    </>
  );
}

const askText = (digest: string): Asked<string> => ({
  queryKey: ["blobs", digest, "text"], queryFn: async ({ signal }) => (await fetch(`blobs/${digest}`, { signal })).text(), staleTime: Infinity,
});

function TextOf({ digest, how }: { digest: string; how: "text" | "table" | "json" }) {
  const { data, error } = useAsked(askText(digest));
  if (error) return <Fault of={error} />;
  if (data === undefined) return <Waiting />;
  const table = how === "text" ? null : rowsOf(data, how);
  if (table) return <Rows of={table} />;
  return <pre className="block" tabIndex={0}>{data}</pre>;
}

function Rows({ of }: { of: TableOfText }) {
  const rows = of.rows.map((cells, place) => ({ cells, place }));
  return <Table rows={rows} id={(row) => row.place} first={100} columns={of.columns.map((title, c) => ({ title, cell: (row: (typeof rows)[number]) => plain(row.cells[c]), number: typeof of.rows[0]?.[c] === "number" }))} />;
}

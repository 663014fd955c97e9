// What a run left behind, shown as what it is. HTML stands in a frame that is fenced off from the page.

import { Button, Text } from "@mantine/core";
import { useView } from "../../address";
import { useAsked, type Asked } from "../../api/client";
import type { TrackingArtifact } from "../../api/types";
import { bytes, plain } from "../../format";
import { Empty, Fault, Waiting } from "../../parts/basics";
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
  if (how === "bytes") return <Text size="sm" c="dimmed">{of.kind || "file"}, {bytes(of.size)}: nothing that a browser shows.</Text>;
  if (of.size > MOST_TEXT) return <Text size="sm" c="dimmed">{bytes(of.size)} are much for a page; it can be downloaded.</Text>;
  return <TextOf digest={of.digest} how={how} />;
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

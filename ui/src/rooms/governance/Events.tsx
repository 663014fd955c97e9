import { Button, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { useView } from "../../address";
import { ask, useAll } from "../../api/client";
import { plain } from "../../format";
import { Code, Empty, Head, Loaded, Panel, Ref, Twin, When } from "../../parts/basics";
import { sentence } from "../../parts/sentence";
import { Table } from "../../parts/table";

const ROOMS = ["alerts", "data", "deployment", "features", "labels", "loops", "monitoring", "registry", "tracking"];

export default function Events(_: ViewProps) {
  return <><Head title="Events" under="All that happened, newest first; written together with what it tells of." /><EventLog /></>;
}

export function EventLog() {
  const [view, setView] = useView({ room: "", subject: "" });
  const [subject, setSubject] = useState(view.subject);
  const [limit, setLimit] = useState(100);
  const from = useAll({ events: ask("events/list", { newest_first: true, limit, ...(view.room ? { kinds: [`${view.room}.`] } : {}), ...(view.subject ? { subject: view.subject } : {}) }) });
  return (
    <>
      <form className="toolbar" onSubmit={(event) => {
        event.preventDefault();
        setView({ subject });
      }}>
        <Select label="Room" clearable placeholder="all" data={ROOMS} value={view.room || null} onChange={(room) => setView({ room: room ?? "" })} />
        <TextInput label="About" placeholder="models:/churn/" value={subject} onChange={(e) => setSubject(e.currentTarget.value)} w={260} /><Button type="submit" variant="default">Search</Button>
      </form>
      <Loaded from={from}>{({ events }) => (
        <Panel>
          <Table rows={events} id={(e) => e.id} first={100} empty={<Empty command="flyball apply">Nothing has happened yet.</Empty>} columns={[
            { title: "at", cell: (e) => <When at={e.at} /> }, { title: "what", cell: (e) => sentence(e), wide: true }, { title: "kind", cell: (e) => <Code>{e.kind}</Code> }, { title: "about", cell: (e) => <Ref to={e.subject} /> },
            { title: "facts", cell: (e) => <details><summary className="soft small">{Object.keys(e.facts).length}</summary><pre className="block">{Object.entries(e.facts).map(([k, v]) => `${k}: ${plain(v)}`).join("\n")}</pre></details> },
          ]} />
          {events.length === limit && limit < 5000 ? <Button variant="subtle" onClick={() => setLimit(limit * 4)}>Older ones</Button> : null}
          <Twin>flyball events</Twin>
        </Panel>
      )}</Loaded>
    </>
  );
}

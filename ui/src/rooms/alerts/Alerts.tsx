import { Button, Modal, SegmentedControl, Select, Text, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { useView } from "../../address";
import { ask, post, useAll, useAsked } from "../../api/client";
import type { Alert } from "../../api/types";
import { moment, plural, value, words } from "../../format";
import { Act, REASON, useName } from "../../parts/act";
import { Empty, Fault, Head, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { useClock } from "../../parts/now";
import { Table } from "../../parts/table";

export default function Alerts(_: ViewProps) {
  const [view, setView] = useView({ state: "active", alert: "" });
  const from = useAll({ alerts: ask("alerts/list", { state: view.state as "active", limit: 300 }), silences: ask("alerts/list_silences", { limit: 50 }) });
  return (
    <>
      <Head title="Alerts" under="What monitors found and somebody should see to." actions={<SegmentedControl data={["active", "open", "acknowledged", "resolved"]} value={view.state} onChange={(state) => setView({ state, alert: "" })} />} />
      <Loaded from={from}>{({ alerts, silences }) => (
        <div className="stack">
          {alerts.length ? alerts.slice(0, 100).map((alert) => <One key={alert.id} of={alert} isOpen={view.alert === alert.id} onOpen={() => setView({ alert: view.alert === alert.id ? "" : alert.id })} />)
            : <Panel><Empty>{view.state === "resolved" ? "None was resolved yet." : "Nothing to see to. Monitors of a loop open alerts when inputs drift, data is faulty, or a model does worse."}</Empty></Panel>}
          {silences.length ? <Panel title="Silences"><Table rows={silences} id={(s) => s.id} columns={[{ title: "about", cell: (s) => s.subject || "everything" }, { title: "cause", cell: (s) => s.cause || "any" }, { title: "until", cell: (s) => <When at={s.until} /> }, { title: "because", cell: (s) => s.reason || "–", wide: true }, { title: "", cell: (s) => <Act verb="alerts/end_silence" takes={{ id: s.id }} twin={`flyball alerts unsilence ${s.id}`}>End</Act> }]} /></Panel> : null}
          <Twin>flyball alerts list</Twin>
        </div>
      )}</Loaded>
    </>
  );
}

function One({ of, isOpen, onOpen }: { of: Alert; isOpen: boolean; onOpen: () => void }) {
  const isOver = of.state === "resolved";
  return (
    <section className={`panel alert ${of.severity} ${isOver ? "over" : ""}`} aria-label={of.title}>
      <div className="alert-head">
        <div className="alert-words">
          <div className="alert-title"><State of={isOver ? "resolved" : of.severity}>{isOver ? "resolved" : of.severity}</State><strong className="long">{of.title}</strong></div>
          <Text size="xs" c="dimmed" className="long"><Ref to={of.subject} />, {of.kind}, opened <When at={of.opened} />, seen {plural(of.count, "time")}, last <When at={of.last_seen} />{of.acknowledged_by ? `, acknowledged by ${of.acknowledged_by}` : ""}{of.assigned_to ? `, assigned to ${of.assigned_to}` : ""}{of.state === "acknowledged" ? " · acknowledged" : ""}</Text>
        </div>
        <div className="alert-acts">
          {isOver ? null : (
            <>
              {of.state === "open" ? <Act verb="alerts/acknowledge" takes={{ id: of.id }} twin={`flyball alerts ack ${of.id}`}>Acknowledge</Act> : null}
              <Assign of={of} /><Silence of={of} />
              <Act verb="alerts/resolve" takes={{ id: of.id }} twin={`flyball alerts resolve ${of.id}`} question={`Is “${of.title}” over?`} text={REASON}>Resolve</Act>
            </>
          )}
          <Button variant="subtle" onClick={onOpen} aria-expanded={isOpen}>{isOpen ? "Less" : "More"}</Button>
        </div>
      </div>
      {of.detail ? <p className="notes alert-detail">{of.detail}</p> : null}
      {of.resolution ? <Text size="sm" className="long">{of.resolution}</Text> : null}
      {isOpen ? <Details of={of} /> : null}
    </section>
  );
}

function Details({ of }: { of: Alert }) {
  const { data } = useAsked(ask("alerts/list_deliveries", { id: of.id }));
  const loss = of.facts.loss_added;
  const added = loss && typeof loss === "object" ? Object.entries(loss as Record<string, number>).sort((a, b) => b[1] - a[1]).slice(0, 6) : [];
  return (
    <div className="alert-more">
      <Text size="sm" c="dimmed">{Object.entries(of.facts).filter(([, v]) => typeof v !== "object").map(([k, v]) => `${words(k)} ${String(v)}`).join(" · ")}</Text>
      {added.length ? <Text size="sm">Loss added by column: {added.map(([column, v]) => `${column} ${v > 0 ? "+" : ""}${value(v)}`).join(", ")}</Text> : null}
      {data?.length ? <Table rows={data} id={(d) => `${d.what} ${d.channel} ${d.at}`} columns={[{ title: "what", cell: (d) => d.what }, { title: "told to", cell: (d) => d.channel }, { title: "state", cell: (d) => <State of={d.state} /> }, { title: "when", cell: (d) => <When at={d.at} /> }, { title: "error", cell: (d) => d.error || "–", wide: true }]} /> : <Text size="sm" c="dimmed">No channel was told.</Text>}
    </div>
  );
}

function Assign({ of }: { of: Alert }) {
  return <Act verb="alerts/assign" takes={{ id: of.id, to: "" }} twin={`flyball alerts assign ${of.id} NAME`} question={`Who takes care of “${of.title}”?`} text={{ name: "to", label: "Name", isNeeded: true }}>Assign</Act>;
}

function Silence({ of }: { of: Alert }) {
  const [isOpen, setOpen] = useState(false);
  const [days, setDays] = useState("1");
  const [reason, setReason] = useState("");
  const [fault, setFault] = useState<Error | null>(null);
  const [name] = useName();
  const clock = useClock();
  const queries = useQueryClient();
  const until = new Date(Date.parse(clock?.now ?? new Date().toISOString()) + Number(days) * 86_400_000).toISOString();
  return (
    <>
      <Button variant="default" onClick={() => setOpen(true)}>Silence</Button>
      <Modal opened={isOpen} onClose={() => setOpen(false)} title="Keep channels quiet about it">
        <form onSubmit={(event) => {
          event.preventDefault();
          void post("alerts/silence", { until, subject: of.subject, cause: of.cause, reason, by: name }).then(() => {
            setOpen(false);
            return queries.invalidateQueries({ queryKey: ["alerts"] });
          }, setFault);
        }}>
          <Select label={`Until ${moment(until)}`} data={[{ value: "0.25", label: "6 hours" }, { value: "1", label: "1 day" }, { value: "7", label: "7 days" }, { value: "30", label: "30 days" }]} value={days} onChange={(d) => setDays(d ?? "1")} />
          <TextInput label="Reason" mt="sm" value={reason} onChange={(e) => setReason(e.currentTarget.value)} />
          {fault ? <Fault of={fault} /> : null}
          <Button type="submit" mt="md">Silence</Button>
        </form>
      </Modal>
    </>
  );
}

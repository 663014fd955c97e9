// Documents that auditors ask for, filled from facts; each statement names its source, and what is missing says so.

import { Button, Select, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useView } from "../../address";
import { ask, read, useAll, useAsked } from "../../api/client";
import { plural, quoted } from "../../format";
import { Command, Empty, Fault, Loaded, Panel, State, Twin, When } from "../../parts/basics";

export function Evidence() {
  const [view, setView] = useView({ ref: "", format: "annex-iv" });
  const [ref, setRef] = useState(view.ref);
  const from = useAll({ formats: ask("evidence/list_formats", {}), models: ask("registry/list_models", { limit: 500 }) });
  return (
    <Loaded from={from}>{({ formats, models }) => (
      <div className="stack">
        <form className="toolbar" onSubmit={(event) => {
          event.preventDefault();
          setView({ ref: ref.trim() });
        }}>
          <TextInput label="Version" placeholder={models[0] ? `models:/${models[0].name}@champion` : "models:/NAME/3"} value={ref} onChange={(e) => setRef(e.currentTarget.value)} w={280} />
          <Select label="Document" allowDeselect={false} w={320} data={Object.entries(formats).map(([value, label]) => ({ value, label }))} value={view.format} onChange={(format) => setView({ format: format ?? "annex-iv" })} />
          <Button type="submit">Show</Button>
          {view.ref ? <Bundle of={view.ref} /> : null}
        </form>
        {view.ref ? <Document of={view.ref} format={view.format} /> : <Panel><Empty command="flyball evidence NAME/VERSION --output bundle">Name a version of a model: the document is filled from what was recorded, and a bundle of all of them can be downloaded and, where a key is set, is signed.</Empty></Panel>}
      </div>
    )}</Loaded>
  );
}

function Document({ of, format }: { of: string; format: string }) {
  const { data, error } = useAsked(ask("evidence/get", { ref: of, format }));
  return (
    <Loaded from={{ data, error }}>{(document) => (
      <>
        {document.parts.map((part) => (
          <Panel key={part.heading} title={part.heading} aside={part.missing ? <State of="warning">something is missing</State> : <State of="passed">complete</State>}>
            {part.said.map((one, i) => <Text key={i} size="sm" className="long" mb={4}>{one.text} {one.source ? <span className="soft small">[{one.source}]</span> : null}</Text>)}
            {part.missing ? <Text size="sm" className="warn" mt={6}>{part.missing}</Text> : null}
            {part.command ? <Command>{part.command}</Command> : null}
          </Panel>
        ))}
        <Text size="sm" c="dimmed">{document.title}, made <When at={document.made} />; {plural(document.missing, "part lacks", "parts lack")} something. It helps to fulfil a law; it does not say that it is fulfilled.</Text>
        <Twin>{`flyball evidence ${quoted(of.replace(/^models:\//, ""))} --format ${format}`}</Twin>
      </>
    )}</Loaded>
  );
}

function Bundle({ of }: { of: string }) {
  const [fault, setFault] = useState<Error | null>(null);
  const download = () => read("evidence/bundle", { ref: of }).then((bundle) => {
    const address = URL.createObjectURL(new Blob([JSON.stringify(bundle, null, 1)], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `evidence-${of.replace(/[^A-Za-z0-9]+/g, "-")}.json`;
    link.click();
    URL.revokeObjectURL(address);
  }, setFault);
  return <><Button variant="default" onClick={() => void download()} title={`flyball evidence ${of} --output bundle`}>Download all of them</Button>{fault ? <Fault of={fault} /> : null}</>;
}

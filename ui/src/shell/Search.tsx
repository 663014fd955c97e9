// Ctrl K: whatever has a name, and the rooms.

import { Modal, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useId, useState, type KeyboardEvent } from "react";
import { go, href, hrefOfRef } from "../address";
import { ask, useAsked } from "../api/client";
import { short } from "../format";
import { addressOfProject, here } from "./project";
import { ROOMS } from "./Shell";

interface Found {
  to: string;
  kind: string;
  name: string;
  note: string;
}

const like = (text: string): string => `%${text.replaceAll("'", "").replaceAll("%", "")}%`;

export default function Search({ onClose }: { onClose: () => void }) {
  const [words, setWords] = useState("");
  const [asked] = useDebouncedValue(words.trim(), 120);
  const [at, setAt] = useState(0);
  const list = useId();
  const things = useAsked({ ...ask("catalog/search", { words: asked, limit: 12 }), staleTime: 5000 });
  const runs = useAsked(ask("run_search/search", { filter: `attributes.name ILIKE '${like(asked)}' AND attributes.parent = ''`, limit: 6 }, asked.length > 1));
  const { project } = here();
  const projects = useAsked({ ...ask("projects/list", {}), staleTime: 300_000 });
  const over = useAsked({ ...ask("projects/search", { words: asked, limit: 6 }, asked.length > 1 && (projects.data?.length ?? 0) > 1), staleTime: 5000 });
  const elsewhere = asked.length > 1 ? (over.data ?? []).filter((one) => one.project !== project) : [];
  const found = [...findings(words, things.data ?? [], asked.length > 1 ? runs.data?.runs ?? [] : []), ...elsewhere.map(ofProject)].filter((one) => one.to !== "");
  const choose = (one: Found | undefined) => {
    if (!one) return;
    onClose();
    if (one.to.startsWith("#")) go(one.to);
    else window.location.assign(one.to);
  };
  const pressed = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setAt((at + step + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter") choose(found[at]);
  };
  return (
    <Modal opened onClose={onClose} withCloseButton={false} padding={0} size="lg" yOffset="12vh" centered={false} title="Search" classNames={{ header: "hidden" }}>
      <TextInput data-autofocus size="md" variant="unstyled" px="md" placeholder="Search runs, models, data, features, loops …" aria-label="Search" leftSection={<IconSearch size={18} />}
        role="combobox" aria-expanded aria-controls={list} aria-activedescendant={found.length ? `${list}-${at}` : undefined} value={words} onKeyDown={pressed} onChange={(event) => {
          setWords(event.currentTarget.value);
          setAt(0);
        }} />
      <div className="found" role="listbox" id={list} aria-label="Found">
        {found.map((one, place) => (
          <div key={one.to} id={`${list}-${place}`} role="option" aria-selected={place === at} className="found-one" onClick={() => choose(one)} onMouseMove={() => setAt(place)}
            ref={place === at ? (element) => element?.scrollIntoView({ block: "nearest" }) : undefined}>
            <span className="found-kind">{one.kind}</span><span className="found-name">{one.name}</span><span className="found-note">{one.note}</span>
          </div>
        ))}
        {found.length ? null : <Text size="sm" c="dimmed" p="md">Nothing has that name.</Text>}
      </div>
    </Modal>
  );
}

/** A finding in another project, whose page stands at another address. */
function ofProject(one: { project: string; ref: string; kind: string; title: string; note: string }): Found {
  const place = hrefOfRef(one.ref);
  return { to: place && `${addressOfProject(one.project)}${place}`, kind: one.kind.replace(/s$/, ""), name: one.title, note: `in ${one.project === "default" ? "the workspace itself" : one.project}` };
}

function findings(words: string, things: { ref: string; kind: string; title: string; description: string; columns: string[] }[], runs: { id: string; name: string; experiment: string; state: string }[]): Found[] {
  const wanted = words.trim().toLowerCase();
  const rooms = ROOMS.flatMap(([, all]) => all).filter(([, name]) => name.toLowerCase().includes(wanted))
    .map(([key, name]): Found => ({ to: key === "home" ? "#/" : href([key]), kind: "room", name, note: "" }));
  const found = things.map((one): Found => ({ to: hrefOfRef(one.ref), kind: one.kind.replace(/s$/, ""), name: one.title, note: one.columns.length ? `columns ${one.columns.join(", ")}` : one.description }));
  const ran = runs.map((one): Found => ({ to: href(["runs", one.id]), kind: "run", name: one.name || short(one.id), note: `${one.experiment}, ${one.state}` }));
  return (wanted ? [...found, ...ran, ...rooms] : [...rooms, ...found]).filter((one) => one.to !== "");
}

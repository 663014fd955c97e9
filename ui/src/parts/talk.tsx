// What people say about a thing.

import { Text } from "@mantine/core";
import { ask, useAsked } from "../api/client";
import { Act } from "./act";
import { Panel, When } from "./basics";

export function Talk({ about }: { about: string; twin?: string }) {
  const { data } = useAsked(ask("comments/list", { ref: about, limit: 200 }));
  return (
    <Panel title="Comments" aside={<Act verb="comments/add" takes={{ ref: about, text: "", by: "" }} twin={`flyball models comment ${about} TEXT`} question="What is to be said about it? @name tells somebody." text={{ name: "text", label: "Text", isNeeded: true }} by>Comment</Act>}>
      {data?.length ? data.map((one) => <div key={one.id} className="comment"><Text size="sm" className="notes">{one.deleted ? "(taken back)" : one.text}</Text><Text size="xs" c="dimmed">{one.by}, <When at={one.at} /></Text></div>) : <Text size="sm" c="dimmed">Nobody has said anything yet.</Text>}
    </Panel>
  );
}

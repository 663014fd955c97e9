// Lets in a terminal that asked for it with `flyball login`.

import { Button, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { ViewProps } from "../App";
import { useView } from "../address";
import { send } from "../api/client";
import { Fault, Head, Panel } from "../parts/basics";
import { here } from "./project";

export default function Device(_: ViewProps) {
  const [view] = useView({ code: "" });
  const [code, setCode] = useState(view.code);
  const [state, setState] = useState<{ from?: string; error?: Error }>({});
  return (
    <>
      <Head title="Let a terminal in" under="Somebody ran `flyball login`. If that was you, compare the code that it shows." />
      <Panel>
        {state.from === undefined ? (
          <form onSubmit={(event) => {
            event.preventDefault();
            send(`${here().root}login/device/approve`, { code: code.trim() }).then((answer) => setState({ from: (answer as { asked_from: string }).asked_from }), (error: Error) => setState({ error }));
          }}>
            <TextInput label="Code" required maw={260} value={code} onChange={(e) => setCode(e.currentTarget.value)} />
            {state.error ? <Fault of={state.error} /> : null}
            <Button type="submit" mt="md">Let it in</Button>
          </form>
        ) : <Text size="sm" role="status">It is let in, as you. It had asked from {state.from || "this machine"}. Its token stands among yours, and can be revoked there.</Text>}
      </Panel>
    </>
  );
}

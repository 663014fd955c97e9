// The way in, where the server asks who one is.

import { Button, PasswordInput, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError, send } from "../api/client";
import icon from "../icon.svg";
import { Command, Fault } from "../parts/basics";
import { here } from "./project";

interface Ways {
  auth: string;
  known: boolean;
  password: boolean;
  single_sign_on: boolean;
}

export default function Login() {
  const { root } = here();
  const { data: ways, error } = useQuery({ queryKey: ["login", "methods"], queryFn: async () => (await send(`${root}login/methods`)) as Ways, retry: false });
  const back = encodeURIComponent(window.location.pathname + window.location.hash);
  return (
    <main className="login" id="main">
      <div className="panel login-panel">
        <span className="brand"><img src={icon} alt="" width={28} height={28} /><span>Flyball</span></span>
        <Title order={1} size="h2" mb="sm">Log in</Title>
        {error ? <Fault of={error} /> : null}
        {ways?.single_sign_on ? <Button component="a" href={`${root}login/sso?next=${back}`} fullWidth mb="md">Log in with your organisation</Button> : null}
        {ways?.password ? <Password root={root} /> : null}
        {ways && !ways.password ? <><Text size="sm" c="dimmed" mb={6}>This workspace is its owner's alone. Whoever may use the machine gets a link that opens this page once:</Text><Command>flyball open</Command></> : null}
      </div>
    </main>
  );
}

function Password({ root }: { root: string }) {
  const [name, setName] = useState(""), [password, setPassword] = useState("");
  const [fault, setFault] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      setBusy(true);
      send(`${root}login/password`, { name, password }).then(() => window.location.reload(), (error: Error) => {
        setBusy(false);
        setFault(error instanceof ApiError ? error : new Error("The server does not answer."));
      });
    }}>
      <TextInput size="sm" label="Name" required autoComplete="username" autoFocus value={name} onChange={(e) => setName(e.currentTarget.value)} />
      <PasswordInput size="sm" mt="sm" label="Password" required autoComplete="current-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} />
      {fault ? <Fault of={fault} /> : null}
      <Button type="submit" size="sm" mt="md" fullWidth loading={isBusy}>Log in</Button>
    </form>
  );
}

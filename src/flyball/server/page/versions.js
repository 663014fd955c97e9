// A version of a model: its card, who may say what of it, and how its life goes on.

import { act, html, link, list, lines, long, read, table, tag, time, twin } from "./parts.js";

export async function version(ref) {
  const [card, standing, requests, said, signed, made] = await Promise.all([
    read("model_cards/get", { ref }), read("lifecycle/get", { ref }), read("approvals/list", { ref, limit: 20 }), read("comments/list", { ref: `models:/${ref}` }),
    read("signatures/list", { ref }), read("registry/get_version", { ref }),
  ]);
  const name = `${card.model}/${card.version}`;
  const open = requests.find((r) => r.state === "requested");
  const { deprecation, retirement } = standing;
  const asked = { by: true };
  return html`<h1>${link("models", card.model)} version ${card.version} ${tag(standing.stage)}</h1>
    ${retirement ? html`<p class="error">Retired ${time(retirement.at)}: ${retirement.reason || "no reason given"}.</p>` : ""}
    ${deprecation ? html`<p class="error">Deprecated: ${deprecation.reason}${deprecation.instead ? ` Use ${deprecation.instead} instead.` : ""}</p>` : ""}
    <div class="actions">
      ${open ? html`${act("Approve", "approvals/approve", { ref: name }, { ...asked, twin: `flyball models approve ${name}`, question: `Approve ${name}?`, reason: true })}
        ${act("Reject", "approvals/reject", { ref: name }, { ...asked, twin: `flyball models reject ${name}`, question: `Reject ${name}?`, reason: true })}`
    : retirement ? "" : act("Ask for approval", "approvals/request", { ref: name }, { ...asked, twin: `flyball models request ${name}`, question: `Ask that ${name} be approved?` })}
      ${retirement ? act("Restore", "lifecycle/restore", { ref: name }, { ...asked, twin: `flyball models restore ${name}`, question: `Bring ${name} back?` })
    : html`${deprecation ? act("Take deprecation back", "lifecycle/undeprecate", { ref: name }, { ...asked, twin: `flyball models undeprecate ${name}`, question: `Take back that ${name} is deprecated?` })
      : act("Deprecate", "lifecycle/deprecate", { ref: name }, { ...asked, twin: `flyball models deprecate ${name}`, question: `Say that ${name} should no longer be used?`, reason: true })}
        ${standing.held_by.length || standing.stage === "champion" ? "" : act("Retire", "lifecycle/retire", { ref: name }, { ...asked, twin: `flyball models retire ${name}`, question: `End the life of ${name} and free its files?`, reason: true })}
        ${standing.stage === "champion" ? act("Roll back", "lifecycle/rollback", { model: card.model }, { ...asked, twin: `flyball models rollback ${card.model}`, question: `Make the former champion of ${card.model} the champion again?`, reason: true }) : ""}`}
    </div>
    ${list({ aliases: standing.aliases.join(", "), "held by": standing.held_by.join(", "), flavor: made.package?.flavor ?? "", "signed by": lines(signed.map((s) => `${s.by || "someone"} with key ${s.key.slice(0, 16)}`)),
    ...(made.run ? { run: link("runs", made.run, made.run.slice(0, 12)) } : {}) })}
    <h2>Approval</h2>${table(["asked", "by", "state", "needed", "words"], requests, (r) => [time(r.requested), r.requested_by, tag(r.state), r.needed, lines(r.words.map((w) => `${w.by}: ${w.word}${w.reason ? `, ${w.reason}` : ""}`))], { empty: "Nobody has asked for one." })}
    ${card.sections.map((s) => html`<h2>${s.heading}</h2>${s.statements.map((f) => html`<p title="${f.source}">${f.text}</p>`)}
      ${s.tables.map((t) => html`<div class="wide"><table title="${t.source}"><thead><tr>${t.columns.map((c) => html`<th scope="col">${c}</th>`)}</tr></thead><tbody>${t.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${long(cell)}</td>`)}</tr>`)}</tbody></table></div>`)}`)}
    ${card.own.map((s) => html`<h2>${s.heading}</h2><p class="notes">${s.text}</p><p class="soft">${s.by}, ${time(s.updated)}</p>`)}
    <h2>Comments</h2>${said.map((c) => html`<div class="card"><p class="notes">${c.deleted ? "(taken back)" : c.text}</p><p class="soft">${c.by}, ${time(c.at)}</p></div>`)}
    <p>${act("Comment", "comments/add", { ref: `models:/${name}` }, { ...asked, twin: `flyball models comment models:/${name} TEXT`, question: `What is to be said about ${name}?`, reason: "text" })}</p>
    ${twin(`flyball models card ${name}`)}`;
}

"""Evidence as Markdown, and as a page that stands alone: no script, nothing from elsewhere."""

from __future__ import annotations

from html import escape

from flyball.governance.evidence.base import EvidenceDocument, Part

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}"
    "h2{margin-top:2rem;font-size:1.15rem}code{font-size:.85em;color:#555;overflow-wrap:anywhere}"
    ".missing{border-left:4px solid #b45309;padding:.3rem .8rem;background:#fff7ed}li{margin:.25rem 0}"
)
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~"})


def to_markdown(document: EvidenceDocument) -> str:
    """The document as Markdown."""
    lines = [
        f"# {_plain(document.title)}: {_plain(document.ref)}",
        "",
        f"{_plain(document.asked_by)}.",
        "",
        _summary(document),
    ]
    for part in document.parts:
        lines += ["", f"## {_plain(part.heading)}", ""]
        lines += [f"- {_plain(said.text)} (`{said.source.replace('`', chr(39))}`)" for said in part.said]
        if part.missing:
            lines += [
                *([""] if part.said else []),
                f"**Missing:** {_plain(part.missing)} `{part.command.replace('`', chr(39))}`",
            ]
    return "\n".join(lines) + "\n"


def to_html(document: EvidenceDocument) -> str:
    """The document as a page."""
    title = f"{escape(document.title)}: {escape(document.ref)}"
    body = "".join(_section(part) for part in document.parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{escape(document.asked_by)}.</p><p>{escape(_summary(document))}</p>{body}</body></html>\n"
    )


def _section(part: Part) -> str:
    said = "".join(f"<li>{escape(each.text)} <code>{escape(each.source)}</code></li>" for each in part.said)
    found = f"<ul>{said}</ul>" if said else ""
    if part.missing:
        found += f'<p class="missing">Missing: {escape(part.missing)} <code>{escape(part.command)}</code></p>'
    return f"<h2>{escape(part.heading)}</h2>{found}"


def _summary(document: EvidenceDocument) -> str:
    lacking = (
        f"{document.missing} of {len(document.parts)} parts lack something"
        if document.missing
        else "Nothing is missing"
    )
    return f"Put together on {document.made:%Y-%m-%d %H:%M} UTC from recorded facts. {lacking}."


def _plain(text: str) -> str:
    return " ".join(text.split()).translate(_SPECIAL)

"""Puts evidence together: one document, or a signed bundle of all that an auditor takes home."""

from __future__ import annotations

import builtins
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.errors import MissingExtra
from flyball.governance.audit_keys import AuditKey
from flyball.governance.evidence.base import FORMATS, EvidenceDocument
from flyball.governance.evidence.bom import make_ml_bom
from flyball.governance.evidence.dsse import STATEMENT, envelope, subject
from flyball.governance.evidence.facts import EvidenceFacts
from flyball.governance.evidence.provenance import provenance_of
from flyball.governance.evidence.rendering import to_html, to_markdown
from flyball.serialization import to_json
from flyball.storage.audit_chain import note
from flyball.verbs import read

if TYPE_CHECKING:
    from flyball.workspace import Workspace

BUNDLE_TYPE = "urn:flyball:evidence:v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceBundle:
    """What an auditor takes home.

    Attributes:
        files: Text of each file by its name.
        is_signed: Whether the envelopes are in it; without the library that signs they are not.
    """

    ref: str
    files: dict[str, str]
    is_signed: bool


class Evidence:
    """Fills documents from facts."""

    def __init__(self, here: Workspace, key: AuditKey) -> None:
        self._here = here
        self._key = key

    @read
    def list_formats(self) -> dict[str, str]:
        """The documents that can be made, and what asks for each."""
        return {name.replace("_", "-"): kind.asked_by for name, kind in FORMATS.all().items()}

    @read
    def get(self, ref: str, format: str = "annex-iv") -> EvidenceDocument:
        """A document about a version: what is known with its sources, and what is missing with the command for it.

        Args:
            ref: Such as `models:/churn@champion`.
            format: `annex-iv`, `nist-ai-rmf`, `sr-11-7`, `model-card`, `data-sheet`, or another plug-in's name.

        Raises:
            NotFound: there is no such version or format.
        """
        return _document(EvidenceFacts(self._here, ref), format)

    @read
    def bundle(self, ref: str, formats: builtins.list[str] | None = None) -> EvidenceBundle:
        """Documents as pages, Markdown and JSON, bill of materials, provenance and audit rows, signed as one.

        `evidence.dsse.json` holds SHA-256 of every other file, in an envelope of DSSE; `provenance.dsse.json` holds where the
        model's files came from. Both are signed by the instance's key, whose public half is `key.pub`.

        Args:
            formats: Documents that are wanted; all by default.

        Raises:
            NotFound: there is no such version or format.
        """
        facts = EvidenceFacts(self._here, ref)
        files: dict[str, str] = {}
        for name in formats or list(self.list_formats()):
            document = _document(facts, name)
            files |= {
                f"{name}.html": to_html(document), f"{name}.md": to_markdown(document), f"{name}.json": _text(document),
            }  # fmt: skip
        files["audit.json"] = _text(facts.audited())
        with contextlib.suppress(MissingExtra):  # without its library there is none
            files["bom.cdx.json"] = _text(make_ml_bom(facts))
        signed = envelope(provenance_of(facts), self._key.sign)
        if signed is not None:
            files["provenance.dsse.json"] = _text(signed)
            subjects = [subject(name, text.encode()) for name, text in sorted(files.items())]
            about = {
                "model": facts.version.model,
                "version": facts.version.version,
                "package": facts.version.package.id,
            }
            statement = {"_type": STATEMENT, "subject": subjects, "predicateType": BUNDLE_TYPE, "predicate": about}
            files["evidence.dsse.json"] = _text(envelope(statement, self._key.sign))
            files["key.pub"] = self._key.public()
        with self._here.database.transaction() as connection:
            note(connection, "evidence.exported", facts.ref, files=len(files))
        return EvidenceBundle(ref=facts.ref, files=files, is_signed=signed is not None)


def _document(facts: EvidenceFacts, name: str) -> EvidenceDocument:
    kind = FORMATS.get(name.replace("-", "_"))
    parts = tuple(question.answer(facts) for question in kind.questions(facts))
    return EvidenceDocument(
        format=name.replace("_", "-"), title=kind.title, asked_by=kind.asked_by, ref=facts.ref, made=facts.here.time.now(),
        parts=parts, missing=sum(bool(part.missing) for part in parts),
    )  # fmt: skip


def _text(value: Any) -> str:
    return to_json(value).decode()

"""Documents say what is known, each statement with its source, and what is missing; bundles are verified by others' means."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import flyball.testing
from flyball.cli.group import invoke
from flyball.errors import Corrupt, NotFound
from flyball.governance.evidence.base import FORMATS, EvidenceDocument
from flyball.governance.evidence.dsse import pre_authentication
from flyball.governance.evidence.rendering import to_html, to_markdown
from flyball.governance.evidence.verifying import verify_bundle
from flyball.principals import Principal, acting_as
from flyball.workspace import Workspace

ADA = Principal(name="ada", role="owner")


@pytest.fixture(scope="module")
def here(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = tmp_path_factory.mktemp("evidence") / "first"
    shutil.copytree(trained, root)
    with flyball.testing.workspace(root) as made, acting_as(ADA):
        made.quality.declare_pii("irises", "petal_length", "id")
        made.model_cards.write_section("models:/irises", "Intended purpose", "Tells <irises> apart.", "ada")
        yield made


@pytest.fixture
def folder(here: Workspace, tmp_path: Path) -> Path:
    bundle = here.evidence.bundle("models:/irises/1", ["annex-iv"])
    for name, text in bundle.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    return tmp_path


def _statement(path: Path) -> dict[str, Any]:
    """Opens an envelope as the specification of DSSE describes it, with `cryptography` alone."""
    found = json.loads(path.read_text())
    payload = base64.b64decode(found["payload"])
    kind = found["payloadType"].encode()
    signed = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    key: Any = load_pem_public_key((path.parent / "key.pub").read_bytes())
    key.verify(base64.b64decode(found["signatures"][0]["sig"]), signed)
    statement: dict[str, Any] = json.loads(payload)
    return statement


@pytest.mark.parametrize("name", sorted(FORMATS.names()))
def test_every_statement_has_a_source_and_every_gap_a_command(here: Workspace, name: str) -> None:
    document = here.evidence.get("models:/irises/1", name.replace("_", "-"))
    assert document.parts
    for part in document.parts:
        assert part.said or part.missing, part.heading
        assert bool(part.missing) == bool(part.command)
        assert all(said.text and said.source for said in part.said)
    assert document.missing == sum(bool(part.missing) for part in document.parts) > 0
    assert "VERSION" not in " ".join(part.command for part in document.parts)


def test_annex_iv_stands_in_its_order(here: Workspace) -> None:
    document = here.evidence.get("models:/irises/1", "annex-iv")
    points = [part.heading.split(" ")[0] for part in document.parts]
    assert points == sorted(points)
    assert {point[0] for point in points} == set("123456789")


def _part(document: EvidenceDocument, heading: str) -> Any:
    return next(part for part in document.parts if part.heading.startswith(heading))


def test_what_people_wrote_fills_a_gap(here: Workspace) -> None:
    document = here.evidence.get("models:/irises/1", "annex-iv")
    purpose, risks = _part(document, "1(a)"), _part(document, "3 Foreseeable")
    assert purpose.missing == ""
    assert "by ada" in next(said.source for said in purpose.said if "apart" in said.text)
    assert risks.command == "flyball models section irises/1 'Risks' 'TEXT'"


def test_personal_data_is_said_with_its_column(here: Workspace) -> None:
    data = _part(here.evidence.get("models:/irises/1", "model-card"), "Training data")
    assert any("petal_length" in said.text and "an input of the model" in said.text for said in data.said)


def test_audit_rows_are_sources(here: Workspace) -> None:
    history = _part(here.evidence.get("models:/irises/1", "sr-11-7"), "VI Governance: internal audit")
    assert all(re.fullmatch(r"audit row \d+", said.source) for said in history.said)
    assert history.said


def test_who_may_not_read_the_audit_log_does_not_see_it_here(here: Workspace) -> None:
    with acting_as(Principal(name="eve", role="viewer")):
        history = _part(here.evidence.get("models:/irises/1", "sr-11-7"), "VI Governance: internal audit")
    assert history.said == ()
    assert "may not read it" in history.missing


def test_pages_stand_alone_and_run_nothing(here: Workspace) -> None:
    document = here.evidence.get("models:/irises/1", "annex-iv")
    page = to_html(document)
    assert "<script" not in page
    assert "src=" not in page
    assert "Tells &lt;irises&gt; apart." in page
    assert "\\<irises\\>" in to_markdown(document)


def test_unknown_versions_and_formats_are_told(here: Workspace) -> None:
    with pytest.raises(NotFound):
        here.evidence.get("models:/irises/9")
    with pytest.raises(NotFound, match="annex"):
        here.evidence.get("models:/irises/1", "anex-iv")


def test_the_bill_of_materials_fits_the_schema_of_cyclonedx(folder: Path) -> None:
    text = (folder / "bom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    card = json.loads(text)["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"type": "dataset", "name": "irises", "classification": "personal"}]
    assert {"roc_auc"} <= {metric["type"] for metric in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert card["considerations"]["useCases"] == ["Tells <irises> apart."]


def test_provenance_is_an_in_toto_statement_about_the_very_files(folder: Path, here: Workspace) -> None:
    statement = _statement(folder / "provenance.dsse.json")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    version = here.registry.get_version("models:/irises/1")
    for subject in statement["subject"]:
        data = here.blobs.get(version.package.files[subject["name"].removeprefix("irises/1/")])
        assert subject["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
    build, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert build["buildType"]
    assert build["externalParameters"]["version"] == 1
    uris = {each["uri"] for each in build["resolvedDependencies"]}
    assert any(uri.startswith("snapshots:/irises/") for uri in uris)
    assert any(uri.startswith("code:/") for uri in uris)
    assert any(uri.startswith("pkg:pypi/scikit-learn@") for uri in uris)
    assert run["builder"]["id"]
    assert run["metadata"]["invocationId"] == f"runs:/{version.run}"


def test_the_whole_bundle_is_signed(folder: Path) -> None:
    statement = _statement(folder / "evidence.dsse.json")
    for subject in statement["subject"]:
        assert hashlib.sha256((folder / subject["name"]).read_bytes()).hexdigest() == subject["digest"]["sha256"]
    found = verify_bundle(folder)
    assert found.about["model"] == "irises"
    assert "annex-iv.html" in found.files


def test_a_bundle_that_was_touched_is_refused(folder: Path, tmp_path: Path) -> None:
    page = folder / "annex-iv.html"
    before = page.read_text()
    page.write_text(before.replace("irises", "roses"))
    with pytest.raises(Corrupt, match=r"annex-iv.html is not what was signed"):
        verify_bundle(folder)
    page.unlink()
    with pytest.raises(Corrupt, match=r"annex-iv.html is gone"):
        verify_bundle(folder)
    page.write_text(before)
    (folder / "more.html").write_text("x")
    with pytest.raises(Corrupt, match=r"more.html was added"):
        verify_bundle(folder)
    (folder / "more.html").unlink()
    sealed = folder / "evidence.dsse.json"
    envelope = json.loads(sealed.read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b"annex-iv.html", b"annex-iv.htm_")
    sealed.write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}))
    with pytest.raises(Corrupt, match="No trusted key"):
        verify_bundle(folder)
    sealed.unlink()
    with pytest.raises(NotFound):
        verify_bundle(folder)


def test_what_is_signed_is_as_the_specification_has_it() -> None:
    said = pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert said == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_the_command_writes_documents_and_bundles(
    here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here.root)
    assert invoke(["evidence"]) == 0
    assert "sr-11-7" in capfd.readouterr().out
    assert invoke(["evidence", "irises/1", "--format", "model-card", "--output", str(tmp_path / "card.html")]) == 0
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")
    bundle = tmp_path / "bundle"
    assert invoke(["evidence", "irises/1", "--output", str(bundle)]) == 0
    assert invoke(["evidence", "irises/1", "--output", str(bundle)]) == 2
    assert invoke(["evidence", "--verify", str(bundle), "--key", str(bundle / "key.pub")]) == 0
    (bundle / "key.pub").unlink()
    assert invoke(["evidence", "--verify", str(bundle)]) == 4
    assert invoke(["evidence", "irises/1", "--format", "nonsense"]) == 4

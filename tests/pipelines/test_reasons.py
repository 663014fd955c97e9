from __future__ import annotations

from pathlib import Path

import pytest

from flyball.errors import InvalidInput
from flyball.pipelines.reasons import log_of, why_steps
from tests.pipelines.test_isolated import Project

TEXT = """
LIMITS = [18, 65]

def age_bucket(age):
    return sum(age >= limit for limit in LIMITS)

@fb.step
def buckets(ages):
    print("sorting", len(ages), "ages")
    return [age_bucket(age) for age in ages]

@fb.step
def count(found):
    return len(found)

@fb.pipeline
def main():
    return count(buckets([5, 30]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "flyball.toml").write_text("")
    return Project(tmp_path)


def test_why_shows_what_has_changed_in_the_code(project: Project) -> None:
    first = project.run(TEXT)
    run = project.run(TEXT.replace("[18, 65]", "[18, 25, 65]")).run
    buckets, count = why_steps(project.workspace, run.id)
    assert (buckets.cache, buckets.reason) == ("miss", "`project.py: LIMITS` changed")
    assert buckets.compared_with == first.run.id
    [change] = buckets.changes
    assert (change.file, change.name) == ("project.py", "LIMITS")
    assert change.diff.splitlines() == ["@@ -1 +1 @@", "-LIMITS = [18, 65]", "+LIMITS = [18, 25, 65]"]
    assert (count.reason, count.changes) == ("input 'found' changed", ())
    project.workspace.close()


def test_one_step_is_asked_of_and_its_log_read(project: Project) -> None:
    run = project.run(TEXT).run
    [buckets] = why_steps(project.workspace, run.id, "buckets")
    assert buckets.reason == "it has not run before"
    assert log_of(project.workspace, buckets.run) == "sorting 2 ages\n"
    assert project.workspace.reasons.why(run.id, "buckets") == [buckets]
    assert project.workspace.reasons.log(run.id, "buckets", tail=5) == "ages\n"
    with pytest.raises(InvalidInput, match=r"has no step 'bucket'.*Did you mean 'buckets'"):
        why_steps(project.workspace, run.id, "bucket")
    project.workspace.close()

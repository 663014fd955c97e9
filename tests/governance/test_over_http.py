"""What governs is asked over HTTP as it is asked here."""

from __future__ import annotations

import flyball as fb
from flyball.client import RemoteWorkspace
from flyball.clock import parse_time
from flyball.governance.cost import Budget, Prices


def test_all_of_governance_answers_over_http(remote: RemoteWorkspace) -> None:
    remote.registered_models.create("churn")
    rows = remote.audit.list(subject="models:/churn", since=parse_time("2000-01-01"))
    assert [(row.verb, row.action) for row in rows] == [("registered_models.create", "registry.model_created")]
    assert remote.audit.show(rows[0].id) == rows[0]
    assert remote.audit.verify().is_whole
    assert remote.audit.export(format="syslog").lines
    assert remote.maturity.list() == []
    assert remote.cost.set_prices(Prices(currency="EUR", core_hour=1.0)) == remote.cost.prices()
    remote.cost.set_budget(Budget(name="all", amount=10.0))
    assert [state.spent for state in remote.cost.budgets()] == [0.0]
    assert remote.cost.report(by="who").rows == ()
    assert remote.secrets.set("DB", "correct horse").version == 1
    assert [each.name for each in remote.secrets.list()] == ["DB"]
    assert not hasattr(remote.secrets, "reveal")
    remote.policies.apply([fb.rule.retention("predictions", "1d"), fb.rule.approvals(2, risk=["high"])])
    assert [each.name for each in remote.policies.list()] == ["approvals", "retention"]
    assert remote.privacy.retain().done == ()
    assert remote.privacy.origin("datasets:/people").columns == ()
    assert "annex-iv" in remote.evidence.list_formats()

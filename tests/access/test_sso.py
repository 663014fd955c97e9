"""Single sign-on, against a provider that is certified for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

from flyball.access.logins import account_name
from flyball.errors import FlyballError, InvalidInput
from flyball.principals import Principal, acting_as
from flyball.server.app import create_app
from flyball.server.provider import Rules
from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.access.test_door import served_at
from tests.servers.oidc import SECRET, Person, oidc_provider
from tests.servers.processes import free_port


@dataclass
class Home:
    """Our server, with a provider beside it."""

    workspace: Workspace
    url: str
    issuer: str
    folder: Path

    def come(self, name: str) -> tuple[Person, urllib3.BaseHTTPResponse]:
        """Somebody logs in, all the way."""
        person = Person(name)
        back = person.log_in(f"{self.url}/login/sso?next=/%23/runs", f"{self.url}/login/sso/callback")
        return person, person.ask("GET", back)

    def who(self, person: Person) -> tuple[int, dict[str, object]]:
        answer = person.ask("GET", f"{self.url}/api/accounts/whoami")
        found: dict[str, object] = answer.json()
        return answer.status, found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("sso")
    (folder / "flyball.db").write_bytes(sqlite_template.read_bytes())
    port, url = free_port(), f"http://127.0.0.1:{(ours := free_port())}"
    settings = load_settings(
        {
            "auth": "on", "database": f"sqlite:///{folder / 'flyball.db'}", "oidc_issuer": f"http://127.0.0.1:{port}",
            "oidc_client_id": "flyball", "oidc_client_secret": SECRET, "oidc_scopes": "openid profile email groups",
            "oidc_roles": "ml-team=default:contributor, ops=admin",
        },
        environment={}, start=folder,
    )  # fmt: skip
    with Workspace(settings, durable=False) as workspace, oidc_provider(folder, port, url) as issuer:
        for _ in served_at(workspace, create_app(workspace), ours):
            yield Home(workspace, url, issuer, folder)


def test_groups_there_are_roles_here(home: Home) -> None:
    ada, answer = home.come("ada")
    assert answer.status == 200
    assert "url=/#/runs" in answer.data.decode()
    status, found = home.who(ada)
    assert status == 200
    assert (found["name"], found["role"], found["admin"]) == ("ada", "contributor", False)
    grace, _ = home.come("grace")
    assert home.who(grace)[1]["admin"] is True
    eve, _ = home.come("eve")
    assert home.who(eve)[1]["role"] == "none"
    assert eve.ask("GET", f"{home.url}/api/tracking/list_runs").status == 404
    with acting_as(Principal(name="root", admin=True)):
        account = home.workspace.accounts.get("ada")
    assert account.single_sign_on
    assert account.groups == ("ml-team",)
    assert account.email == "ada@example.org"


def test_who_comes_again_is_the_same(home: Home) -> None:
    home.come("ada")
    home.come("ada")
    with acting_as(Principal(name="root", admin=True)):
        assert [a.name for a in home.workspace.accounts.list()].count("ada") == 1


def test_an_answer_is_good_once_and_in_the_browser_that_asked(home: Home) -> None:
    ada, thief = Person("ada"), Person("eve")
    back = ada.log_in(f"{home.url}/login/sso", f"{home.url}/login/sso/callback")
    assert thief.ask("GET", back).status == 401
    assert ada.ask("GET", back).status == 401  # it was used up
    assert home.who(ada)[0] == 401


@pytest.mark.parametrize(
    "query", ["", "state=x&code=y", "error=access_denied", "state=&code=", "code=" + "x" * 3000], ids=lambda q: q[:12]
)
def test_what_was_never_asked_for_opens_nothing(home: Home, query: str) -> None:
    assert Person("x").ask("GET", f"{home.url}/login/sso/callback?{query}").status == 401


def test_another_issuer_or_code_is_refused(home: Home) -> None:
    for change in (("iss=http", "iss=https"), ("code=", "code=x")):
        ada = Person("ada")
        back = ada.log_in(f"{home.url}/login/sso", f"{home.url}/login/sso/callback")
        assert ada.ask("GET", back.replace(*change)).status == 401
        assert home.who(ada)[0] == 401


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_the_way_back_leads_nowhere_else(home: Home, place: str) -> None:
    ada = Person("ada")
    back = ada.log_in(f"{home.url}/login/sso?next={place}", f"{home.url}/login/sso/callback")
    assert 'url=/"' in ada.ask("GET", back).data.decode()


def test_leaving_here_leads_out_there_and_leaving_there_ends_it_here(home: Home) -> None:
    ada, _ = home.come("ada")
    out = urllib3.request(
        "POST", f"{home.url}/login/out", headers={
            "cookie": "; ".join(f"{n}={v}" for n, v in ada.cookies[home.url.removeprefix("http://")].items()),
            "sec-fetch-site": "same-origin",
        },
    )  # fmt: skip
    assert out.json()["leave"].startswith(f"{home.issuer}/session/end?client_id=flyball")
    assert home.who(ada)[0] == 401
    other, _ = home.come("ada")
    assert home.who(other)[0] == 200
    form = other.ask("GET", f"{home.issuer}/session/end").data.decode()
    secret = re.search(r'name="xsrf" value="([^"]+)"', form)
    assert secret is not None, form
    ended = other.ask("POST", f"{home.issuer}/session/end/confirm", logout="yes", xsrf=secret[1])
    assert ended.status in (200, 302, 303), ended.data
    assert home.who(other)[0] == 401  # the provider has told us itself


@pytest.mark.parametrize("token", ["", "x.y.z", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_logout_token_ends_nothing(home: Home, token: str) -> None:
    ada, _ = home.come("ada")
    body = urlencode({"logout_token": token}).encode()
    answer = urllib3.request("POST", f"{home.url}/login/sso/logout", body=body)
    assert answer.status == 400
    assert home.who(ada)[0] == 200


def test_a_provider_with_new_keys_is_believed(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.server.provider._KEYS_AGAIN_SECONDS", 0.0)
    ours, port = free_port(), free_port()
    url = f"http://127.0.0.1:{ours}"
    workspace.settings = replace(
        workspace.settings, auth="on", oidc_issuer=f"http://127.0.0.1:{port}", oidc_client_id="flyball",
        oidc_client_secret=SECRET,
    )  # fmt: skip
    for _ in served_at(workspace, create_app(workspace), ours):
        for seed in ("1", "2"):
            with oidc_provider(tmp_path, port, url, seed) as issuer:
                home = Home(workspace, url, issuer, tmp_path)
                assert home.who(home.come("ada")[0])[0] == 200


@pytest.mark.parametrize("text", ["a", "a=b", "=default:viewer", "a=default:king", "a=:viewer", "a=default:none"])
def test_a_rule_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Rules.read(text)


@pytest.mark.parametrize("name", ["", "---", "@@@"])
def test_a_name_of_nothing_is_no_account(name: str) -> None:
    with pytest.raises(FlyballError):
        account_name(name)

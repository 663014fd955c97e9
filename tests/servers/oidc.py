"""A certified provider of single sign-on on loopback, and a person who logs in at it as a browser would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from tests.servers.absent import found
from tests.servers.processes import running
from tools import provision

SCRIPT = Path(__file__).parent / "scripts" / "oidc_provider.mjs"
SECRET = "a secret: of & ours"


@contextmanager
def oidc_provider(folder: Path, port: int, base: str, seed: str = "1") -> Iterator[str]:
    """The address of a provider that knows the server at `base`; without the program the test is not run."""
    package = found(provision.OIDC)
    issuer = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return urllib3.request("GET", f"{issuer}/.well-known/openid-configuration", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    node = provision.node_program()
    assert node is not None
    command: list[str | Path] = [node, SCRIPT, package.parents[1], str(port), base, seed]
    with running(command, log=folder / "oidc.log", ready=ready):
        yield issuer


class Person:
    """Somebody at a browser: keeps cookies, follows redirects, fills the provider's forms in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cookies: dict[str, dict[str, str]] = {}
        self._http = urllib3.PoolManager(retries=False)

    def ask(self, method: str, url: str, **form: str) -> urllib3.BaseHTTPResponse:
        """One request, as a browser sends it."""
        place = urlsplit(url).netloc
        kept = self.cookies.setdefault(place, {})
        headers = {
            "user-agent": "Mozilla/5.0", "cookie": "; ".join(f"{name}={value}" for name, value in kept.items()),
            "sec-fetch-site": "none", "sec-fetch-mode": "navigate",
        }  # fmt: skip
        body = urlencode(form).encode() if form else None
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        answer = self._http.request(method, url, body=body, headers=headers, redirect=False)
        for cookie in answer.headers.getlist("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            kept[name] = value
        return answer

    def log_in(self, start: str, until: str) -> str:
        """Goes from an address through the provider's forms; gives the address that leads back, not asked yet."""
        url, method = start, "GET"
        form: dict[str, str] = {}
        for _ in range(20):
            if url.startswith(until):
                return url
            answer = self.ask(method, url, **form)
            method, form = "GET", {}
            if answer.status in (302, 303):
                url = urljoin(url, answer.headers["location"])
                continue
            page = answer.data.decode()
            assert answer.status == 200, page[:2000]
            action = re.search(r'action="([^"]+)"', page)
            assert action is not None, page[:2000]
            prompt = re.search(r'name="prompt" value="(\w+)"', page)
            assert prompt is not None
            url, method = urljoin(url, action[1]), "POST"
            form = {"prompt": prompt[1], **({"login": self.name, "password": "any"} if prompt[1] == "login" else {})}
        raise AssertionError(f"never came back: {url}")

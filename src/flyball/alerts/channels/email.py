"""E-mail by SMTP, one message for each change of an alert; mail programs show those of one alert as one thread.

Settings: `to`, a list of addresses; `sender`; `host`, and `port` (optional); `security`: `starttls` (default), `tls`, or
`none` for a relay on this machine; `user` and `secret`, its password (optional); `timeout` in seconds (optional).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.message import headline, text
from flyball.errors import InvalidInput, WorkFailed

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SECONDS = 10.0


class Email:
    """Sends alerts by mail."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Sends a message."""
        import smtplib

        host, security = str(settings.get("host", "")), str(settings.get("security", "starttls"))
        to, sender = list(settings.get("to", ())), str(settings.get("sender", ""))
        check(to, sender, host, security)
        port, timeout = int(settings.get("port") or _PORTS[security]), float(settings.get("timeout", _SECONDS))
        try:
            with _connect(host, port, security, timeout) as server:
                if settings.get("user"):
                    server.login(str(settings["user"]), str(settings.get("secret", "")))
                server.send_message(_message(alert, sender, to))
        except (OSError, smtplib.SMTPException) as error:
            raise WorkFailed(f"The mail server {host} did not take the message ({type(error).__name__}).") from error


def check(to: list[str], sender: str, host: str, security: str) -> None:
    """Makes sure that mail can be sent so.

    Raises:
        InvalidInput: an address or the host is missing or none, or the security is not known.
    """
    for address in (*to, sender):
        if address.count("@") != 1 or not address.isprintable() or any(c in address for c in " ,;<>\"'"):
            raise InvalidInput(f"{address[:100]!r} is no mail address.", hint="Write it as name@example.org.")
    if not to or not host:
        raise InvalidInput("Mail needs `to` and `host`.", hint="Name who gets it and the server that takes it.")
    if security not in _PORTS:
        raise InvalidInput(f"security is '{security[:40]}'.", hint="Use starttls, tls or none.")


def _connect(host: str, port: int, security: str, timeout: float) -> smtplib.SMTP:
    import smtplib
    import ssl

    if security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=timeout)
    if security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _message(alert: Alert, sender: str, to: list[str]) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import formatdate

    message = EmailMessage()
    message["From"], message["To"], message["Date"] = sender, ", ".join(to), formatdate()
    # A title may hold anything: a header is one line.
    message["Subject"] = " ".join(headline(alert).split())[:250]
    thread = f"<alert-{alert.id}@flyball>"
    message["References"] = thread
    message["X-Flyball-Alert"] = alert.id
    message.set_content(text(alert))
    return message


plugin: Channel = Email()

"""A model server: one process that follows manifests and answers over HTTP.

python -m flyball.serving.model_server --objects ./objects --port 8081
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from flyball.clock import SystemClock
from flyball.errors import FlyballError, InvalidInput
from flyball.refs import check_name
from flyball.serialization import to_json
from flyball.serving.access_log import AccessLog
from flyball.serving.follower import Follower
from flyball.serving.given_manifests import GivenManifests
from flyball.serving.inference_api import create_app
from flyball.serving.protected import Protected, TokenFile
from flyball.serving.signed_manifest import read_keys
from flyball.storage.edge_objects import EdgeObjects
from flyball.storage.layered_objects import LayeredObjects
from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import open_objects
from flyball.telemetry import Telemetry

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 15
_SWITCH_SECONDS = 0.0005
_COLLECT_AFTER = (10_000, 10, 50)


def run(
    objects: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8081,
    replica: str = "",
    deployments: Sequence[str] = (),
    interval: float = 0.2,
    threads: int = 1,
    model_threads: int = 1,
    max_waiting: int = 256,
    timeout: float = 30.0,
    cache: Path | None = None,
    spool: Path | None = None,
    s3_endpoint: str = "",
    s3_region: str = "us-east-1",
    online: str = "",
    with_parent: bool = False,
    otlp: str = "",
    grpc_port: int | None = None,
    descriptor: int | None = None,
    models: Path | None = None,
    manifests: Path | None = None,
    trust: Sequence[Path] = (),
    edge: Path | None = None,
    heartbeat: float = 5.0,
    tokens: Path | None = None,
    access_log: str = "",
    announce: Callable[[dict[str, object]], None] | None = None,
) -> None:
    """Serves until it is told to stop by SIGTERM or SIGINT; then finishes what runs and writes the log.

    Args:
        objects: Folder or `s3://bucket/prefix` that holds manifests, packages and logs.
        port: 0 for any free one.
        replica: Name among the servers of this store; made of host and port by default.
        deployments: Which to follow; all by default.
        interval: Seconds between looks at the manifests.
        threads: Worker threads that predict on what is no plain numbers.
        model_threads: Threads that one prediction of one model may use.
        max_waiting: Most requests that wait; who comes then is told to come again.
        timeout: Seconds until a request that a model works on is given up.
        cache: Folder for local copies of model files, where the store is not local.
        spool: Folder on this machine's disk for predictions that do not rest in the store yet: a kill or a power cut then loses
            a twentieth of a second of them, and not a second.
        otlp: Where traces are sent by OTLP/HTTP; empty for nowhere.
        online: Address of the online store, for features that requests do not give.
        with_parent: Also stop when standard input ends, as it does when the parent is gone.
        grpc_port: Where the Open Inference Protocol is spoken over gRPC, 0 for any free one; None for nowhere.
        descriptor: Of a socket that listens already, which it shares with other servers; it then begins to answer once it
            has its models. In place of host and port.
        models: Folder with manifests and packages that are served as long as `objects` has none of that name, as a
            container image brings them; it is only read.
        manifests: Folder whose manifests are followed in place of the store's, as a commit or a mounted volume changes them.
        trust: Files of public keys, one of which must have signed a manifest.
        edge: Folder on this machine's disk that keeps what was read and what is written, for a store that may be out of reach
            for days.
        heartbeat: Seconds after which it tells that nothing has changed.
        tokens: File with the digests of the tokens, one of which has to be shown for a prediction; None for no door.
        access_log: File for a line of JSON for each request, `-` for standard error; empty: none is written.
        announce: Called with the addresses and the replica's name once it listens.

    Raises:
        InvalidInput: the address cannot be bound.
    """
    # A pool of threads for each small prediction costs more than it gives, and spins while others want the processor.
    os.environ.setdefault("OMP_NUM_THREADS", str(model_threads))
    # The thread that writes the log may hold Python's lock no longer than answers can wait for it.
    sys.setswitchinterval(_SWITCH_SECONDS)
    listening = bind(host, port) if descriptor is None else socket.socket(fileno=descriptor)
    address, replica = _named(listening, host, replica)
    far = open_objects(objects, s3_endpoint=s3_endpoint, s3_region=s3_region)
    near = EdgeObjects(far, edge) if edge is not None else None
    store = _layered(near or far, models, manifests)
    follower = Follower(
        store,
        replica=replica,
        address=address,
        deployments=deployments,
        interval=interval,
        cache=cache,
        online=online,
        model_threads=model_threads,
        spool=spool,
        trusted=read_keys(trust),
        heartbeat=heartbeat,
        settled=_keep_out_of_collections,
    )
    telemetry = Telemetry(otlp, "model-server")

    if tokens is not None and grpc_port is not None:
        raise InvalidInput("Tokens are asked for over HTTP alone.", hint="Leave --grpc-port away.")
    spoken = None
    if grpc_port is not None:
        from flyball.serving.grpc_api import GrpcServer

        spoken = GrpcServer(
            follower, f"{host}:{grpc_port}", telemetry=telemetry, threads=threads, max_waiting=max_waiting,
            is_shared=descriptor is not None,
        )  # fmt: skip

    def finish() -> None:
        if spoken is not None:
            spoken.stop()
        follower.stop()
        if near is not None:
            near.close()
        telemetry.close()

    app: ASGIApp = create_app(
        follower, threads=threads, max_waiting=max_waiting, timeout=timeout, on_shutdown=finish, telemetry=telemetry
    )
    app, end_access_log = _fronted(app, tokens, access_log)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_DRAIN_SECONDS
    )
    server = uvicorn.Server(config)
    if with_parent:

        def end() -> None:
            server.should_exit = True

        threading.Thread(target=_end_without_parent, args=(end,), name="parent", daemon=True).start()
    if descriptor is not None:
        _look_once(follower)
    follower.start()
    if announce is not None:
        announce(
            {"address": address, "replica": replica, **({} if spoken is None else {"grpc": f"{host}:{spoken.port}"})}
        )
    # uvicorn raises the signal that stopped it once more when all is done; by then it has been obeyed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with listening:
        server.run(sockets=[listening])
    end_access_log()


def _fronted(app: ASGIApp, tokens: Path | None, access_log: str) -> tuple[ASGIApp, Callable[[], None]]:
    """The application behind who asks for a token and who writes down who came; and what ends them."""
    if tokens is not None:
        app = Protected(app, TokenFile(tokens))
    if not access_log:
        return app, lambda: None
    noted = AccessLog(app, access_log, SystemClock())
    return noted, noted.close


def _layered(store: ObjectStore, models: Path | None, manifests: Path | None) -> ObjectStore:
    """The store with what a container brings beneath it, and manifests from a folder above it."""
    if models is not None:
        store = LayeredObjects(store, LocalObjects(models))
    return store if manifests is None else GivenManifests(store, manifests)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a model server by hand; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flyball.serving.model_server", description=__doc__)
    parser.add_argument("--objects", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--models", type=Path, help="folder with models to serve where the store names no others")
    parser.add_argument("--manifests", type=Path, help="folder with the manifests to follow, in place of the store's")
    parser.add_argument("--trust", type=Path, action="append", default=[], help="public key that must sign manifests")
    parser.add_argument("--edge", type=Path, help="folder that bridges days without the store")
    parser.add_argument("--tokens", type=Path, help="file of digests of the tokens that are asked for")
    parser.add_argument("--heartbeat", type=float, default=5.0, help="seconds between signs of life")
    parser.add_argument("--access-log", default="", help="file for a line of JSON a request; - for standard error")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081, help="0 for any free one")
    parser.add_argument("--grpc-port", type=int, help="also speak gRPC here; 0 for any free port")
    parser.add_argument("--replica", default="", help="name of this server among those of the store")
    parser.add_argument("--deployment", action="append", default=[], help="follow this one only; may be repeated")
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between looks at the manifests")
    parser.add_argument("--threads", type=int, default=1, help="worker threads that predict on tables")
    parser.add_argument("--model-threads", type=int, default=1, help="threads that one prediction may use")
    parser.add_argument("--max-waiting", type=int, default=256, help="most requests that wait for a model")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds until a request is given up")
    parser.add_argument("--cache", type=Path, help="folder for local copies of model files")
    parser.add_argument("--spool", type=Path, help="folder for predictions that do not rest in the store yet")
    parser.add_argument("--s3-endpoint", default="")
    parser.add_argument("--s3-region", default="us-east-1")
    parser.add_argument("--otlp", default="", help="where traces are sent, such as http://localhost:4318")
    parser.add_argument("--online", default="", help="address of the online store of features")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the port")
    parser.add_argument("--descriptor", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    given = parser.parse_args(arguments)
    logging.basicConfig(level=given.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        if given.workers > 1:
            _supervise(given, _of_each(sys.argv[1:] if arguments is None else arguments))
            return 0
        run(
            given.objects,
            host=given.host,
            port=given.port,
            grpc_port=given.grpc_port,
            descriptor=given.descriptor,
            replica=given.replica,
            deployments=given.deployment,
            interval=given.interval,
            threads=given.threads,
            model_threads=given.model_threads,
            max_waiting=given.max_waiting,
            timeout=given.timeout,
            cache=given.cache,
            spool=given.spool,
            s3_endpoint=given.s3_endpoint,
            s3_region=given.s3_region,
            online=given.online,
            with_parent=given.with_parent,
            otlp=given.otlp,
            models=given.models,
            manifests=given.manifests,
            trust=given.trust,
            edge=given.edge,
            heartbeat=given.heartbeat,
            tokens=given.tokens,
            access_log=given.access_log,
            announce=_announce,
        )
    except FlyballError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, InvalidInput) else 1
    return 0


def _of_each(arguments: Sequence[str]) -> list[str]:
    """The arguments of a worker: those of the whole but for what is said to each by itself."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--workers", "--replica", "--port"):
        parser.add_argument(name)
    parser.add_argument("--with-parent", action="store_true")
    return parser.parse_known_args(arguments)[1]


def _announce(facts: dict[str, object]) -> None:
    # One line for whoever started it: with port 0 nobody else knows where it listens.
    sys.stdout.write(to_json(facts).decode() + "\n")
    sys.stdout.flush()


def _named(listening: socket.socket, host: str, replica: str) -> tuple[str, str]:
    """The address of a socket, and the name of the server behind it."""
    bound = listening.getsockname()[1]
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    return address, check_name(replica or f"{socket.gethostname()[:60]}-{bound}", "replica")


def _keep_out_of_collections() -> None:
    # Libraries and models are some hundred thousand objects that live as long as the server. To look through them again and
    # again for garbage stops every answer for 28 ms, each few thousand requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def _look_once(follower: Follower) -> None:
    # Those who share the socket answer meanwhile; who accepts without a model could only send people away.
    try:
        follower.look()
    except Exception as error:
        logger.warning("the store cannot be reached", exc_info=error)


def _supervise(given: argparse.Namespace, arguments: Sequence[str]) -> None:
    from flyball.serving.workers import Supervisor

    if given.grpc_port == 0:
        raise InvalidInput("Several workers cannot each take any free port for gRPC.", hint="Name the port.")
    with bind(given.host, given.port) as listening:
        address, replica = _named(listening, given.host, given.replica)
        replicas = [f"{replica}-w{place}" for place in range(1, given.workers + 1)]
        supervisor = Supervisor(arguments, listening, replicas)
        if given.with_parent:
            threading.Thread(target=_end_without_parent, args=(supervisor.end,), name="parent", daemon=True).start()
        supervisor.run(lambda: _announce({"address": address, "replica": replica, "workers": replicas}))


def bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidInput(f"{host}:{port} cannot be bound: {error.strerror}.", hint="Choose another port.") from error


def _end_without_parent(end: Callable[[], None]) -> None:
    # Not through sys.stdin: the interpreter cannot end while a thread waits inside of it.
    while os.read(0, 1024):
        pass
    end()


if __name__ == "__main__":
    sys.exit(main())

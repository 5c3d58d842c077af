"""The process of one local cloud: starts every part, serves, stops cleanly."""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import pkgutil
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

from localcloud.settings import ACCESS_KEY_ID, API_PORT, SECRET_ACCESS_KEY, Settings

log = logging.getLogger("localcloud")


class PortInUseError(Exception):
    """Another program listens where this local cloud must."""


def _configure_moto(settings: Settings) -> None:
    """moto reads these at import, so they come before it."""
    os.environ.update(
        MOTO_ACCOUNT_ID=settings.account_id,
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",
        MOTO_EC2_LOAD_DEFAULT_AMIS="false",
        MOTO_ACM_VALIDATION_WAIT="0",
        # Nothing in this process may ever look for real credentials or call out.
        AWS_ACCESS_KEY_ID=ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
        AWS_ENDPOINT_URL=settings.endpoint,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_DEFAULT_REGION=settings.region,
    )


def _quieten() -> None:
    """No AWS service has NotImplemented among its errors, and moto would say so at each refusal."""
    warnings.filterwarnings("ignore", r"Exception\(NotReproducedError\) with code NotImplemented ")


def _register_services(cloud: Any) -> None:
    import localcloud.services

    for module in sorted(pkgutil.iter_modules(localcloud.services.__path__), key=lambda m: m.name):
        part = importlib.import_module(f"localcloud.services.{module.name}")
        if hasattr(part, "register"):
            part.register(cloud)


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises PortInUseError before anything is started."""
    _configure_moto(settings)
    _quieten()
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import BaseWSGIServer, make_server

    from localcloud.cloud import Cloud
    from localcloud.gateway import Gateway
    from localcloud.recorder import Recorder

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"  # clients keep their connections

        def log_request(self, *args: Any) -> None:
            """Calls are in calls.jsonl already."""

    state = settings.state_dir
    cloud = Cloud(settings)
    recorder = Recorder(state / "calls.jsonl")
    try:
        server: BaseWSGIServer = make_server(
            cloud.addresses.api,
            API_PORT,
            Gateway(cloud, recorder),
            threaded=True,
            request_handler=Handler,
        )
    except (OSError, SystemExit) as error:
        if isinstance(error, SystemExit) or error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"{cloud.addresses.api}:{API_PORT}") from error
        raise
    _register_services(cloud)

    def stop(*_: object) -> None:
        # shutdown() waits for serve_forever(), which runs in this very thread.
        threading.Thread(target=server.shutdown).start()

    def stop_when_folder_is_gone(going_down: threading.Event) -> None:
        """A folder removed by hand leaves nobody who could say `down`."""
        while not going_down.wait(1.0):
            if not (state / "LOCALCLOUD").exists():
                log.warning("%s is gone: stopping", state)
                stop()
                return

    cloud.background("folder", stop_when_folder_is_gone)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _write_cloud_file(settings)
    log.info("serving at %s", settings.endpoint)
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        cloud.stop()
        recorder.close()
        (state / "cloud.json").unlink(missing_ok=True)


def _write_cloud_file(settings: Settings) -> None:
    """cloud.json tells clients where the cloud is; its presence says that it is ready."""
    content = {
        "endpoint": settings.endpoint,
        "region": settings.region,
        "account_id": settings.account_id,
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "number": settings.number,
        "state_dir": str(settings.state_dir),
        "speed": settings.speed,
        "ca_bundle": str(settings.state_dir / "ca" / "ca.pem"),
        "api_pid": os.getpid(),
    }
    path = settings.state_dir / "cloud.json"
    temporary = path.with_suffix(".tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def main(argv: list[str]) -> int:
    """`python -m localcloud.daemon STATE NUMBER SPEED REGION`; used by `localcloud up` only."""
    state_dir, number, speed, region = argv
    settings = Settings(int(number), Path(state_dir), float(speed), region)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s",
    )
    try:
        serve(settings)
    except PortInUseError as error:
        print(f"localcloud-port-in-use: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One JSON object a line on stdout. Never a secret; no message text and no phone number."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

LOGGER = logging.getLogger("booking")


class JsonFormatter(logging.Formatter):
    """Formats a record as {time, level, event, release, …the fields given as `extra={"data": …}`}."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "release": os.environ.get("LYO_RELEASE", ""),
        }
        data = getattr(record, "data", None)
        if isinstance(data, dict):
            entry.update(data)
        if record.exc_info and record.exc_info[0] is not None:
            # The type and place only: a database error's text can quote a customer's data.
            entry["error"] = record.exc_info[0].__name__
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            if trace is not None:
                entry["at"] = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure() -> None:
    """Send every logger's records to stdout as JSON lines; libraries from warning on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOGGER.setLevel(logging.INFO)
    # The pool reports each failed attempt with the address; /health says it often enough.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def event(name: str, **data: object) -> None:
    """Log `name` at info level with the given fields."""
    LOGGER.info(name, extra={"data": data})


def warning(name: str, **data: object) -> None:
    """Log `name` at warning level with the given fields."""
    LOGGER.warning(name, extra={"data": data})

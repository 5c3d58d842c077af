"""What one local cloud is made with: its number, folder, account, region and speed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_STATE_DIR = ROOT / ".localcloud"
DEFAULT_SPEED = 10.0
DEFAULT_REGION = "eu-south-1"
ACCOUNT_ID = "123456789012"
API_PORT = 4566
HIGHEST_NUMBER = 200

# Long and distinctive on purpose: Ansible's no_log masks every occurrence of a secret's value.
ACCESS_KEY_ID = "AKIALYOLOCALCLOUD0001"
SECRET_ACCESS_KEY = "lyo-localcloud-secret-access-key-7Qm2vX9d"  # noqa: S105 - known to everybody, opens nothing


@dataclass(frozen=True)
class Settings:
    """One local cloud's settings.

    number: which 127.N.0.0/16 it owns, 1 to 200.
    state_dir: folder of everything it writes; removed by `down`.
    speed: cloud seconds that pass in one wall second, for every wait AWS would make.
    """

    number: int
    state_dir: Path
    speed: float = DEFAULT_SPEED
    region: str = DEFAULT_REGION
    account_id: str = ACCOUNT_ID

    @property
    def endpoint(self) -> str:
        """URL of the API, `http://127.N.0.1:4566`."""
        return f"http://{Addresses(self.number).api}:{API_PORT}"


@dataclass(frozen=True)
class Addresses:
    """The loopback addresses of local cloud `number`. Linux serves all of 127.0.0.0/8."""

    number: int

    def _address(self, third: int, fourth: int) -> str:
        return f"127.{self.number}.{third}.{fourth}"

    @property
    def api(self) -> str:
        """Address of the AWS APIs."""
        return self._address(0, 1)

    def load_balancer(self, index: int) -> str:
        """Address of load balancer `index`, 1 to 254."""
        return self._address(1, index)

    def rds(self, index: int) -> str:
        """Address of database instance `index`, 1 to 254."""
        return self._address(2, index)

    def cache(self, index: int) -> str:
        """Address of cache node `index`, 1 to 254."""
        return self._address(3, index)

    def cdn(self, index: int) -> str:
        """Address of CloudFront distribution `index`, 1 to 254."""
        return self._address(4, index)

    def task(self, index: int) -> str:
        """Address of the `index`-th task, 0 to 61,439, spread over 127.N.16.1 to 127.N.255.254."""
        third, fourth = divmod(index, 254)
        return self._address(16 + third % 240, 1 + fourth)


def served_port(port: int) -> int:
    """Port at which a load balancer's or distribution's port is served here.

    Ports below 1024 need privileges, so they are served 10,000 higher: 443 at 10443.
    """
    return port + 10000 if port < 1024 else port


def default_state_dir() -> Path:
    """Folder that LOCALCLOUD_STATE names, else `.localcloud` in the repository."""
    named = os.environ.get("LOCALCLOUD_STATE")
    return Path(named).resolve() if named else DEFAULT_STATE_DIR

"""EC2: what moto is helped with."""

from __future__ import annotations

from types import SimpleNamespace

from localcloud.services.ec2 import forget_interfaces


def test_the_interfaces_of_a_nat_gateway_go_with_it() -> None:
    backend = SimpleNamespace(
        nat_gateways={"nat-1": SimpleNamespace(address_set=[{"networkInterfaceId": "eni-1"}])},
        enis={"eni-1": None, "eni-2": None},
    )
    forget_interfaces(backend, "nat-1")
    assert backend.enis == {"eni-2": None}
    forget_interfaces(backend, "nat-1")

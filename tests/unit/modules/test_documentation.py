"""Each module's documentation says what its argument spec says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "library"
NAMES = [
    "ecr_image",
    "ecs_release",
    "ecs_rollback",
    "ecs_run_task",
    "environment_backup",
    "environment_leftovers",
    "http_checks",
    "phase_validation",
    "release_plan",
    "release_preflight",
    "schema_migration",
    "cost_estimate",
    "ecs_logs",
    "ecs_restart",
    "ecs_scale",
    "ecs_watch",
    "environment_status",
    "terraform_stack",
    "whatsapp_verify_token",
    "whatsapp_webhooks",
]


def load(name: str, folder: Path = LIBRARY) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"lyo_{folder.name}_{name}", folder / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documentation_of(module: ModuleType) -> dict[str, Any]:
    """A module's documentation with the fragments it extends, put together as Ansible does."""
    documentation: dict[str, Any] = yaml.safe_load(module.DOCUMENTATION)
    options: dict[str, Any] = {}
    for name in documentation["extends_documentation_fragment"]:
        plugin, _, attribute = name.partition(".")
        fragments = load(plugin, ROOT / "doc_fragments").ModuleDocFragment
        text = getattr(fragments, attribute.upper() or "DOCUMENTATION")
        options |= yaml.safe_load(text)["options"]
    for name, option in documentation.get("options", {}).items():
        options[name] = {**options.get(name, {}), **option}
    return {**documentation, "options": options}


class Caught(Exception):  # noqa: N818
    """The argument spec that AnsibleModule was given."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__()
        self.spec = spec


def spec_of(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def catch(argument_spec: dict[str, Any], **_: Any) -> None:
        raise Caught(argument_spec)

    monkeypatch.setattr(module, "AnsibleModule", catch)
    with pytest.raises(Caught) as caught:
        module.main()
    return caught.value.spec


def compare(documented: dict[str, Any], spec: dict[str, Any], path: str) -> None:
    assert set(documented) == set(spec), path
    for name, option in spec.items():
        said = documented[name]
        here = f"{path}.{name}"
        assert said["description"], here
        for key, default in (("type", "str"), ("required", False), ("default", None),
                             ("choices", None), ("elements", None)):  # fmt: skip
            assert said.get(key, default) == option.get(key, default), f"{here} {key}"
        if "options" in option or "suboptions" in said:
            compare(said["suboptions"], option["options"], here)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_documented(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(name)
    documentation = documentation_of(module)
    assert documentation["module"] == name
    compare(documentation["options"], spec_of(module, monkeypatch), name)


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_returns_are_there(name: str) -> None:
    module = load(name)
    assert all(name in example for example in yaml.safe_load(module.EXAMPLES))
    for key, entry in yaml.safe_load(module.RETURN).items():
        assert {"description", "returned", "type"} <= set(entry), key


@pytest.mark.parametrize("name", NAMES)
def test_nothing_heavy_is_imported_before_the_arguments_are_read(name: str) -> None:
    text = (LIBRARY / f"{name}.py").read_text()
    assert "boto" not in text.partition("def main")[0].rpartition('"""')[2]

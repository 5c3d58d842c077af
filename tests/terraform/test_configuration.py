"""The configuration as text: documentation, validations tested, environments consistent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.terraform.conftest import ROOT

TERRAFORM = ROOT / "terraform"
MODULES = ["", *sorted(folder.name for folder in (TERRAFORM / "modules").iterdir())]
ENVIRONMENTS = ["local", "production", "staging"]
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def folder_of(module: str) -> Path:
    return TERRAFORM / "modules" / module if module else TERRAFORM


def blocks(module: str) -> dict[tuple[str, str], str]:
    """Variables and outputs of a module: (kind, name) → body."""
    text = "".join(file.read_text() for file in sorted(folder_of(module).glob("*.tf")))
    return {(kind, name): body for kind, name, body in BLOCK.findall(text)}


def assignments(environment: str, suffix: str) -> dict[str, str]:
    """Top-level strings of an environment's file."""
    text = (TERRAFORM / f"{environment}.{suffix}").read_text()
    return dict(re.findall(r'^(\w+) *= "([^"]*)"', text, re.MULTILINE))


@pytest.mark.parametrize("module", MODULES)
def test_variables_and_outputs_are_documented(module: str) -> None:
    readme = (folder_of(module) / "README.md").read_text()
    found = blocks(module)
    assert found
    for (kind, name), body in found.items():
        description = re.search(r'^  description = "(.+)"$', body, re.MULTILINE)
        assert description, f"{kind} {name} of {module or 'the root'} has no description"
        assert f"| `{name}` | {description.group(1)} |" in readme, (
            f"{module or 'root'} README lacks {kind} {name}; type: scripts/terraform-docs"
        )


@pytest.mark.parametrize("module", MODULES)
def test_readme_names_nothing_that_is_gone(module: str) -> None:
    readme = (folder_of(module) / "README.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    assert sorted(named) == sorted(name for _, name in blocks(module))


@pytest.mark.parametrize("module", MODULES)
def test_variables_have_a_type_and_refuse_null(module: str) -> None:
    for (kind, name), body in blocks(module).items():
        if kind == "variable":
            assert re.search(r"^  type +=", body, re.MULTILINE), name
            assert ("nullable" in body) != bool(re.search(r"^  default +=? *null", body, re.M)), (
                f"{name} must have nullable = false, or null as its documented default"
            )


@pytest.mark.parametrize("module", MODULES)
def test_every_validation_has_a_value_that_it_refuses(module: str) -> None:
    runs = (TERRAFORM / f"tests/{module or 'root'}_validation.tftest.hcl").read_text()
    for (kind, name), body in blocks(module).items():
        validations = len(re.findall(r"^  validation \{", body, re.MULTILINE))
        refused = len(re.findall(rf"expect_failures = \[var\.{name}\]", runs))
        assert refused >= validations, f"{kind} {name}: {validations} validations, {refused} runs"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_variables_and_backend_speak_of_the_same_environment(environment: str) -> None:
    variables = assignments(environment, "tfvars")
    backend = assignments(environment, "s3.tfbackend")
    assert variables["environment"] == environment
    assert backend["bucket"] == f"lyo-{environment}-{variables['account_id']}-tfstate"
    assert backend["region"] == variables["region"]


def test_nothing_overrides_an_endpoint() -> None:
    for file in [
        *TERRAFORM.rglob("*.tf"),
        *TERRAFORM.glob("*.tfvars"),
        *TERRAFORM.glob("*.tfbackend"),
    ]:
        text = re.sub(r"#.*", "", file.read_text())
        assert not re.search(r"\bendpoints\s*[={]|endpoint_url", text), file
        # SNS calls a subscriber's address an endpoint; a backend or a provider must not have one.
        if file.name in ("providers.tf", "versions.tf") or file.suffix == ".tfbackend":
            assert "endpoint" not in text, file


def test_what_checkov_is_to_pass_over_says_why_beside_the_resource() -> None:
    skips = 0
    for file in TERRAFORM.rglob("*.tf"):
        resource = ""
        for line in file.read_text().splitlines():
            if re.match(r"(resource|data|module) ", line):
                resource = line
            elif line.startswith("}"):
                resource = ""
            elif "checkov:" in line:
                skips += 1
                reason = re.fullmatch(r"  #checkov:skip=CKV2?_AWS_\d+:(\S.*)", line)
                assert reason, f"{file}: {line}"
                assert len(reason.group(1).split()) >= 4, f"{file}: that is no reason: {line}"
                assert resource, f"{file}: not in a resource: {line}"
    assert skips > 0


def test_checkov_passes_over_nothing_everywhere() -> None:
    runner = (ROOT / "scripts/checkov").read_text()
    assert not re.search(r"--(skip-check|check|skip-path|soft-fail|config-file)\b", runner)
    assert not [*ROOT.glob(".checkov.y*ml"), *TERRAFORM.rglob(".checkov.y*ml")]


def test_no_credentials_are_in_the_configuration() -> None:
    patterns = ("*.tf", "*.tfvars", "*.tfbackend")
    for file in [file for pattern in patterns for file in TERRAFORM.rglob(pattern)]:
        text = re.sub(r"#.*|description .*", "", file.read_text())
        assert not re.search(
            r"\b(access_key|secret_key|token|profile|assume_role|shared_\w+_files?) *[={]", text
        ), file
        assert not re.search(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", text), file


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_backend_locks_and_encrypts(environment: str) -> None:
    text = (TERRAFORM / f"{environment}.s3.tfbackend").read_text()
    settings = dict(re.findall(r"^(\w+) *= *(.+)$", text, re.MULTILINE))
    declared = re.search(r'backend "s3" \{(.*?)\}', (TERRAFORM / "versions.tf").read_text(), re.S)
    assert declared
    settings |= dict(re.findall(r"(\w+) *= *(.+)", declared.group(1)))
    assert settings["use_lockfile"] == "true"
    assert settings["encrypt"] == "true"
    assert settings["key"] == '"lyo.tfstate"'
    # Two environments never share a bucket: the name has the environment and the account in it.
    assert settings.keys() <= {
        "bucket",
        "key",
        "region",
        "use_lockfile",
        "encrypt",
        "use_path_style",
    }


def test_the_lock_file_covers_more_than_one_platform() -> None:
    text = (TERRAFORM / ".terraform.lock.hcl").read_text()
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', text)) > 10
    assert re.search(r'"h1:', text)
    version = re.search(r'version = "([\d.]+)"', (TERRAFORM / "versions.tf").read_text())
    assert version
    assert f'version     = "{version.group(1)}"' in text


def test_json_in_the_outputs_parameter_is_named_as_the_runbooks_read_it() -> None:
    text = (TERRAFORM / "outputs.tf").read_text()
    body = text[text.index("runbooks = {") : text.index("# The contract")]
    names = set(re.findall(r"^ {4}(\w+) += ", body, re.MULTILINE))
    missing = set(json.loads((Path(__file__).parent / "outputs.json").read_text())) - names
    assert missing == set()

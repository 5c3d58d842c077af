"""Terraform's files of an environment against the inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from filter_plugins.lyo_terraform_files import lyo_terraform_files

AWS = {"account_id": "123456789012", "region": "eu-south-1"}
TFVARS = """# staging
environment          = "staging"
account_id           = "123456789012" # the account
region               = "eu-south-1"
postgres = {
  region = "nested"
}
"""
BACKEND = 'bucket = "states"\nregion = "eu-south-1"\n'


def ask(folder: Path, tfvars: str = TFVARS, backend: str = BACKEND) -> str:
    (folder / "staging.tfvars").write_text(tfvars)
    (folder / "staging.s3.tfbackend").write_text(backend)
    return lyo_terraform_files(AWS, "staging", str(folder), "states")


def test_files_that_mean_the_same_are_no_problem(tmp_path: Path) -> None:
    assert ask(tmp_path) == ""


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("123456789012", "210987654321", "account_id"),
        ('"eu-south-1"', '"eu-west-1"', "region"),
        ('"staging"', '"production"', "environment"),
        ("account_id", "# account_id", "account_id"),
    ],
)
def test_other_variables_are_told(tmp_path: Path, old: str, new: str, name: str) -> None:
    problem = ask(tmp_path, tfvars=TFVARS.replace(old, new))
    assert (
        f"/staging.tfvars and inventories/staging/group_vars/staging/aws.yml disagree: {name}"
        in (f"/{problem}")
    )


@pytest.mark.parametrize(("old", "new"), [("states", "others"), ("eu-south-1", "eu-west-1")])
def test_another_backend_is_told(tmp_path: Path, old: str, new: str) -> None:
    problem = ask(tmp_path, backend=BACKEND.replace(old, new))
    assert "staging.s3.tfbackend" in problem
    assert f"'{new}' in the first, '{old}' follows from the second" in problem


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "staging.tfvars cannot be read" in lyo_terraform_files(
        AWS, "staging", str(tmp_path), "states"
    )


@pytest.mark.parametrize("env", ["local", "staging", "production"])
def test_the_repositorys_own_files_agree_with_each_other(env: str) -> None:
    folder = Path(__file__).resolve().parents[3] / "terraform"
    account = "123456789012" if env == "local" else "000000000000"
    aws = {"account_id": account, "region": "eu-south-1"}
    bucket = f"lyo-{env}-{account}-tfstate"
    assert lyo_terraform_files(aws, env, str(folder), bucket) == ""

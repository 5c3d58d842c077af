"""What has to be typed before an environment goes."""

from __future__ import annotations

import pytest

from filter_plugins.lyo_destroy_words import lyo_destroy_words as missing


@pytest.mark.parametrize("env", ["local", "staging", "production"])
@pytest.mark.parametrize("typed", ["", "yes", "true", "produktion", "all"])
def test_no_environment_goes_without_its_name(env: str, typed: str) -> None:
    problem = missing(env, typed, "data")
    assert problem.startswith("Nothing was destroyed: ")
    assert f"destroy.yml -e env={env} --check" in problem
    assert f"-e destroy={env}" in problem


def test_another_environments_name_is_not_enough() -> None:
    assert "-e destroy=staging is not local" in missing("local", "staging")


@pytest.mark.parametrize("env", ["local", "staging"])
def test_the_name_is_enough_where_nobodys_data_is(env: str) -> None:
    assert missing(env, env) == ""


@pytest.mark.parametrize("lose", ["", "nothing", "production"])
def test_production_wants_a_second_word(lose: str) -> None:
    problem = missing("production", "production", lose)
    assert "customers' data" in problem
    assert "-e destroy=production -e lose=data" in problem
    assert missing("production", "production", "data") == ""


def test_showing_needs_no_word() -> None:
    assert missing("production", check=True) == ""

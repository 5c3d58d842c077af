from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from ansible.module_utils.lyo_webhooks import sources, versions
from ansible.module_utils.lyo_webhooks import tenants as t

YAML = """\
- {id: da-mario, waba_id: "100001", phone_number_id: "200001"}
- id: il-faro
  waba_id: 100002
  phone_number_ids: ["200002", 200003]
  token: lyo/tokens#il-faro
  level: number
  url: https://faro.example/webhook
"""


def good(text: str, form: str = "yaml") -> list[t.Tenant]:
    return t.validate(t.read(text, form), "tenants.yml")


def problems(text: str, form: str = "yaml") -> str:
    with pytest.raises(t.TenantsError) as caught:
        good(text, form)
    return str(caught.value)


def test_yaml_with_everything() -> None:
    mario, faro = good(YAML)
    assert mario == t.Tenant("da-mario", "100001", ("200001",))
    assert faro.numbers == ("200002", "200003")
    assert faro.token == t.TokenReference("lyo/tokens", "il-faro")
    assert (faro.level, faro.url) == ("number", "https://faro.example/webhook")


def test_a_list_below_the_key_tenants_is_the_same() -> None:
    indented = "\n".join(f"  {line}" for line in YAML.splitlines())
    assert good(f"tenants:\n{indented}\n") == good(YAML)


def test_json_lines_and_csv() -> None:
    lines = '{"id": "a1", "waba_id": "100001", "phone_number_id": "200001"}\n\n'
    assert good(lines, "jsonl") == [t.Tenant("a1", "100001", ("200001",))]
    rows = "id,waba_id,phone_number_id,token\na1,100001,200001; 200002,\n"
    assert good(rows, "csv") == [t.Tenant("a1", "100001", ("200001", "200002"))]


def test_every_problem_is_named_with_line_and_tenant_in_one_message() -> None:
    text = """\
- {id: a1, waba_id: "100001", phone_number_id: "200001"}
- {id: a2, waba_id: "100001", phone_number_id: "200001", colour: red}
- {id: a3, waba_id: 12ab, phone_number_id: "+39 055"}
- {id: a4, waba_id: "100004"}
- {id: a5, waba_id: "100005", phone_number_id: "200005", level: country, url: "http://x.example"}
- just text
- {id: a1, waba_id: "100007", phone_number_id: "200007", token: "#key"}
- {id: "a 8", waba_id: "100008", phone_number_id: ["200008", "200008"]}
"""
    said = problems(text)
    for line in (
        "line 1, tenant a1: id a1 is also a1's (line 7)",
        "line 1, tenant a1: waba_id 100001 is also a2's (line 2)",
        "line 2, tenant a2: phone_number_id 200001 is also a1's (line 1)",
        "line 2, tenant a2: unknown colour",
        "line 3, tenant a3: waba_id '12ab' is not an id",
        "line 3, tenant a3: phone_number_id '+39' is not an id",
        "line 4, tenant a4: phone_number_id missing",
        "line 5, tenant a5: level 'country' is none of",
        "line 5, tenant a5: url 'http://x.example' is not an https address",
        "line 6, tenant ?: not a mapping",
        "line 7, tenant a1: token must name a secret",
        "line 8, tenant a 8: id 'a 8' must be",
        "line 8, tenant a 8: phone_number_id 200008 is there twice",
    ):
        assert line in said, line


def test_a_token_written_into_the_list_is_refused_and_not_repeated() -> None:
    token = "EAA" + "x" * 60
    text = f'[{{"id": "a1", "waba_id": "100001", "phone_number_id": "200001", "token": "{token}"}}]'
    said = problems(text)
    assert "not be the token itself" in said
    assert token not in said


def test_who_is_right_is_known_beside_who_is_not() -> None:
    rows = t.read(YAML + '- {id: dup, waba_id: "100002", phone_number_id: "200009"}\n', "yaml")
    tenants, found = t.check(rows)
    assert [tenant.id for tenant in tenants] == ["da-mario"]
    assert {problem.tenant for problem in found} == {"il-faro", "dup"}


def test_what_is_no_list_is_told() -> None:
    assert "not a list" in problems("a: 1")
    assert "not YAML" in problems("[")
    assert "line 2: not YAML" in problems('{"id": "a1"}\n{"id"', "jsonl")
    assert "no tenant" in problems("")
    assert "no tenant" in problems("[]")


def test_a_url_may_have_200_characters() -> None:
    assert not t.url_problems("https://x.example/" + "a" * 182)
    assert "201" in t.url_problems("https://x.example/" + "a" * 183)[0]


def test_the_form_goes_by_the_ending(tmp_path: Path) -> None:
    file = tmp_path / "tenants.csv"
    file.write_text("\ufeffid,waba_id,phone_number_id\na1,100001,200001\n", encoding="utf-8")
    assert sources.from_file(str(file)) == [
        (2, {"id": "a1", "waba_id": "100001", "phone_number_id": "200001"})
    ]
    with pytest.raises(t.TenantsError, match="must end in"):
        sources.form_of("tenants.txt")
    with pytest.raises(t.TenantsError, match="cannot be read"):
        sources.from_file(str(tmp_path / "none.yml"))


def test_a_list_in_a_log_is_whole_only_with_its_end() -> None:
    row, event = '{"id": "a1"}', "2026 started"
    assert sources.rows_of([event, row]) is None
    assert sources.rows_of([row, '{"rows": 2}']) is None
    assert sources.rows_of([event, row, row, '{"rows": 2}']) == [row, row]
    assert sources.rows_of(['{"rows": 0}']) == []


DAY = timedelta(days=1)


@pytest.mark.parametrize("version", [v for v, end in versions.ENDS.items() if end is not None])
def test_a_version_is_refused_on_the_day_it_ends_and_warned_of_180_days_before(
    version: str,
) -> None:
    end = versions.ENDS[version]
    assert end is not None
    assert "ended" in versions.problem(version, end)
    assert versions.problem(version, end - DAY) == ""
    assert versions.warning(version, end - 181 * DAY) == ""
    assert "in 180 days" in versions.warning(version, end - 180 * DAY)
    assert versions.warning(version, end) == ""


def test_versions_that_are_none() -> None:
    today = date(2026, 11, 27)
    assert versions.problem(versions.NEWEST, today) == ""
    assert versions.warning(versions.NEWEST, today) == ""
    assert "not a version" in versions.problem("26", today)
    assert "has ended" in versions.problem("v12.0", today)
    assert "not in the table" in versions.problem("v99.0", today)

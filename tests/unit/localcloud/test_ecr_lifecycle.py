from __future__ import annotations

from datetime import UTC, datetime, timedelta

from localcloud.services.ecr_lifecycle import StoredImage, expired

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def image(name: str, days_old: int, *tags: str) -> StoredImage:
    return StoredImage(name, tags, NOW - timedelta(days=days_old))


def rule(
    priority: int, status: str, kind: str, count: int, **selection: object
) -> dict[str, object]:
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, "countType": kind, "countNumber": count, **selection},
        "action": {"type": "expire"},
    }


def test_keeps_the_newest_of_a_count() -> None:
    images = [image("old", 3, "v1"), image("new", 1, "v3"), image("middle", 2, "v2")]
    policy = {"rules": [rule(1, "any", "imageCountMoreThan", 2)]}
    assert expired(policy, images, NOW) == {"old"}


def test_expires_untagged_images_by_age_and_leaves_tagged_ones() -> None:
    images = [image("untagged-old", 8), image("untagged-new", 6), image("tagged-old", 80, "v1")]
    policy = {"rules": [rule(1, "untagged", "sinceImagePushed", 7)]}
    assert expired(policy, images, NOW) == {"untagged-old"}


def test_an_image_kept_by_a_rule_is_out_of_reach_of_later_rules() -> None:
    images = [image("release", 90, "v1-abc"), image("other", 90, "test")]
    policy = {
        "rules": [
            rule(2, "any", "sinceImagePushed", 30),
            rule(1, "tagged", "imageCountMoreThan", 5, tagPrefixList=["v"]),
        ]
    }
    assert expired(policy, images, NOW) == {"other"}


def test_every_pattern_of_a_list_must_be_met() -> None:
    images = [image("both", 90, "v1-prod", "eu-1"), image("one", 90, "v2-prod")]
    policy = {
        "rules": [rule(1, "tagged", "sinceImagePushed", 30, tagPatternList=["v*-prod", "eu-*"])]
    }
    assert expired(policy, images, NOW) == {"both"}

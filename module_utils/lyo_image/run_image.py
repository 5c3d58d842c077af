"""The module ``ecr_image``: an image by digest, built if its inputs have never been built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from . import build, description, docker, registry
from .reference import Reference, parse, within


def release_name(reference: Reference, release: str | None) -> str:
    """Return the release of an image built elsewhere: as given, else its tag or digest."""
    return release or reference.tag or f"sha-{reference.digest.partition(':')[2][:12]}"


def wanted_tag(app: Mapping[str, Any], release: str) -> tuple[str, description.Description | None]:
    """Return the tag of a release's image, and its description for the process builder.

    :raises BadDescriptionError: the application's folder cannot be used.
    """
    root = Path(app["path"])
    if app["builder"] == "docker":
        description.check_release(release)
        listed = None
        if (root / app["image_toml"]).is_file():
            found = description.load(root, app["image_toml"], release)
            listed = found if found.context == "listed" else None
        inputs = description.docker_inputs_hash(root, app["dockerfile"], release, listed)
        return description.tag(release, inputs), None
    loaded = description.load(root, app["image_toml"], release)
    return description.tag(release, description.inputs_hash(loaded)), loaded


def wanted_schema(app: Mapping[str, Any], release: str) -> tuple[str, ...]:
    """Return the schema revisions that a release built here runs on, empty where it does not say.

    :raises BadDescriptionError: the description is wrong or does not know the release.
    """
    root = Path(app["path"])
    if app["builder"] == "docker" and not (root / app["image_toml"]).is_file():
        return ()
    return description.load(root, app["image_toml"], release).schema


def run(module: Any) -> None:
    """Run the module ``ecr_image``."""
    params = module.params
    aws = Aws(params["aws"])
    progress = Progress(f"image {params.get('release') or params.get('image')}", aws.secrets)
    try:
        if params.get("image"):
            _find(module, aws)
        else:
            _make(module, aws, progress)
    except AwsFailure as failure:
        module.fail_json(msg=failure.message, changed=aws.writes > 0)
    except (ValueError, description.BadDescriptionError, build.BuildError) as error:
        module.fail_json(msg=str(error), changed=aws.writes > 0)


def _find(module: Any, aws: Aws) -> None:
    params = module.params
    reference = within(params["image"], params["repository_url"])
    found = registry.resolve(aws, reference)
    digest = str(found["imageDigest"])
    module.exit_json(
        changed=False,
        image=f"{params['repository_url']}@{digest}",
        digest=digest,
        tag=reference.tag,
        release=release_name(reference, params.get("release")),
        pushed={"layers": 0, "bytes": 0},
    )


def _make(module: Any, aws: Aws, progress: Progress) -> None:
    params = module.params
    release, url = params["release"], params["repository_url"]
    tag, loaded = wanted_tag(params["app"], release)
    reference = Reference(parse(url).registry, parse(url).repository, tag)
    answer: dict[str, Any] = {
        "changed": False,
        "tag": tag,
        "release": release,
        "pushed": {"layers": 0, "bytes": 0},
    }
    found = registry.find(aws, reference)
    if found is None:
        answer["changed"] = True
        answer["diff"] = {"before": "", "after": f"{url}:{tag}\n"}
        if module.check_mode:
            module.exit_json(image=f"{url}:{tag}", digest="", **answer)
        if loaded is not None:
            digest = _process(module, aws, progress, loaded, reference, answer)
        else:
            digest = _docker(module, aws, progress, reference)
    else:
        digest = str(found["imageDigest"])
    module.exit_json(image=f"{url}@{digest}", digest=digest, **answer)


def _process(
    module: Any,
    aws: Aws,
    progress: Progress,
    loaded: description.Description,
    reference: Reference,
    answer: dict[str, Any],
) -> str:
    cache = Path(module.params["cache_dir"])
    image = build.build(loaded, cache, lambda text: progress("build", text))
    digest, sent = registry.push(
        aws,
        reference.repository,
        reference.tag,
        image,
        lambda text, percent: progress("push", text, percent),
    )
    answer["pushed"] = {"layers": len(sent), "bytes": sum(len(blob.data) for blob in sent)}
    return digest


def _docker(module: Any, aws: Aws, progress: Progress, reference: Reference) -> str:
    app = module.params["app"]
    docker.build_and_push(
        aws,
        Path(app["path"]),
        app["dockerfile"],
        f"{module.params['repository_url']}:{reference.tag}",
        description.build_arguments(Path(app["path"]), app["image_toml"], module.params["release"]),
        lambda text: progress("docker", text),
    )
    return str(registry.resolve(aws, reference)["imageDigest"])

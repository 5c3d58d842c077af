from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_image import (
    build,
    description,
    docker,
    reference,
    registry,
    run_image,
)

from .fakes import AWS, DIGEST_1, DIGEST_2, REPOSITORY, Ended, FakeAws, FakeModule, ended, failure

TOML = """
[image]
entrypoint = ["python", "-m", "demo"]
cmd = ["serve"]
workdir = "/app"
ports = [8080]
[image.env]
A = "1"
[layers]
app = ["demo", "alembic.ini"]
requirements = "requirements.lock"
site_packages = "/app/site-packages"
[releases.v1]
env = { LYO_RELEASE = "v1" }
schema = ["0001", "0002"]
[releases.v2]
env = { LYO_RELEASE = "v2", A = "2" }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "demo" / "__pycache__").mkdir(parents=True)
    (folder / "demo" / "__init__.py").write_text("")
    (folder / "demo" / "__main__.py").write_text("print('hello')")
    (folder / "demo" / "__pycache__" / "x.pyc").write_text("x")
    (folder / "alembic.ini").write_text("[alembic]")
    (folder / "requirements.lock").write_text("six==1.17.0")
    (folder / "image.toml").write_text(TOML)
    return folder


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stands in for uv: puts a package, a console script and bytecode into the target."""
    calls: list[Path] = []

    def install(locks: list[Path], target: Path, **_: Any) -> None:
        calls.append(target)
        (target / "bin").mkdir(parents=True)
        (target / "bin" / "six").write_text(f"#!{target}/python")
        (target / "six.py").write_text("six = 6")
        (target / "__pycache__").mkdir()
        (target / "__pycache__" / "six.pyc").write_text(str(target))
        (target / "six-1.dist-info").mkdir()
        record = f"six.py,sha256=1,7\n../../bin/six,sha256={hash(target)},9\n"
        (target / "six-1.dist-info" / "RECORD").write_text(record)

    monkeypatch.setattr(build, "install", install)
    return calls


def loaded(root: Path, release: str = "v1") -> description.Description:
    return description.load(root, "image.toml", release)


def names(layer: build.Blob) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer.data)) as tar:
        return tar.getnames()


def test_the_description(root: Path) -> None:
    found = loaded(root, "v2")
    assert found.entrypoint == ("python", "-m", "demo")
    assert found.env == {"A": "2", "LYO_RELEASE": "v2"}
    assert loaded(root).schema == ("0001", "0002")


@pytest.mark.parametrize(
    ("change", "release", "message"),
    [
        (None, "v9", "knows no release 'v9'; it knows: v1, v2"),
        (None, "a b", "must be letters"),
        (("[layers]", "[other]"), "v1", "not a description"),
        (("[image]", "[image"), "v1", "not a description"),
        (('"demo", ', '"gone", '), "v1", "names gone"),
        (('"requirements.lock"', '"gone.lock"'), "v1", "names gone.lock"),
    ],
)
def test_a_wrong_description_is_said(
    root: Path, change: tuple[str, str] | None, release: str, message: str
) -> None:
    if change:
        (root / "image.toml").write_text(TOML.replace(*change))
    with pytest.raises(description.BadDescriptionError, match=message):
        loaded(root, release)


def test_several_lock_files_and_names_with_a_star(root: Path) -> None:
    (root / "more.lock").write_text("jmespath==1.1.0")
    (root / "one.yml").write_text("---")
    (root / "two.yml").write_text("---")
    text = TOML.replace('"demo", ', '"*.yml", "demo", ')
    two = text.replace('"requirements.lock"', '["requirements.lock", "more.lock"]')
    (root / "image.toml").write_text(text)
    one_lock = description.dependencies_key(loaded(root))
    (root / "image.toml").write_text(two)
    found = loaded(root)
    assert found.requirements == ("requirements.lock", "more.lock")
    assert [name for name, _ in description.app_files(found)] == [
        "alembic.ini",
        "demo/__init__.py",
        "demo/__main__.py",
        "one.yml",
        "two.yml",
    ]
    assert description.dependencies_key(found) != one_lock
    (root / "image.toml").write_text(two.replace("*.yml", "*.yaml"))
    with pytest.raises(description.BadDescriptionError, match=r"names \*\.yaml"):
        loaded(root)


def test_what_stays_of_a_bundle(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "packages"
    for name in ("a/one", "a/two", "b/one", "c/one/deep"):
        (target / "bundle" / name).mkdir(parents=True)
    (target / "other" / "x").mkdir(parents=True)
    (target / "bundle" / "about.json").write_text("{}")
    build.prune(target, {"bundle": ["a/one", "c"]})
    left = sorted(str(p.relative_to(target)) for p in target.rglob("*"))
    assert left == [
        *("bundle", "bundle/a", "bundle/a/one", "bundle/about.json", "bundle/c", "bundle/c/one"),
        *("bundle/c/one/deep", "other", "other/x"),
    ]
    with pytest.raises(build.BuildError, match="bundle/d is to stay"):
        build.prune(target, {"bundle": ["d"]})
    kept = TOML.replace("[releases.v1]", '[layers.keep]\nbundle = ["a"]\n[releases.v1]')
    before = description.dependencies_key(loaded(root))
    (root / "image.toml").write_text(kept)
    assert description.dependencies_key(loaded(root)) != before


def test_a_dockerfile_of_what_is_listed(root: Path) -> None:
    (root / "Dockerfile").write_text("FROM scratch")
    listed = TOML + '[docker]\ncontext = "listed"\n'
    app = {"path": str(root), "image_toml": "image.toml", "dockerfile": "Dockerfile"}

    def tag() -> str:
        return run_image.wanted_tag({**app, "builder": "docker"}, "v1")[0]

    whole = tag()
    (root / "notes").write_text("in the folder, and so in the context")
    assert tag() != whole
    (root / "image.toml").write_text(listed)
    first = tag()
    (root / "notes").write_text("not listed")
    assert tag() == first
    (root / "Dockerfile").write_text("FROM other")
    assert tag() != first
    (root / "image.toml").write_text(listed.replace("listed", "everything"))
    with pytest.raises(description.BadDescriptionError, match="folder or listed"):
        tag()


def test_no_description_is_said(tmp_path: Path) -> None:
    with pytest.raises(description.BadDescriptionError, match="does not exist"):
        description.load(tmp_path, "image.toml", "v1")


def test_the_hash_is_over_everything_the_image_is_made_from(root: Path) -> None:
    first = description.inputs_hash(loaded(root))
    (root / "README").write_text("not in the image")
    (root / "demo" / "__pycache__" / "y.pyc").write_text("y")
    os.utime(root / "alembic.ini", (1, 1))
    assert description.inputs_hash(loaded(root)) == first
    seen = {first, description.inputs_hash(loaded(root, "v2"))}
    (root / "requirements.lock").write_text("six==1.16.0")
    seen.add(description.inputs_hash(loaded(root)))
    (root / "demo" / "__main__.py").write_text("print('bye')")
    seen.add(description.inputs_hash(loaded(root)))
    (root / "image.toml").write_text(TOML.replace("8080", "8081"))
    seen.add(description.inputs_hash(loaded(root)))
    assert len(seen) == 5
    assert description.tag("v1", first) == f"v1-{first[:16]}"


def test_an_image(root: Path, tmp_path: Path, uv: list[Path]) -> None:
    image = build.build(loaded(root), tmp_path / "cache")
    manifest = json.loads(image.manifest)
    config = json.loads(image.config.data)
    assert [entry["digest"] for entry in manifest["layers"]] == [b.digest for b in image.layers]
    assert manifest["config"]["digest"] == image.config.digest
    assert config["rootfs"]["diff_ids"] == [
        "sha256:" + hashlib.sha256(gzip.decompress(b.data)).hexdigest() for b in image.layers
    ]
    packages, app = image.layers
    assert names(app) == ["app", "app/alembic.ini", "app/demo", "app/demo/__init__.py",
                          "app/demo/__main__.py"]  # fmt: skip
    assert "app/site-packages/six.py" in names(packages)
    assert not any("bin" in name or name.endswith(".pyc") for name in names(packages))
    settings = config["config"]
    assert settings["Entrypoint"] == ["python", "-m", "demo"]
    assert settings["Cmd"] == ["serve"]
    assert settings["WorkingDir"] == "/app"
    assert settings["ExposedPorts"] == {"8080/tcp": {}}
    assert "PYTHONPATH=/app:/app/site-packages" in settings["Env"]
    assert "LYO_RELEASE=v1" in settings["Env"]
    labels = settings["Labels"]
    assert labels["lyo.image.kind"] == "process"
    assert labels["lyo.schema"] == "0001 0002"


def test_the_same_inputs_give_the_same_bytes(root: Path, tmp_path: Path, uv: list[Path]) -> None:
    one = build.build(loaded(root), tmp_path / "one")
    os.utime(root / "demo" / "__main__.py", (1, 1))
    two = build.build(loaded(root), tmp_path / "two")
    assert len(uv) == 2
    assert one.digest == two.digest
    assert one.layers == two.layers


def test_dependencies_are_installed_once_for_all_releases(
    root: Path, tmp_path: Path, uv: list[Path]
) -> None:
    one = build.build(loaded(root), tmp_path)
    two = build.build(loaded(root, "v2"), tmp_path)
    assert len(uv) == 1
    assert one.layers == two.layers
    assert one.digest != two.digest
    (root / "requirements.lock").write_text("other")
    build.build(loaded(root), tmp_path)
    assert len(uv) == 2
    assert not list(tmp_path.glob("build-*"))


def test_an_image_without_dependencies(root: Path, tmp_path: Path) -> None:
    (root / "image.toml").write_text(TOML.replace('requirements = "requirements.lock"', ""))
    image = build.build(loaded(root), tmp_path)
    assert len(image.layers) == 1
    assert "PYTHONPATH=/app" in json.loads(image.config.data)["config"]["Env"]


def test_uv_is_called_with_hashes_and_its_words_are_passed_on(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(argv)
        return subprocess.CompletedProcess(argv, 1, "", "no hash for six")

    with pytest.raises(build.BuildError, match="no hash for six"):
        build.install([tmp_path / "lock"], tmp_path / "target", run=run)
    assert {"--require-hashes", "--only-binary", "--no-deps"} <= set(calls[0])


def test_an_executable_stays_one(tmp_path: Path) -> None:
    script = tmp_path / "run"
    script.write_text("#!/bin/sh")
    script.chmod(0o700)
    (tmp_path / "data").write_text("x")
    tar = build.archive([("a/run", script), ("a/data", tmp_path / "data")])
    with tarfile.open(fileobj=io.BytesIO(tar)) as found:
        assert {m.name: (m.mode, m.uid, m.mtime > 0) for m in found} == {
            "a": (0o755, 0, True),
            "a/data": (0o644, 0, True),
            "a/run": (0o755, 0, True),
        }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (f"{REPOSITORY}:v1", ("lyo", "v1", "")),
        (f"{REPOSITORY}@{DIGEST_1}", ("lyo", "", DIGEST_1)),
        (f"{REPOSITORY}:v1@{DIGEST_1}", ("lyo", "v1", DIGEST_1)),
        ("v1", ("lyo", "v1", "")),
        (DIGEST_1, ("lyo", "", DIGEST_1)),
    ],
)
def test_references(image: str, expected: tuple[str, str, str]) -> None:
    found = reference.within(image, REPOSITORY)
    assert (found.repository, found.tag, found.digest) == expected
    assert found.is_ecr


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("docker.io/other:v1", "is not in"),
        (f"{REPOSITORY}-two:v1", "is not in"),
        (REPOSITORY, "neither a tag nor a digest"),
        (f"{REPOSITORY}@sha256:12", "64 hexadecimal"),
        (f"{REPOSITORY}:a b", "not the address"),
        ("a b", "not an image"),
        ("", "not an image"),
    ],
)
def test_wrong_references(image: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reference.within(image, REPOSITORY)


def test_only_what_is_missing_is_pushed(root: Path, tmp_path: Path, uv: list[Path]) -> None:
    image = build.build(loaded(root), tmp_path)
    there = image.layers[0].digest
    aws = FakeAws(
        batch_check_layer_availability={
            "layers": [{"layerDigest": there, "layerAvailability": "AVAILABLE"}]
        },
        initiate_layer_upload={"uploadId": "u", "partSize": 1},
        upload_layer_part={},
        complete_layer_upload=[failure("LayerAlreadyExistsException"), {}],
        put_image={},
    )
    said: list[int] = []
    digest, sent = registry.push(aws, "lyo", "v1-1", image, lambda _, percent: said.append(percent))
    assert digest == image.digest
    assert [blob.digest for blob in sent] == [image.layers[1].digest, image.config.digest]
    completed = [call["layerDigests"] for call in aws.named("complete_layer_upload")]
    assert completed == [[blob.digest] for blob in sent]
    assert aws.named("put_image")[0]["imageManifest"] == image.manifest.decode()
    assert said[-1] == 100


def test_a_large_layer_is_sent_in_parts() -> None:
    blob = build.Blob(b"x" * (11 * 1024 * 1024), build.LAYER_TYPE)
    aws = FakeAws(
        initiate_layer_upload={"uploadId": "u"}, upload_layer_part={}, complete_layer_upload={}
    )
    registry.upload(aws, "lyo", blob, lambda _: None)
    parts = aws.named("upload_layer_part")
    ranges = [(part["partFirstByte"], part["partLastByte"]) for part in parts]
    assert ranges == [(0, 5242879), (5242880, 10485759), (10485760, 11534335)]
    assert b"".join(part["layerPartBlob"] for part in parts) == blob.data


@pytest.mark.parametrize(
    ("code", "digest"),
    [("ImageAlreadyExistsException", None), ("ImageTagAlreadyExistsException", DIGEST_2)],
)
def test_a_race_for_the_tag(root: Path, tmp_path: Path, uv: Any, code: str, digest: Any) -> None:
    image = build.build(loaded(root), tmp_path)
    blobs = [*image.layers, image.config]
    available = [{"layerDigest": b.digest, "layerAvailability": "AVAILABLE"} for b in blobs]
    aws = FakeAws(
        batch_check_layer_availability={"layers": available},
        put_image=failure(code),
        describe_images={"imageDetails": [{"imageDigest": DIGEST_2}]},
    )
    found, sent = registry.push(aws, "lyo", "v1-1", image, lambda *_: None)
    assert found == (digest or image.digest)
    assert sent == []


def test_refusals_of_the_registry_are_passed_on(root: Path, tmp_path: Path, uv: Any) -> None:
    image = build.build(loaded(root), tmp_path)
    aws = FakeAws(
        batch_check_layer_availability={"layers": []},
        initiate_layer_upload={"uploadId": "u"},
        upload_layer_part={},
        complete_layer_upload=failure("InvalidLayerException"),
    )
    with pytest.raises(AwsFailure):
        registry.push(aws, "lyo", "v1-1", image, lambda *_: None)
    aws.answers |= {"complete_layer_upload": {}, "put_image": failure("LimitExceededException")}
    with pytest.raises(AwsFailure):
        registry.push(aws, "lyo", "v1-1", image, lambda *_: None)


def test_an_image_that_is_not_there() -> None:
    gone = reference.Reference("r", "lyo", "v7")
    aws = FakeAws(describe_images=failure("RepositoryNotFoundException"))
    assert registry.find(aws, gone) is None
    with pytest.raises(AwsFailure, match="the repository is empty"):
        registry.resolve(aws, gone)
    with pytest.raises(AwsFailure):
        registry.find(FakeAws(describe_images=failure("AccessDeniedException")), gone)
    with pytest.raises(AwsFailure):
        registry.newest(FakeAws(describe_images=failure("AccessDeniedException")), "lyo")


def make(
    monkeypatch: pytest.MonkeyPatch,
    aws: FakeAws,
    root: Path,
    *,
    check_mode: bool = False,
    **changes: Any,
) -> Ended:
    app = {
        "path": str(root),
        "image_toml": "image.toml",
        "builder": changes.pop("builder", "process"),
        "dockerfile": "Dockerfile",
        "default_release": None,
    }
    params = {
        "aws": AWS,
        "repository_url": REPOSITORY,
        "release": "v1",
        "image": None,
        "app": app,
        "cache_dir": str(root.parent / "cache"),
        **changes,
    }
    monkeypatch.setattr(run_image, "Aws", lambda _: aws)
    return ended(run_image.run, FakeModule(params, check_mode))


def test_the_module_builds_what_is_not_there(
    monkeypatch: pytest.MonkeyPatch, root: Path, uv: Any
) -> None:
    aws = FakeAws(
        describe_images=failure("ImageNotFoundException"),
        batch_check_layer_availability={"layers": []},
        initiate_layer_upload={"uploadId": "u"},
        upload_layer_part={},
        complete_layer_upload={},
        put_image={},
    )
    done = make(monkeypatch, aws, root)
    assert not done.failed
    assert done.answer["changed"]
    assert done.answer["image"] == f"{REPOSITORY}@{done.answer['digest']}"
    assert done.answer["pushed"]["layers"] == 3
    aws = FakeAws(describe_images=failure("ImageNotFoundException"))
    predicted = make(monkeypatch, aws, root, check_mode=True)
    assert predicted.answer["changed"]
    assert predicted.answer["image"] == f"{REPOSITORY}:{done.answer['tag']}"
    assert aws.written == []


def test_the_module_leaves_alone_what_is_there(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    aws = FakeAws(describe_images={"imageDetails": [{"imageDigest": DIGEST_1}]})
    done = make(monkeypatch, aws, root)
    assert not done.answer["changed"]
    assert done.answer["image"] == f"{REPOSITORY}@{DIGEST_1}"
    named = make(monkeypatch, aws, root, image="build-7", release=None)
    assert (named.answer["release"], named.answer["digest"]) == ("build-7", DIGEST_1)
    by_digest = make(monkeypatch, aws, root, image=DIGEST_1, release=None)
    assert by_digest.answer["release"] == "sha-111111111111"
    assert aws.written == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"release": "v9"}, "knows no release"),
        ({"image": "other.io/x:1"}, "is not in"),
        ({"builder": "docker"}, "Dockerfile does not exist"),
    ],
)
def test_the_module_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, root: Path, changes: dict[str, Any], message: str
) -> None:
    done = make(monkeypatch, FakeAws(), root, **changes)
    assert done.failed
    assert message in done.answer["msg"]


def test_docker_gets_the_password_on_its_standard_input(
    monkeypatch: pytest.MonkeyPatch, root: Path, tmp_path: Path
) -> None:
    (root / "Dockerfile").write_text("FROM scratch")
    log = tmp_path / "log"
    fake = tmp_path / "bin" / "docker"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\necho "$*" >> {log}\n[ "$1" != login ] || cat >> {log}\necho done\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    token = {"authorizationToken": "QVdTOnBhc3N3b3Jk"}
    aws = FakeAws(
        describe_images=[
            failure("ImageNotFoundException"),
            {"imageDetails": [{"imageDigest": DIGEST_1}]},
        ],
        get_authorization_token={"authorizationData": [token]},
    )
    done = make(monkeypatch, aws, root, builder="docker")
    assert done.answer["digest"] == DIGEST_1
    lines = log.read_text().splitlines()
    tag = done.answer["tag"]
    assert lines[0].endswith(
        f"--build-arg RELEASE=v1 --build-arg SCHEMA=0001 0002 --tag {REPOSITORY}:{tag} {root}"
    )
    assert lines[1] == f"login --username AWS --password-stdin {REPOSITORY.partition('/')[0]}"
    assert lines[2] == f"passwordpush {REPOSITORY}:{tag}"


def test_docker_fails_with_its_last_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\necho no space left\nexit 4\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(build.BuildError, match=r"docker build failed \(4\):\nno space left"):
        docker.docker(["build", "."])
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(build.BuildError, match="docker is missing"):
        docker.docker(["build", "."])


@pytest.mark.parametrize("schema", ['"0001"', "[1]", '["a b"]', '[""]', "{ min = '1' }"])
def test_a_schema_is_a_list_of_revisions(root: Path, schema: str) -> None:
    text = TOML.replace('["0001", "0002"]', schema)
    (root / "image.toml").write_text(text)
    with pytest.raises(description.BadDescriptionError, match="list of revisions"):
        description.load(root, "image.toml", "v1")


def test_the_schema_of_a_release_that_is_built_here(root: Path) -> None:
    app = {"path": str(root), "image_toml": "image.toml", "builder": "process"}
    assert run_image.wanted_schema(app, "v1") == ("0001", "0002")
    assert run_image.wanted_schema(app, "v2") == ()
    (root / "image.toml").unlink()
    assert run_image.wanted_schema({**app, "builder": "docker"}, "v1") == ()


def served(tmp_path: Path, content: str) -> str:
    (tmp_path / "config").write_text(content)
    return (tmp_path / "config").as_uri()


def labels_of(manifests: dict[str, dict[str, Any]], url: str) -> dict[str, str]:
    def manifest(params: dict[str, Any]) -> dict[str, Any]:
        digest = params["imageIds"][0]["imageDigest"]
        found = [{"imageManifest": json.dumps(manifests[digest])}] if digest in manifests else []
        return {"images": found}

    aws = FakeAws(batch_get_image=manifest, get_download_url_for_layer={"downloadUrl": url})
    return registry.labels(aws, "lyo", DIGEST_1)  # type: ignore[arg-type]


def test_the_labels_of_an_image_are_in_its_config(tmp_path: Path) -> None:
    url = served(tmp_path, '{"config": {"Labels": {"lyo.schema": "0001"}}}')
    single = {"config": {"digest": "sha256:c"}}
    assert labels_of({DIGEST_1: single}, url) == {"lyo.schema": "0001"}
    several = {DIGEST_1: {"manifests": [{"digest": DIGEST_2}]}, DIGEST_2: single}
    assert labels_of(several, url) == {"lyo.schema": "0001"}
    assert labels_of({DIGEST_1: {}}, url) == {}
    assert labels_of({DIGEST_1: single}, served(tmp_path, '{"config": {"Labels": null}}')) == {}


@pytest.mark.parametrize("content", ["", "[]"])
def test_labels_that_cannot_be_read_are_a_failure(tmp_path: Path, content: str) -> None:
    with pytest.raises(AwsFailure, match="cannot be read"):
        labels_of({DIGEST_1: {"config": {"digest": "sha256:c"}}}, served(tmp_path, content))
    with pytest.raises(AwsFailure, match="cannot be read"):
        labels_of({}, "")


def test_build_arguments_come_from_the_releases_environment(root: Path, tmp_path: Path) -> None:
    assert description.build_arguments(root, "image.toml", "v2") == {
        "RELEASE": "v2",
        "SCHEMA": "",
        "A": "2",
    }
    assert description.build_arguments(root, "image.toml", "v1")["SCHEMA"] == "0001 0002"
    assert description.build_arguments(tmp_path, "image.toml", "x") == {"RELEASE": "x"}


def test_a_docker_image_depends_on_its_context(root: Path) -> None:
    (root / "Dockerfile").write_text("FROM scratch")
    first = description.docker_inputs_hash(root, "Dockerfile", "v1")
    assert description.docker_inputs_hash(root, "Dockerfile", "v2") != first
    (root / "demo" / "__main__.py").write_text("changed")
    assert description.docker_inputs_hash(root, "Dockerfile", "v1") != first


def test_a_part_whose_answer_was_lost_begins_the_blob_anew() -> None:
    aws = FakeAws(
        initiate_layer_upload={"uploadId": "u"},
        upload_layer_part=[failure("InvalidLayerPartException"), {}],
        complete_layer_upload={},
        batch_check_layer_availability={"layers": []},
    )
    registry.upload(aws, "lyo", build.Blob(b"content", build.LAYER_TYPE), lambda _: None)
    assert len(aws.named("initiate_layer_upload")) == 2
    assert [c["partFirstByte"] for c in aws.named("upload_layer_part")] == [0, 0]


def test_a_blob_whose_completion_was_answered_to_nobody_is_there() -> None:
    blob = build.Blob(b"content", build.LAYER_TYPE)
    there = {"layers": [{"layerDigest": blob.digest, "layerAvailability": "AVAILABLE"}]}
    aws = FakeAws(
        initiate_layer_upload={"uploadId": "u"},
        upload_layer_part={},
        complete_layer_upload=failure("UploadNotFoundException"),
        batch_check_layer_availability=there,
    )
    registry.upload(aws, "lyo", blob, lambda _: None)
    assert len(aws.named("initiate_layer_upload")) == 1


def test_an_upload_is_not_begun_for_ever() -> None:
    aws = FakeAws(
        initiate_layer_upload={"uploadId": "u"},
        upload_layer_part=failure("InvalidLayerPartException"),
        batch_check_layer_availability={"layers": []},
    )
    with pytest.raises(AwsFailure):
        registry.upload(aws, "lyo", build.Blob(b"content", build.LAYER_TYPE), lambda _: None)
    assert len(aws.named("initiate_layer_upload")) == 5

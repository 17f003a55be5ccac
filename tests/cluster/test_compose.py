"""How the compose file is read: as Compose reads it, and no less strictly."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from proofs.cluster.compose import ComposeError, duration, interpolate, load

VARIABLES = {"SET": "juice", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a plain text", "a plain text"),
        ("$SET-$$SET", "juice-$SET"),
        ("${SET}", "juice"),
        ("${UNSET}${EMPTY}", ""),
        ("${UNSET:-orange}", "orange"),
        ("${EMPTY:-orange}", "orange"),
        ("${EMPTY-orange}", ""),
        ("${UNSET-orange}", "orange"),
        ("${SET:-orange}", "juice"),
        ("${SET:?must be set}", "juice"),
        ("${EMPTY?must be set}", ""),
        ("http://${SET}:${UNSET:-80}/$${HOME}", "http://juice:80/${HOME}"),
        ("${UNSET:-http://localhost:8080}", "http://localhost:8080"),
    ],
)
def test_variables_are_put_in_as_compose_does(text, expected):
    assert interpolate(text, VARIABLES) == expected


@pytest.mark.parametrize("text", ["${UNSET:?}", "${EMPTY:?}", "${UNSET?}"])
def test_a_missing_variable_that_is_required_is_named(text):
    with pytest.raises(ComposeError, match=f"{text[2:].partition(':')[0].strip('?}')} is required"):
        interpolate(text, VARIABLES)


def test_what_the_author_wrote_for_a_missing_variable_is_reported():
    with pytest.raises(ComposeError, match="UNSET is required: make one"):
        interpolate("${UNSET:?make one}", VARIABLES)


@pytest.mark.parametrize("text", ["costs 5$", "${SET:+there}", "${UNSET:-${SET}}", "${}"])
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(ComposeError):
        interpolate(text, VARIABLES)


def test_durations():
    assert duration("1h30m5s") == timedelta(hours=1, minutes=30, seconds=5)
    assert duration("90s") == timedelta(seconds=90)
    for wrong in ("", "5", "5 s", "1m90"):
        with pytest.raises(ComposeError):
            duration(wrong)


def written(folder: Path, services: str) -> Path:
    path = folder / "compose.yaml"
    path.write_text(f"services:\n{services}")
    return path


def test_services_come_after_what_they_need(tmp_path):
    text = """
  late: {image: i, command: c, depends_on: {middle: {condition: service_healthy}}}
  middle: {image: i, command: c, depends_on: {early: {condition: service_started}}}
  early: {image: i, command: c}
"""
    assert list(load(written(tmp_path, text), {})) == ["early", "middle", "late"]


def test_services_that_need_each_other_are_refused(tmp_path):
    text = "  a: {image: i, command: c, depends_on: {a: {condition: service_started}}}"
    with pytest.raises(ComposeError, match="need each other"):
        load(written(tmp_path, text), {})


def test_a_key_that_is_not_understood_is_refused_rather_than_passed_over(tmp_path):
    with pytest.raises(ComposeError, match="service a: entrypoint: not understood"):
        load(written(tmp_path, "  a: {image: i, command: c, entrypoint: e}"), {})


def test_an_environment_value_that_yaml_reads_as_a_boolean_is_refused(tmp_path):
    with pytest.raises(ComposeError, match="quotation marks"):
        load(written(tmp_path, "  a: {image: i, command: c, environment: {A: yes}}"), {})


def test_a_service_is_read_whole(tmp_path):
    text = """
  a:
    image: registry/i:1
    command: bash -c 'exec "$$NAME" $NAME'
    environment: {NAME: "${NAME}", NUMBER: 5, NOTHING: }
    expose: ["80"]
    ports: ["127.0.0.1:9090:90"]
    volumes: ["${NAME}:/bound:ro", "kept:/named"]
    deploy: {replicas: "${COUNT:-3}"}
    healthcheck: {test: ["CMD", "true"], timeout: 2s}
volumes: {kept: }
"""
    service = load(written(tmp_path, text), {"NAME": "./here"})["a"]
    assert service.command == ["bash", "-c", 'exec "$NAME" ./here']
    assert service.environment == {"NAME": "./here", "NUMBER": "5", "NOTHING": ""}
    assert service.ports == [80, 90]
    assert [(volume.source, volume.target, volume.named) for volume in service.volumes] == [
        ("./here", "/bound", False),
        ("kept", "/named", True),
    ]
    assert service.replicas == 3
    assert service.healthcheck
    assert (service.healthcheck.command, service.healthcheck.timeout) == (["true"], timedelta(seconds=2))

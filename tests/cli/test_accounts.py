"""Where the key comes from, and that it goes nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderjuice.exits import Exit, gravest, of_error
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api import errors
from tests.cli.conftest import Run

DEFAULT = ("--preset", "default", "--every", "0.02")


def key_file(folder: Path, key: str, mode: int = 0o600) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "key"
    path.write_text(f"{key}\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("way", ["file", "variable", "usual place", "stdin"])
def test_the_key_may_come_in_several_ways(
    bare_run: Run, emulator: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    options: list[object] = ["--url", emulator.base_url]
    stdin = ""
    match way:
        case "file":
            options += ["--key-file", key_file(home, emulator.api_key)]
        case "variable":
            monkeypatch.setenv("RENDERJUICE_API_KEY_FILE", str(key_file(home, emulator.api_key)))
        case "usual place":
            key_file(home / "config" / "renderjuice", emulator.api_key)
        case "stdin":
            options += ["--key-stdin"]
            stdin = f"{emulator.api_key}\n"
    assert bare_run("list", *options, stdin=stdin).code == 0


def test_without_a_key_it_is_said_where_one_is_looked_for(bare_run: Run, home: Path) -> None:
    done = bare_run("list")
    assert done.code == 3
    assert "RENDERJUICE_API_KEY" in done.err
    assert str(home / "config" / "renderjuice" / "key") in done.err


def test_a_file_that_others_can_read_is_refused(bare_run: Run, home: Path) -> None:
    done = bare_run("list", "--key-file", key_file(home, "RJ-secret-of-this-test", 0o644))
    assert done.code == 2
    assert "chmod 600" in done.err
    assert "RJ-secret" not in done.err


@pytest.mark.parametrize("content", [b"", b"RJ-one\nRJ-two\n", b"\xff\xfe"])
def test_a_file_that_holds_no_single_key_is_refused(bare_run: Run, home: Path, content: bytes) -> None:
    path = key_file(home, "")
    path.write_bytes(content)
    done = bare_run("list", "--key-file", path)
    assert done.code == 3
    assert "RJ-" not in done.err


def test_a_key_file_that_is_not_there(bare_run: Run, home: Path) -> None:
    assert bare_run("list", "--key-file", home / "nowhere").code == 3


@pytest.mark.parametrize("arguments", [["list", "RJ-1234"], ["list", "--key-file=RJ-1234"]])
def test_a_key_on_the_command_line_is_refused_and_not_shown(bare_run: Run, arguments: list[str]) -> None:
    done = bare_run(*arguments)
    assert done.code == 2
    assert "does not belong on the command line" in done.err
    assert "RJ-1234" not in done.err


def test_the_standard_input_cannot_bring_both(run: Run, emulator: Emulator) -> None:
    done = run("status", "-", "--key-stdin", stdin=emulator.api_key)
    assert (done.code, "use --key-file" in done.err) == (2, True)


def test_a_refused_key_has_a_code_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch, scene: Path) -> None:
    monkeypatch.setenv("RENDERJUICE_API_KEY", "RJ-wrong-secret")
    for arguments in (["list"], ["submit", scene, *DEFAULT], ["wait", "3c90c3cc-0d44-4b50-8888-000000000000"]):
        done = run(*arguments)
        assert done.code == 3
        assert "wrong-secret" not in done.out + done.err


def test_plain_http_to_another_machine_has_to_be_allowed(bare_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERJUICE_API_KEY", "RJ-key")
    assert "plain http" in bare_run("list", "--url", "http://192.0.2.1/api").err
    monkeypatch.setenv("RENDERJUICE_ALLOW_HTTP", "true")
    monkeypatch.setenv("RENDERJUICE_BASE_URL", "http://127.0.0.1:9/api")
    assert bare_run("list").code == 7


def test_the_gravest_of_several_codes_counts() -> None:
    assert gravest([Exit.OK, Exit.TIMEOUT, Exit.FAILED, Exit.KEY]) is Exit.KEY
    assert gravest([]) is Exit.OK
    assert gravest(Exit) is Exit.INTERRUPTED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RenderjuicePaymentError("no", status_code=402), Exit.BUDGET),
        (errors.RenderjuiceServerError("no", status_code=503), Exit.ERROR),
        (errors.RenderjuiceConnectionError("no", sent=False), Exit.ERROR),
        (errors.RenderjuiceTimeoutError("no"), Exit.TIMEOUT),
        (errors.RenderjuiceIncompleteError("no"), Exit.INCOMPLETE),
        (errors.RenderjuiceOtherOrderError("no"), Exit.USAGE),
        (OSError("no space"), Exit.ERROR),
    ],
)
def test_each_error_has_its_code(error: BaseException, code: Exit) -> None:
    assert of_error(error) is code

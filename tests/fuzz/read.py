"""What the client reads and writes: texts, models, settings, files."""

from __future__ import annotations

import hashlib
import hmac
import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from airflow.sdk import Connection

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider import _arguments as arguments
from renderjuice_provider.api import _lenient as lenient
from renderjuice_provider.api._flow import Response
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._origin import check_base_url
from renderjuice_provider.api._proxies import proxy_for
from renderjuice_provider.api._redirects import OF_A_GET, Way
from renderjuice_provider.api.config import check_render_config
from renderjuice_provider.api.models import Downloads, Job, UploadTarget, parse
from renderjuice_provider.api.progress import read_progress
from renderjuice_provider.api.redact import LONGEST, redact
from renderjuice_provider.api.scene_file import SceneFile, content_fingerprint
from renderjuice_provider.api.webhooks import SIGNATURE as HEADER
from renderjuice_provider.api.webhooks import TIMESTAMP, read_webhook
from renderjuice_provider.hooks._connection import client_arguments
from tests.fuzz.asked import DOWNLOADS, JOB, PROGRESS, TARGET, URL
from tests.fuzz.holds import is_secret_free, is_storable, is_stored, secret_free_errors
from tests.fuzz.inputs import JOB_ID, KEY, Chance
from tests.fuzz.measure import Target

WHOLE_CONFIG = {
    "colorManagementPreset": "default",
    "frameRanges": ["1-10", "15"],
    "notes": "tonight",
    "renderEngine": "CYCLES",
    "gpuCount": 2,
    "sampleCount": "128",
    "denoisingEnabled": "true",
    "resolution": [1920, 1080],
    "resolutionPercentage": 50,
    "outputFormat": "PNG",
    "fps": 23.976,
    "outputSettings": {"colorMode": "RGBA", "colorDepth": 16, "quality": 90},
    "minimumRam": 16,
}
_FOLDER = Path(mkdtemp(prefix="renderjuice-fuzz-"))
BLEND = write_scene(_FOLDER / "scene.blend").read_bytes()


def a_zip() -> bytes:
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project/shot.blend", BLEND)
        archive.writestr("project/textures/wood.png", b"\x89PNG" * 50)
        archive.writestr("project/lib/a.blend", BLEND)
    return data.getvalue()


ZIP = a_zip()


def _redact(chance: Chance) -> None:
    text = chance.text() + chance.text()
    shown = redact(text, KEY)
    assert len(shown) <= LONGEST
    assert shown.isprintable()
    is_secret_free(shown)


def _storable(chance: Chance) -> None:
    is_storable(chance.changed(JOB) if chance.random() < 0.5 else chance.anything())


def _models(chance: Chance) -> None:
    model, valid = chance.choice(((Job, JOB), (UploadTarget, TARGET), (Downloads, DOWNLOADS)))
    with secret_free_errors():
        found = parse(model, chance.changed(valid), model.__name__)
        repr(found)
        is_stored(found.model_dump(mode="json"))
        if isinstance(found, Job):
            assert found.reason.isprintable()
        if isinstance(found, Downloads):
            _ = found.frame_files, found.composite_files


def _progress(chance: Chance) -> None:
    counters = read_progress(chance.changed(chance.choice((PROGRESS, {"data": PROGRESS}, {JOB_ID: PROGRESS[0]}))))
    for found in counters[:100]:
        str(found)
        is_stored(found.serialize())


def _config(chance: Chance) -> None:
    config = chance.changed(WHOLE_CONFIG) if chance.random() < 0.8 else chance.anything()
    if chance.random() < 0.4:
        config = chance.changed_text(chance.choice((repr, lambda value: json.dumps(value, default=str)))(config))
    json.dumps(check_render_config(config).to_json(), allow_nan=False).encode()


def _lenient(chance: Chance) -> None:
    value = chance.choice((chance.anything, chance.text, lambda: chance.changed_text(str(WHOLE_CONFIG))))()
    for read in (lenient.number, lenient.flag, lenient.text, lenient.digits, lenient.words):
        read(value)
    lenient.frame_texts(value), lenient.sizes(value), lenient.parsed(value), lenient.is_template(value)


def _arguments(chance: Chance) -> None:
    ways = (JOB_ID, chance.changed_text(JOB_ID), {"job_id": chance.value()}, chance.anything(), str(chance.value()))
    value = chance.choice(ways)
    read: Callable[[Any], object] = chance.choice(
        (
            arguments.read_job_id,
            check_job_id,
            lambda value: arguments.truth(value, "wait"),
            lambda value: arguments.frames(value, "expected_frames"),
            lambda value: arguments.plain_path(value, "file_path"),
            lambda value: arguments.plain_config(value, "render_config"),
            arguments.is_unknown,
        )
    )
    read(value)


def _origin(chance: Chance) -> None:
    url = chance.choice((chance.changed_text("https://api.renderjuice.com/api/external/v1"), chance.anything()))
    with secret_free_errors():
        assert check_base_url(url, allow_http=chance.random() < 0.5, secret=KEY).startswith(("http://", "https://"))


def _redirects(chance: Chance) -> None:
    way = Way(URL, OF_A_GET)
    for _ in range(6):
        place = chance.choice((chance.text(), chance.changed_text(URL), chance.changed_text("//cdn.test/x")))
        if way.leads_on(Response(chance.choice((200, 301, 302, 307, 308)), {"location": place})):
            assert way.url.startswith("https:"), "left https"


def _proxies(chance: Chance) -> None:
    def known(text: str) -> str:
        return chance.changed_text(text) if chance.random() < 0.7 else text

    environment = {
        "https": known("http://u:p@proxy.test:3128"),
        "no": known("localhost,.test,10.0.0.0/8,fd00::/8,[::1]"),
        "all": known("socks5://proxy.test"),
    }
    url = chance.choice((URL, "https://10.1.2.3:8443/x", "https://[fd00::1]/x", "http://127.0.0.1/"))
    proxy_for(url if chance.random() < 0.7 else chance.changed_text(url), environment)


def _webhooks(chance: Chance) -> None:
    secret, stamp = "a-secret", chance.choice(("1000", "1000", chance.text(), "9" * 15, "-1"))
    body = chance.body({"event": "onRenderComplete", "jobId": JOB_ID, "status": "completed", "outputs": []})
    mac = hmac.new(secret.encode(), stamp.encode(errors="surrogatepass") + b"." + body, hashlib.sha256).hexdigest()
    given = chance.choice((mac, mac, mac, f"sha256={mac}", chance.text(), chance.changed_text(mac)))
    headers = {chance.choice((HEADER, HEADER.upper(), chance.text())): given, TIMESTAMP: stamp}
    read_webhook(headers, body, chance.choice((secret, secret, "", chance.text())), 1000.0)


def _connection(chance: Chance) -> None:
    fields: dict[str, Any] = {
        "conn_type": "renderjuice",
        "host": "api.renderjuice.com",
        "password": KEY,
        "schema": "https",
        "port": 443,
        "login": "",
        "extra": json.dumps({"timeout": 60, "max_attempts": "5", "webhook_secret": KEY, "allow_http": False}),
    }
    for name in chance.sample(sorted(fields), chance.choice((1, 1, 2, 3))):
        if name == "extra":
            extra = chance.changed(json.loads(fields[name]))
            fields[name] = json.dumps(extra) if chance.random() < 0.8 else chance.changed_text(fields[name])
        elif name == "port":
            fields[name] = chance.choice((0, -1, 65536, 10**9, None))
        elif name != "conn_type":
            fields[name] = chance.changed_text(fields[name])
    connection = Connection(conn_id="renderjuice_default", **fields)
    with secret_free_errors():
        arguments_ = client_arguments(connection)
        check_base_url(arguments_["base_url"], allow_http=False, secret=KEY)


def _scenes(chance: Chance) -> None:
    suffix = chance.choice((".blend", ".zip", ".zip", ".BLEND", ".Zip"))
    data = (
        chance.choice((BLEND, BLEND, b"\x1f\x8b" + BLEND, b"\x28\xb5\x2f\xfd" + BLEND, ZIP))
        if "b" in suffix.lower()
        else ZIP
    )
    path = _FOLDER / f"upload{suffix}"
    path.write_bytes(chance.changed_bytes(data))
    SceneFile.check(path, one_scene=chance.random() < 0.5)


def _paths(chance: Chance) -> None:
    given = chance.choice((chance.text(), chance.changed_text(str(_FOLDER / "scene.blend")), chance.anything()))
    scene = SceneFile.check(given)
    scene.check_unchanged()
    content_fingerprint(given)


TARGETS = [
    Target("redact", _redact, share=10),
    Target("storable", _storable, share=10),
    Target("models", _models, share=10),
    Target("progress", _progress, share=5),
    Target("config", _config, share=10),
    Target("lenient", _lenient, words=True, share=10),
    Target("arguments", _arguments, share=6),
    Target("origin", _origin, share=5),
    Target("redirects", _redirects, share=5),
    Target("proxies", _proxies, share=5),
    Target("webhooks", _webhooks, share=5),
    Target("connection", _connection, share=4),
    Target("scenes", _scenes, share=4),
    Target("paths", _paths, share=4),
]

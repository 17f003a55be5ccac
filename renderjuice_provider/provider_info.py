"""What Airflow reads about this provider, without importing any of it."""

from __future__ import annotations

from typing import Any

from renderjuice_provider import __version__

_NAME = "Renderjuice"


def get_provider_info() -> dict[str, Any]:
    """Operators, hook, sensor, trigger, link, notifier, and the form of connections."""
    return {
        "package-name": "airflow-provider-renderjuice",
        "name": _NAME,
        "description": "Render Blender shots on Renderjuice: upload, validate, render, wait without a worker slot, download.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": _NAME, "external-doc-url": "https://www.renderjuice.com/docs", "tags": ["service"]}
        ],
        "hooks": [_modules("renderjuice_provider.hooks.renderjuice")],
        "operators": [_modules("renderjuice_provider.operators.renderjuice")],
        "sensors": [_modules("renderjuice_provider.sensors.renderjuice")],
        "triggers": [_modules("renderjuice_provider.triggers.renderjuice")],
        "extra-links": [
            f"renderjuice_provider.links.renderjuice.Renderjuice{name}Link" for name in ("Delivery", "Preview", "Wall")
        ],
        "notifications": [
            f"renderjuice_provider.notifications.renderjuice.{name}"
            for name in ("RenderjuiceNotifier", "RenderjuiceRenderNotifier")
        ],
        "config": _config(),
        "connection-types": [
            {
                "connection-type": "renderjuice",
                "hook-class-name": "renderjuice_provider.hooks.renderjuice.RenderjuiceHook",
                "hook-name": _NAME,
                "ui-field-behaviour": {
                    # The port stays visible: without one, the Test button of Airflow 3.3.1 and
                    # 3.3.2 sends port 0, and is refused.
                    "hidden-fields": ["schema", "login"],
                    "relabeling": {"host": "Base URL", "password": "API key"},
                    "placeholders": {
                        "host": "https://api.renderjuice.com/api/external/v1",
                        "password": "RJ-... from the Renderjuice dashboard",
                        "port": "of the base URL, such as 443 (the Test button of Airflow 3.3.1 and 3.3.2 needs it)",
                    },
                },
                "conn-fields": _connection_fields(),
            }
        ],
    }


def _modules(name: str) -> dict[str, Any]:
    return {"integration-name": _NAME, "python-modules": [name]}


def _config() -> dict[str, Any]:
    """The options of Airflow's configuration."""
    urls = {
        "description": "What a place of deliveries begins with, and the address that this is in the web: a JSON "
        "object. The button Delivery of a task opens it.",
        "version_added": "0.2.0",
        "type": "string",
        "example": '{"s3://bucket/shots": "https://files.example/shots"}',
        "default": None,
    }
    return {"renderjuice": {"description": "Renderjuice.", "options": {"delivery_urls": urls}}}


def _connection_fields() -> dict[str, Any]:
    """The connection's extra; most names are arguments of the clients.

    What is about webhooks is not. Descriptions are the form's help.
    """
    return {
        "timeout": {
            "label": "Time-out (s)",
            "description": "Seconds without a byte after which one attempt counts as lost. 30 when empty.",
            "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
        "max_attempts": {
            "label": "Attempts per call",
            "description": "How often one call is tried; pauses grow from half a second. 5 when empty.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 20},
        },
        "max_transfers": {
            "label": "Files at once",
            "description": "How many files of a download may be on their way at once. 64 when empty: it begins with 4, "
            "takes more while that is faster, and fewer when the store refuses.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 256},
        },
        "webhook_secret": {
            "label": "Webhook secret",
            "description": "With it, this Airflow believes what Renderjuice sends to "
            "/renderjuice/webhooks/<connection id>. Renderjuice shows it under Profile & Settings, Webhooks.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "webhook_secret_previous": {
            "label": "Previous webhook secret",
            "description": "Believed too, while the secret is rotated: the old secret itself, not the *** of this form. "
            "Empty it when events come with the new one.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "webhook_poll_interval": {
            "label": "Poll interval with webhooks (s)",
            "description": "Seconds between polls of a render while webhooks arrive. 300 when empty, and never more: "
            "of a render that fails, none is sent.",
            "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 300},
        },
        "rate": {
            "label": "Price per normalized hour",
            "description": "With it, the render wall shows money beside normalized seconds. Renderjuice's API has no prices.",
            "schema": {"type": ["number", "null"], "minimum": 0},
        },
        "currency": {
            "label": "Currency of the price",
            "description": "Three letters (ISO 4217), such as EUR. Needed where there is a price.",
            "schema": {"type": ["string", "null"], "minLength": 3, "maxLength": 3},
        },
        "allow_http": {
            "label": "Allow plain http",
            "description": "Only for an emulator on a closed network: the API key travels unencrypted.",
            "schema": {"type": ["boolean", "null"]},
        },
    }

"""A connection's fields, however they arrive: used, or refused with a sentence.

Never dropped, and never shown.
"""

from __future__ import annotations

import json
import logging

import pytest
from airflow.models.connection import Connection as StoredConnection
from airflow.sdk import Connection

from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.hooks._connection import Price, WebhookOptions, client_arguments, price, webhook_options

KEY = "RJ-the-key-of-these-tests"
PATH = "/api/external/v1"
COUNTS = ("max_attempts", "max_transfers")


def fields(**values):
    return Connection(**{"conn_id": "farm", "conn_type": "renderjuice", "password": KEY} | values)


def base_url(connection):
    """As a client takes it."""
    return RenderjuiceClient(**client_arguments(connection) | {"allow_http": True}).base_url


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"host": "https://farm.test:8443/x"}, "https://farm.test:8443/x"),
        ({"host": " https://farm.test/x "}, "https://farm.test/x"),
        ({"host": "http://127.0.0.1", "port": 8787}, "http://127.0.0.1:8787"),
        ({"host": "https://farm.test:8443/x", "port": 8443}, "https://farm.test:8443/x"),
        ({"host": "https://farm.test", "schema": "https", "port": 1}, "https://farm.test:1"),
        ({"host": "https://farm.test", "schema": "/x/y/"}, "https://farm.test/x/y"),
        ({"host": "https://farm.test/x", "schema": "x"}, "https://farm.test/x"),
        ({"host": "farm.test"}, f"https://farm.test{PATH}"),
        ({"host": "farm.test/"}, f"https://farm.test{PATH}"),
        ({"host": "farm.test/x"}, "https://farm.test/x"),
        ({"host": "farm.test:8787"}, f"https://farm.test:8787{PATH}"),
        ({"host": "farm.test/x", "port": 8787}, "https://farm.test:8787/x"),
        ({"host": "farm.test", "schema": "http"}, f"http://farm.test{PATH}"),
        ({"host": "farm.test", "schema": "HTTP://"}, f"http://farm.test{PATH}"),
        ({"host": "farm.test", "schema": "http/x"}, "http://farm.test/x"),
        ({"host": "farm.test", "schema": "x"}, "https://farm.test/x"),
        ({"host": "::1"}, f"https://[::1]{PATH}"),
        ({"host": "::1", "port": 8787}, f"https://[::1]:8787{PATH}"),
        ({"host": "[::1]:8787"}, f"https://[::1]:8787{PATH}"),
        ({"host": "http://[::1]/x", "port": 8787}, "http://[::1]:8787/x"),
        ({"port": 443}, f"https://api.renderjuice.com:443{PATH}"),
        ({"host": "farm.test", "port": 0}, f"https://farm.test{PATH}"),
        ({"host": "farm.test", "conn_type": "renderjuice+http"}, f"http://farm.test{PATH}"),
    ],
)
def test_every_field_of_the_address_counts(written, meant):
    assert base_url(fields(**written)) == meant


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("renderjuice://:KEY@farm.test", f"https://farm.test{PATH}"),
        ("renderjuice://:KEY@farm.test:8787/api/external/v1?timeout=60", f"https://farm.test:8787{PATH}"),
        ("renderjuice://:KEY@farm.test:8787/http", f"http://farm.test:8787{PATH}"),
        ("renderjuice://:KEY@[::1]:8787/http", f"http://[::1]:8787{PATH}"),
        ("renderjuice://https://:KEY@farm.test:8443", "https://farm.test:8443"),
        ("renderjuice://http://:KEY@127.0.0.1:8787/api/external/v1", f"http://127.0.0.1:8787{PATH}"),
        ("renderjuice+http://:KEY@farm.test:8787/x", "http://farm.test:8787/x"),
    ],
)
def test_a_uri_says_the_same(uri, meant):
    assert base_url(Connection.from_uri(uri.replace("KEY", KEY), conn_id="farm")) == meant


@pytest.mark.parametrize(
    "values",
    [
        {"host": f"http://127.0.0.1:8787{PATH}", "extra": json.dumps({"timeout": 60, "allow_http": True})},
        {"host": "https://farm.test/x", "port": 443, "extra": json.dumps({"timeout": "60"})},
        {"host": "farm.test/x", "schema": "http", "port": 8787, "extra": json.dumps({"timeout": 60, "x": {"y": 1}})},
        {"host": "::1", "port": 8787},
    ],
)
def test_airflows_test_button_sees_what_a_worker_sees(values):
    """The button turns the connection into a URI and reads that."""
    uri = StoredConnection(conn_id="farm", conn_type="renderjuice", password=KEY, **values).get_uri()
    assert client_arguments(Connection.from_uri(uri, conn_id="farm")) == client_arguments(fields(**values))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"host": "https://farm.test:8443", "port": 8787}, "two different ports"),
        ({"host": "farm.test:8443", "port": 8787}, "two different ports"),
        ({"host": "https://farm.test", "schema": "http"}, "two different schemes"),
        ({"host": "https://farm.test/x", "schema": "y"}, "two different paths"),
        ({"schema": "http"}, "two different schemes"),
        ({"host": "farm.test", "schema": "http", "conn_type": "renderjuice+https"}, "two different schemes"),
        ({"host": "farm.test", "schema": "https://farm.test/x"}, "whole URL into the host"),
        ({"host": "http://farm.test:0"}, "port 0"),
        ({"host": "farm.test", "port": 99999}, "cannot be read"),
        ({"host": "::1/x"}, "cannot be read"),
        ({"host": "somebody:password@farm.test"}, "holds credentials"),
        ({"host": "farm\n.test"}, "characters"),
        ({"host": "farm.test?x", "port": 1}, "characters"),
        ({"host": "farm.test", "schema": "x?y"}, "characters"),
        ({"host": "ftp://farm.test"}, "not an http or https"),
        ({"host": "farm.test", "login": "somebody"}, "there is no login"),
    ],
)
def test_fields_that_contradict_each_other_or_mean_nothing_are_refused(written, why):
    with pytest.raises(RenderjuiceInputError, match=why):
        base_url(fields(**written))


@pytest.mark.parametrize(
    ("extra", "meant"),
    [
        ({"timeout": value}, {"timeout": seconds})
        for value, seconds in [("60", 60), (60, 60), (60.5, 60.5), (" 60.0 ", 60), ("1e3", 1000), ("0.5", 0.5)]
    ]
    + [({name: value}, {name: 3}) for name in COUNTS for value in ("3", 3, 3.0, "3.0", " 3")]
    + [({"allow_http": value}, {"allow_http": True}) for value in (True, "true", "True", "on", "1", 1, "yes")]
    + [({"allow_http": value}, {"allow_http": False}) for value in (False, "false", "OFF", "0", 0, "no")]
    + [({name: value}, {}) for name in ("timeout", *COUNTS, "allow_http") for value in (None, "", " ", "null")]
    + [
        ({"extra__renderjuice__timeout": "60"}, {"timeout": 60}),
        ({"extra__renderjuice__timeout": "60", "timeout": ""}, {"timeout": 60}),
        ({"extra__renderjuice__timeout": "60", "timeout": "5"}, {"timeout": 5}),
        ({"webhook_secret": "s", "webhook_secret_previous": "t", "webhook_poll_interval": 60}, {}),
        ({"rate": 3.6, "currency": "EUR"}, {}),
    ],
)
def test_extras_are_taken_for_what_they_say(extra, meant):
    found = client_arguments(fields(extra=json.dumps(extra)))
    assert {name: value for name, value in found.items() if name not in {"api_key", "base_url"}} == meant


@pytest.mark.parametrize(
    ("name", "values", "how"),
    [
        ("timeout", ["soon", "60s", 0, -1, True, "true", [], {}, "nan", "inf", "1e999"], "a number of seconds above 0"),
        *((name, ["many", 0, "-1", 2.5, "2.5", True, False, [3]], "a whole number from 1 on") for name in COUNTS),
        ("allow_http", ["perhaps", 2, "2", [], {}], "true or false"),
        ("webhook_poll_interval", ["soon", 0, 301, True, "nan", []], "a number of seconds from 1 to 300"),
        ("rate", ["soon", -1, True, "nan", []], "the price of a normalized hour, such as 3.6"),
        ("currency", ["soon", "€", "EURO", "E1R", 978, []], "a currency in three letters (ISO 4217), such as EUR"),
    ],
)
def test_an_extra_that_is_unclear_is_refused_with_how_to_write_it_and_not_shown(name, values, how):
    for value in values:
        with pytest.raises(RenderjuiceInputError) as caught:
            client_arguments(fields(extra=json.dumps({name: value})))
        assert str(caught.value).startswith(f"Connection 'farm': extra '{name}' must be {how}")
        assert "soon" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "meant"),
    [
        ({}, WebhookOptions()),
        ({"webhook_secret": " new \n"}, WebhookOptions(("new",))),
        ({"webhook_secret": "new", "webhook_secret_previous": "old"}, WebhookOptions(("new", "old"))),
        ({"webhook_secret_previous": "old", "webhook_secret": ""}, WebhookOptions(("old",))),
        ({"webhook_secret": None, "webhook_poll_interval": "60"}, WebhookOptions((), 60.0)),
        ({"extra__renderjuice__webhook_secret": "new"}, WebhookOptions(("new",))),
        ({"webhook_secret": "new", "webhook_secret_previous": "***"}, WebhookOptions(("new",))),
        *(({"webhook_secret": value}, WebhookOptions()) for value in ("***", " *** ", {}, [], True, 0)),
    ],
)
def test_what_a_connection_says_about_webhooks_needs_no_key(extra, meant):
    assert webhook_options(fields(password=None, extra=json.dumps(extra))) == meant


@pytest.mark.parametrize(
    ("extra", "meant"),
    [
        ({}, None),
        ({"currency": "EUR"}, None),
        ({"rate": 3.6, "currency": "EUR"}, Price(3.6, "EUR")),
        ({"rate": "3.6", "currency": " eur "}, Price(3.6, "EUR")),
        ({"rate": 0, "currency": "JPY"}, Price(0.0, "JPY")),
        ({"extra__renderjuice__rate": 1, "extra__renderjuice__currency": "CHF"}, Price(1.0, "CHF")),
    ],
)
def test_what_a_connection_says_about_the_price_needs_no_key(extra, meant):
    assert price(fields(password=None, extra=json.dumps(extra))) == meant


def test_a_price_without_its_currency_is_refused():
    for look_up in (client_arguments, price):
        with pytest.raises(RenderjuiceInputError, match="'farm': extra 'rate' needs 'currency' beside it"):
            look_up(fields(extra=json.dumps({"rate": 3.6, "currency": ""})))


def test_extras_out_of_a_uri_are_understood_however_it_carries_them():
    plain = Connection.from_uri(f"renderjuice://:{KEY}@farm.test?timeout=60&allow_http=true&max_attempts=", "farm")
    nested = Connection.from_uri(f"renderjuice://:{KEY}@farm.test?__extra__=%7B%22timeout%22%3A%20%2260%22%7D", "farm")
    assert client_arguments(plain)["timeout"] == client_arguments(nested)["timeout"] == 60
    assert client_arguments(plain)["allow_http"] is True


@pytest.mark.parametrize("extra", ["[1]", '"text"'])
def test_an_extra_field_that_is_not_an_object_is_refused(extra):
    with pytest.raises(RenderjuiceInputError, match="must be a JSON object"):
        client_arguments(fields(extra=extra))


def test_an_extra_that_nobody_knows_is_named_in_the_log_without_its_value(caplog):
    with caplog.at_level(logging.WARNING):
        client_arguments(fields(extra=json.dumps({"time_out": "secret", "timeout": 5, "webhook_secret": "x"})))
    assert [record.getMessage() for record in caplog.records if record.name.startswith("renderjuice")] == [
        "Connection 'farm': nothing here knows these extras, and they are not used: time_out."
    ]


def test_the_stars_that_airflow_shows_in_place_of_a_secret_are_not_believed_and_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        webhook_options(fields(extra=json.dumps({"webhook_secret": "new", "webhook_secret_previous": "***"})))
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("renderjuice")]
    assert line.startswith("Connection 'farm': extra 'webhook_secret_previous' is no secret, and is not used.")


def test_an_extra_with_an_odd_name_can_be_logged_everywhere(caplog):
    client_arguments(fields(extra=json.dumps({"a\ud800\n\0": 1})))
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("renderjuice")]
    assert line.isprintable()
    assert line.encode()

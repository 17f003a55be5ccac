"""Certificates for servers of tests, from an authority that nobody else trusts."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("store.test", "farm.test", "proxy.test", "localhost")


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The authority's certificate, a file, and the context of a server that it vouches for."""
    now = datetime.now(UTC)
    issuer, key = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")]), ec.generate_private_key(ec.SECP256R1())

    def certificate(name: x509.Name, of: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(issuer, name, of.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        signed = builder.add_extension(extension, critical=True).sign(key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    own = ec.generate_private_key(ec.SECP256R1())
    places = [*map(x509.DNSName, NAMES), *(x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1"))]
    trusted, server = folder / "authority.pem", folder / "server.pem"
    trusted.write_bytes(certificate(issuer, key, x509.BasicConstraints(ca=True, path_length=None)))
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A server of tests")])
    pem = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.write_bytes(pem + certificate(named, own, x509.SubjectAlternativeName(places)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    return trusted, context

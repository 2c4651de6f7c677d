# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes an authority and the certificates of a server and a client: python certificates.py [FOLDER]."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
    )
    if subject != issuer:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def replace(path: Path, data: bytes, mode: int) -> None:
    """Writes a file that a running server may read at any moment."""
    new = path.with_suffix(".new")
    new.touch(mode)
    new.write_bytes(data)
    os.replace(new, path)


def main(folder: Path) -> None:
    authority, authority_key = "the example's authority", ec.generate_private_key(ec.SECP256R1())
    own = certificate(authority, authority_key, authority, authority_key)
    replace(folder / "authority.pem", own.public_bytes(Encoding.PEM), 0o644)
    for file, subject in (("client", "ada.example"), ("server", "localhost")):
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signed = certificate(subject, key, authority, authority_key)
        # The chain comes last: the server looks at it to see whether there is something new.
        replace(folder / f"{file}.key", secret, 0o600)
        replace(folder / f"{file}.pem", signed.public_bytes(Encoding.PEM), 0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))

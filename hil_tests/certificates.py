"""Throwaway certificates for tests of TLS, made by the openssl program."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from flight.ports.tls import TlsSettings


@dataclass(frozen=True)
class Authority:
    """One that vouches for the nodes it is asked to."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def vouch(self, node: str, *node_ids: str, trusts: "Authority | None" = None) -> TlsSettings:
        """Return the files of a node with these node ids; it trusts this authority, or another."""
        key, request = self.folder / f"{node}.key", self.folder / f"{node}.csr"
        certificate, names = self.folder / f"{node}.pem", self.folder / f"{node}.ext"
        others = [f"otherName:1.3.6.1.5.5.7.8.11;IA5:{node_id}" for node_id in node_ids]
        names.write_text(f"subjectAltName={','.join((f'DNS:{node}', *others))}\n")
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={node}")
        signer = ["-CA", self.certificate, "-CAkey", self.folder / f"{self.name}.key"]
        _openssl(
            *("x509", "-req", "-in", request, *signer, "-CAcreateserial", "-days", "2"),
            *("-out", certificate, "-extfile", names),
        )
        return TlsSettings(certificate, key, (trusts or self).certificate)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(folder: Path, name: str = "authority") -> Authority:
    """Return a new authority; skip the test where there is no openssl, or fail it in CI."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("openssl is not installed: apt-get install openssl")
        pytest.skip("openssl is not installed: apt-get install openssl")
    authority = Authority(folder, name)
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", folder / f"{name}.key", "-out", authority.certificate),
    )
    return authority


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)

"""Certificates for a test: an authority, and what it signs. Made by openssl in a folder."""

import subprocess
from pathlib import Path


class Authority:
    """A CA of its own; `certificate` is the file that clients trust."""

    def __init__(self, folder, name="ca"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / f"{name}.crt"
        self._key = self.folder / f"{name}.key"
        self._name = name
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                 f"/CN={name}", "-keyout", self._key, "-out", self.certificate,
                 "-addext", "basicConstraints=critical,CA:TRUE")

    def sign(self, name, hosts=(), days=30):
        """(certificate, key) as files, for these host names and addresses."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, extensions = self.folder / f"{name}.crt", self.folder / f"{name}.ext"
        names = ",".join(f"IP:{host}" if host[0].isdigit() else f"DNS:{host}" for host in hosts)
        extensions.write_text("basicConstraints=CA:FALSE\n"
                              + (f"subjectAltName={names}\n" if names else ""))
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                 "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                 "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate)
        return certificate, key


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")

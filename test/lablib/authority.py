# SPDX-License-Identifier: MIT
"""A certificate authority of the lab's own, by the openssl command."""
import subprocess
from pathlib import Path


def run(*args, stdin=None):
    done = subprocess.run(["openssl", *args], input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr.strip()}")


class Authority:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cert = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        if not self.cert.exists():
            run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", "/CN=Causeway lab authority", "-keyout", str(self.key), "-out", str(self.cert),
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
            self.key.chmod(0o600)

    def issue(self, domain, folder, names=(), addresses=()):
        """Certificate and key for `domain` and its subdomains; returns (chain, key)."""
        folder = Path(folder)
        chain, key, request = folder / f"{domain}.pem", folder / f"{domain}.key", folder / f"{domain}.csr"
        alt = ",".join([f"DNS:{name}" for name in (domain, f"*.{domain}", *names)] + [f"IP:{address}" for address in addresses])
        extensions = folder / f"{domain}.ext"
        extensions.write_text(f"subjectAltName={alt}\nextendedKeyUsage=serverAuth,clientAuth\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={domain}",
            "-keyout", str(key), "-out", str(request))
        run("x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self.key), "-CAcreateserial",
            "-days", "30", "-extfile", str(extensions), "-out", str(chain))
        request.unlink()
        extensions.unlink()
        key.chmod(0o600)
        return chain, key

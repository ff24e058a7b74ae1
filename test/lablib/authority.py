# SPDX-License-Identifier: MIT
"""A certificate authority of the lab's own, by the openssl command."""
import subprocess
from pathlib import Path


def run(*args, stdin=None):
    done = subprocess.run(["openssl", *args], input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr.strip()}")


class Authority:
    usage = "serverAuth,clientAuth"  # of the certificates that it issues

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
        extensions.write_text(f"subjectAltName={alt}\nextendedKeyUsage={self.usage}\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={domain}",
            "-keyout", str(key), "-out", str(request))
        run("x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self.key), "-CAcreateserial",
            "-days", "30", "-extfile", str(extensions), "-out", str(chain))
        request.unlink()
        extensions.unlink()
        key.chmod(0o600)
        return chain, key

    def issue_person(self, name, folder, addresses):
        """A client's certificate with these addresses (id-on-xmppAddr); returns (certificate, key)."""
        folder = Path(folder)
        cert, key, request, extensions = (folder / f"person-{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        alt = ",".join(f"otherName:1.3.6.1.5.5.7.8.5;UTF8:{address}" for address in addresses)
        extensions.write_text(f"subjectAltName={alt}\nextendedKeyUsage=clientAuth\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", str(key), "-out", str(request))
        run("x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self.key), "-CAcreateserial",
            "-days", "30", "-extfile", str(extensions), "-out", str(cert))
        return cert, key

    def revoke(self, shown=None):
        """The list of revoked certificates (`self.revoked`), with that of (certificate, key) on it too; replaced as a whole."""
        self.revoked = self.folder / "revoked.pem"
        index, config, fresh = self.folder / "index.txt", self.folder / "ca.conf", self.folder / "fresh.pem"
        if not index.exists():
            index.write_text("")
            config.write_text(f"[ca]\ndefault_ca = lab\n[lab]\ndatabase = {index}\ndefault_md = sha256\n")
        ca = ("ca", "-config", str(config), "-cert", str(self.cert), "-keyfile", str(self.key))
        if shown:
            run(*ca, "-revoke", str(shown[0]))
        run(*ca, "-gencrl", "-crldays", "30", "-out", str(fresh))
        fresh.rename(self.revoked)

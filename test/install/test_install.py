#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`cmake --install` into a folder of our own: the files are there, and systemd's tools find no fault with them.

    test_install.py BUILD_FOLDER PROGRAM"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

EXPOSURE = 20  # tenths: systemd-analyze security may find so much, and no more

FILES = """bin/causeway
bin/causewayctl
lib/systemd/system/causeway.service
lib/sysusers.d/causeway.conf
lib/tmpfiles.d/causeway.conf
share/causeway/causeway.conf.reference
share/causeway/provider/twilio.conf
share/causeway/sql/0001_core.sqlite.sql""".split()


def run(*command):
    """(it succeeded, all that it said)"""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, SYSTEMD_PAGER="", SYSTEMD_LOG_LEVEL="warning"))
    return done.returncode == 0, done.stdout


def installed(build, program, folder):
    """every file is where the README says"""
    good, said = run("cmake", "--install", build, "--prefix", folder / "usr/local")
    missing = [f for f in FILES if not (folder / "usr/local" / f).is_file()]
    return good and not missing, said + f"missing: {missing}"


def unit(folder):
    return folder / "usr/local/lib/systemd/system/causeway.service"


def exposure(build, program, folder):
    """systemd-analyze security finds at most 2.0"""
    return run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", unit(folder))


def verified(build, program, folder):
    """systemd-analyze verify understands each line of the unit"""
    text = re.sub(r"^(Exec\w+=-?)\S+/causeway", rf"\g<1>{program}", unit(folder).read_text(), flags=re.M)
    (folder / "causeway.service").write_text(text)
    good, said = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", folder / "causeway.service")
    ours = [line for line in said.split("\n") if "causeway" in line]
    return good and not ours, said


def run_decides(build, program, folder):
    """what runs before the gateway cannot keep it from starting"""
    before = re.findall(r"^ExecStartPre=(.*)$", unit(folder).read_text(), re.M)
    return bool(before) and all(line.startswith("-") for line in before), str(before)


def user_and_folders(build, program, folder):
    """the user is made, and the folders are its own"""
    (folder / "etc").mkdir()
    good, said = run("systemd-sysusers", f"--root={folder}", folder / "usr/local/lib/sysusers.d/causeway.conf")
    passwd = (folder / "etc/passwd").read_text() if (folder / "etc/passwd").exists() else ""
    if not good or not re.search(r"^causeway:.*:/var/lib/causeway:", passwd, re.M):
        return False, said + passwd
    if os.geteuid() != 0:
        return True, ""  # only root gives folders away
    good, said = run("systemd-tmpfiles", f"--root={folder}", "--create", folder / "usr/local/lib/tmpfiles.d/causeway.conf")
    uid = int(re.search(r"^causeway:x?:(\d+):", passwd, re.M).group(1))
    store, conf = (folder / "var/lib/causeway").stat(), (folder / "etc/causeway").stat()
    fits = store.st_uid == uid and store.st_mode & 0o777 == 0o750 and conf.st_uid == 0 and conf.st_mode & 0o777 == 0o750
    return good and fits, f"{said} {store} {conf}"


def main():
    build, program = Path(sys.argv[1]), sys.argv[2]
    cases = (installed, exposure, verified, run_decides, user_and_folders)
    print(f"1..{len(cases)}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="causeway-install-") as folder:
        os.chmod(folder, 0o755)
        for number, case in enumerate(cases, 1):
            good, said = case(build, program, Path(folder))
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {case.__doc__}")
            for line in [] if good else said.split("\n"):
                print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

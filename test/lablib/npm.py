# SPDX-License-Identifier: MIT
"""Programs of the npm registry that npm is configured for, of fixed versions and hashes, in build/npm. Who cannot have them (no
network, no npm) skips: the test says so by its status, and ctest shows it."""
import base64
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile

from lablib.lab import ROOT
from lablib.process import Failed

SKIPPED = 77  # as CMakeLists.txt tells ctest
HERE = ROOT / "test" / "interop" / "npm"
THERE = ROOT / "build" / "npm"
CONVERSE = ("converse.js", "14.0.0", "LFUg030jDalV47vI/vyVPqYPZfJYXFbubq8v0cFDe2zXNeeGEk3Up0Fj/WTzT6t+6do+cAIToy73eAj7RNDj2Q==")


class Absent(Exception):
    pass


def npm(*arguments):
    if not shutil.which("npm"):
        raise Absent("npm is not installed (test/debian-packages-npm)")
    done = subprocess.run(["npm", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=1", *arguments],
                          cwd=THERE, capture_output=True, text=True)
    if done.returncode:
        if "EINTEGRITY" in done.stderr:
            raise Failed(f"what npm fetched is not what was fixed: {done.stderr}")
        raise Absent(f"npm {arguments[0]} did not get it: {done.stderr.strip().splitlines()[-1:]}")


class Locked:
    """One test at a time fetches."""

    def __enter__(self):
        THERE.mkdir(parents=True, exist_ok=True)
        self.file = open(THERE / ".lock", "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def libraries():
    """The folder where node finds what package-lock.json fixes."""
    with Locked():
        lock = (HERE / "package-lock.json").read_bytes()
        stamp = THERE / "installed"
        if not stamp.exists() or stamp.read_bytes() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, THERE)
            npm("ci", "--ignore-scripts", "--omit=dev")
            stamp.write_bytes(lock)
    return THERE


def converse():
    """The folder with Converse's dist/, of its tarball alone: its bundle holds what it needs."""
    name, version, wanted = CONVERSE
    folder = THERE / f"{name}-{version}"
    with Locked():
        if not folder.exists():
            tarball = THERE / f"{name}-{version}.tgz"
            npm("pack", f"{name}@{version}")
            found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
            if found != wanted:
                tarball.unlink()
                raise Failed(f"{name} {version} is not what was fixed: sha512 {found}")
            unpack(tarball, folder)
            tarball.unlink()
    return folder / "package" / "dist"


def unpack(tarball, folder):
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(tarball) as tar:
        for member in tar:
            if member.isfile() and member.name.startswith("package/dist/") and ".." not in member.name:
                tar.extract(member, part)
    part.rename(folder)


def missing_node():
    raise Absent("node is not installed (test/debian-packages-npm)")


def or_skip(find):
    try:
        return find()
    except Absent as e:
        print(f"1..0 # SKIP {e}", flush=True)
        sys.exit(SKIPPED)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The habits of the house that a machine can check.

    test/lint/lint.py [--objects BUILD_DIR]

Each rule is a function that yields (rule, path, detail). exceptions.txt lists what is allowed, each with
its reason; an exception that no longer applies is a finding too. Exit status 1 when there is a finding.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ["gateway", "c2s", "s2s", "contact-router"]
BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "atoi", "atol", "strtok", "rand", "srand", "time",
          "malloc", "calloc", "realloc", "free", "strdup", "strndup", "localtime", "gmtime", "system", "popen"]
FUNCTION_LINES, FILE_LINES, HEADER_LINES, COLUMNS = 100, 800, 260, 120


def tracked(*suffixes):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                         check=True).stdout.split("\n")
    return [p for p in out if p.endswith(suffixes) and (ROOT / p).exists()]


def sources():
    return [p for p in tracked(".c", ".h") if p.split("/")[0] in CODE]


def folder_of(path):
    return str(Path(path).parent)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def without_comments(source):
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, source, flags=re.S)


def link_lines():
    """folder -> folders that it may include, as the CMake link lines have it."""
    names, links = {}, {}
    for path in tracked("CMakeLists.txt"):
        for name, body in re.findall(r"causeway_library\((\w+)(.*?)\)", text(path), re.S):
            if "/" not in path:
                continue
            names[name] = folder_of(path)
            found = re.search(r"LINKS(.*?)(?:EXTERNAL|SOURCES|$)", body, re.S)
            links[name] = [w for w in (found.group(1).split() if found else []) if w.startswith("causeway_")]
    allowed = {}

    def closure(name):
        if name not in allowed:
            allowed[name] = {names.get(name, name)}
            for other in links.get(name, []):
                allowed[name] |= closure(other)
        return allowed[name]
    result = {}
    for name, folder in names.items():
        result.setdefault(folder, set()).update(closure(name))
    return result


def rule_layers():
    allowed = link_lines()
    for path in sources():
        folder = folder_of(path)
        if folder not in allowed:
            yield "layers", path, f"{folder} is no library of CMake"
            continue
        for include in re.findall(r'^#include "([^"]+)"', text(path), re.M):
            if folder_of(include) not in allowed[folder]:
                yield "layers", path, f"includes {include}, which {folder} does not link"
            if include.endswith("_internal.h") and folder_of(include) != folder:
                yield "layers", path, f"includes {include} of another folder"


def rule_headers_alone():
    headers = [p for p in sources() if p.endswith(".h")]

    def compile_one(path):
        run = subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-DCAUSEWAY_DATA_DIR=\"x\"", "-I.", "-Wall", "-Wextra", "-Werror",
                              "-fsyntax-only", "-xc", "-"], input=f'#include "{path}"\n', cwd=ROOT,
                             capture_output=True, text=True)
        return path, run.returncode, run.stderr.strip().split("\n")[0]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, code, first in pool.map(compile_one, headers):
            if code:
                yield "alone", path, first


def rule_stems():
    seen = {}
    for path in sources():
        if path.endswith(".c"):
            stem = Path(path).stem
            if stem in seen:
                yield "stems", path, f"same stem as {seen[stem]}"
            seen[stem] = path


def rule_banned():
    for path in sources():
        source = without_comments(text(path))
        for number, line in enumerate(source.split("\n"), 1):
            for name in re.findall(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED), line):
                yield "banned", path, f"{name}() in line {number}"
            if re.search(r"^\s*goto\s+\w*\d\w*\s*;", line):
                yield "goto", path, f"numbered label in line {number}"


def functions(source):
    """(name, first line, lines) of each function body in column 0 style."""
    lines = source.split("\n")
    start, name = None, ""
    for i, line in enumerate(lines):
        if line == "{" and start is None:
            start = i
            head = " ".join(lines[max(0, i - 4):i])
            found = re.findall(r"(\w+)\s*\(", head.split(";")[-1].split("}")[-1])
            name = found[0] if found else "?"
        elif line.startswith("}") and start is not None:
            yield name, start + 1, i - start + 1
            start = None


def rule_sizes():
    for path in sources():
        source = text(path)
        count = source.count("\n")
        if path.endswith(".c") and count > FILE_LINES:
            yield "size", path, f"file has {count} lines, more than {FILE_LINES}"
        for number, line in enumerate(source.split("\n"), 1):
            if len(line) > COLUMNS:
                yield "size", path, f"line {number} has {len(line)} columns, more than {COLUMNS}"
        if path.endswith(".h") and count > HEADER_LINES:
            yield "size", path, f"header has {count} lines, more than {HEADER_LINES}"
        if path.endswith(".c"):
            for name, _, length in functions(without_comments(source)):
                if length > FUNCTION_LINES:
                    yield "size", path, f"{name} has {length} lines, more than {FUNCTION_LINES}"


def rule_state_switch():
    for path in sources():
        source = without_comments(text(path))
        for match in re.finditer(r"switch \(([^)]*state)\) \{", source):
            depth, i = 1, match.end()
            while i < len(source) and depth:
                depth += {"{": 1, "}": -1}.get(source[i], 0)
                i += 1
            if re.search(r"\bdefault\s*:", source[match.end():i]):
                yield "default", path, f"switch ({match.group(1)}) has a default: the compiler finds no gap"


def rule_heads():
    for path in sources():
        head = text(path)[:400]
        if not head.startswith("/* SPDX-License-Identifier: MIT */"):
            yield "head", path, "does not open with its SPDX line"
        elif path.endswith(".c") and "/*" not in head[34:]:
            yield "head", path, "does not say what is decided in it"
    for folder in sorted({folder_of(p) for p in sources()} | {"schemas", "test"}):
        if not (ROOT / folder / "README.md").exists():
            yield "readme", folder, "has no README.md"


def rule_words():
    """Nothing of one machine, and no scratch marks."""
    for path in tracked(".c", ".h", ".py", ".md", ".txt", ".sh", ".conf", ".sql", ".json"):
        if path.startswith("test/lint/"):
            continue
        for number, line in enumerate(text(path).split("\n"), 1):
            if re.search(r"(?<![\w.])/(home|root|work)/\w", line):
                yield "words", path, f"path of one machine in line {number}"
            if re.search(r"\b(FIXME|XXX|HACK)\b", line):
                yield "words", path, f"scratch mark in line {number}"


def rule_provider_names():
    """Providers are data: no source names one."""
    names = {part for p in (ROOT / "schemas/provider").glob("*.conf") for part in p.stem.split("-")} - {"webhook", "sms"}
    for path in sources():
        for number, line in enumerate(text(path).split("\n"), 1):
            for name in re.findall(r"\b(%s)\b" % "|".join(sorted(names)), line, re.I):
                yield "provider", path, f"names {name} in line {number}"


def rule_provider_format():
    """Each key and name that a profile may have stands in schemas/provider/FORMAT.md, and each shipped key is one of them."""
    source, manual = text("contact-router/profile_keys.c"), text("schemas/provider/FORMAT.md")
    keys = re.findall(r'\{ "([a-z_.:]+)", KEY_', source)
    names = [n for block in re.findall(r"_names\[\] = \{(.*?)\}", source, re.S) for n in re.findall(r'"([a-z0-9_.]+)"', block)]
    if len(keys) < 50 or len(names) < 20:
        yield "format", "contact-router/profile_keys.c", "the tables of keys are not where this rule looks for them"
    for word in sorted(set(keys + names)):
        if not re.search(r"(?<![\w.])%s%s" % (re.escape(word), "" if word[-1] in ".:" else r"(?!\w)"), manual):
            yield "format", "schemas/provider/FORMAT.md", f"does not mention {word}"


def rule_xeps():
    """The README's table has each XEP that a service names."""
    table = text("README.md").partition("## What it speaks")[2].partition("\n## ")[0]
    known = set(re.findall(r"\b(\d{4})\b", "".join(row.split("|")[1] for row in table.split("\n") if row.startswith("|"))))
    for path in sources():
        for rows in re.findall(r"struct service_xep \w+\[\] = \{(.*?)\};", text(path), re.S):
            for number in re.findall(r'\{"(\d{4})"', rows):
                if number not in known:
                    yield "xeps", path, f"XEP-{number} does not stand in the README's table"


def rule_documents():
    """A document that a comment or a README names can be read by whoever has this repository alone."""
    files = set(tracked(""))
    for path in tracked(".c", ".h", ".md", ".txt", ".py", ".sql", ".xsd"):
        for name in re.findall(r"[\w./-]+\.md\b", text(path)):
            if name not in files and str(Path(path).parent / name) not in files:
                yield "documents", path, f"there is no {name}"


def rule_exports(objects):
    """foo.c exports foo_* only; foo_bar.c, a further file of the module foo, foo_* too."""
    for path in sources():
        if not path.endswith(".c"):
            continue
        found = [o for o in objects.rglob(Path(path).name + ".o") if folder_of(path) in str(o)]
        if not found:
            continue
        symbols = subprocess.run(["nm", "-g", "--defined-only", str(found[0])], capture_output=True, text=True).stdout
        stem = Path(path).stem
        for kind, name in re.findall(r"^\S+ ([A-Z]) (\w+)$", symbols, re.M):
            if name.startswith(("__asan", "__odr", "__ubsan", "__tsan")) or name == "main":
                continue
            if kind in "TDBR" and name != stem and not name.startswith((stem + "_", stem.split("_")[0] + "_")):
                yield "exports", path, name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=Path, help="build folder, for the rule about exported names")
    options = parser.parse_args()
    findings = []
    for rule in (rule_layers, rule_headers_alone, rule_stems, rule_banned, rule_sizes, rule_state_switch, rule_heads,
                 rule_words, rule_provider_names, rule_provider_format, rule_xeps, rule_documents):
        findings += list(rule())
    if options.objects:
        findings += list(rule_exports(options.objects))

    exceptions = []
    for line in (ROOT / "test/lint/exceptions.txt").read_text().split("\n"):
        if line.strip() and not line.startswith("#"):
            rule, path, pattern, reason = (part.strip() for part in line.split(" | ", 3))
            exceptions.append([rule, path, re.compile(pattern), reason, False])
    bad = 0
    for rule, path, detail in findings:
        for e in exceptions:
            if e[0] == rule and re.fullmatch(e[1].replace("*", ".*"), path) and e[2].search(detail):
                e[4] = True
                break
        else:
            bad += 1
            print(f"{path}: {rule}: {detail}")
    for e in exceptions:
        if not e[4] and (e[0] != "exports" or options.objects):
            bad += 1
            print(f"test/lint/exceptions.txt: unused: {e[0]} | {e[1]} | {e[2].pattern}")
    print(f"lint: {bad} findings, {len(findings)} before exceptions")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

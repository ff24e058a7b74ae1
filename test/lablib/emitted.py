# SPDX-License-Identifier: MIT
"""What carries a namespace of ours is what schemas/xsd says, wherever tests see it: the clients of a lab note
each stanza that arrives, the scenarios' world keeps what it delivers in a file and calls this.

    python3 -m lablib.emitted FILE      a stanza a line; exit status 1 and a line for each that is not as promised"""
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "xsd"
OURS = "urn:causeway:"
FORM = "{jabber:x:data}"
C = ("{jabber:client}", "{jabber:server}")

stanzas = {}  # text -> None: each different one once, in order


def note(text):
    """A stanza that arrived, as text."""
    if OURS in text:
        stanzas.setdefault(text)


def note_element(element):
    if any(e.tag.startswith("{" + OURS) or (e.text or "").startswith(OURS) for e in element.iter()):
        note(ET.tostring(element, encoding="unicode"))


def parts(element):
    """(namespace, element) of what is ours in a stanza, and of forms that say that they are."""
    namespace = element.tag[1:].split("}")[0]
    if namespace.startswith(OURS):
        yield namespace, element
        return
    if element.tag == FORM + "x":
        kind = element.find(f"{FORM}field[@var='FORM_TYPE']/{FORM}value")
        if kind is not None and (kind.text or "").startswith(OURS):
            yield kind.text, element
            return
    for child in element:
        yield from parts(child)


def lacks_body(stanza):
    """A message with our namespace must tell people too."""
    return (stanza.tag in [c + "message" for c in C] and stanza.get("type") != "error"
            and any(child.tag.startswith("{" + OURS) for child in stanza)
            and not any(stanza.findtext(c + "body") for c in C))


def schema_of(namespace):
    return FOLDER / (namespace.replace(":", "-") + ".xsd")


def lint(namespace, texts):
    """What xmllint says of these elements, a line each."""
    with tempfile.TemporaryDirectory(prefix="causeway-xsd-") as folder:
        names = []
        for n, text in enumerate(texts):
            names.append(f"{n}.xml")
            (Path(folder) / names[-1]).write_text(text)
        done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", str(schema_of(namespace)), *names], cwd=folder,
                              capture_output=True, text=True)
        if done.returncode == 0:
            return []
        return [line + (f"\n  in {texts[int(line.split('.')[0])]}" if line.split(".")[0].isdigit() else "")
                for line in done.stderr.split("\n") if line and not line.endswith("validates")]


def mistakes():
    """Of all that was noted since the last call, one text each."""
    found, sorts = [], {}
    for text in stanzas:
        # the stream's default namespace is not written in each stanza
        stanza = ET.fromstring(text if "xmlns=" in text.split(">")[0] else f"<stream xmlns='jabber:client'>{text}</stream>")
        stanza = stanza[0] if stanza.tag == "{jabber:client}stream" else stanza
        if lacks_body(stanza):
            found.append(f"carries {OURS}... and has no body: {text}")
        for namespace, element in parts(stanza):
            sorts.setdefault(namespace, {}).setdefault(ET.tostring(element, encoding="unicode"))
    stanzas.clear()
    for namespace, texts in sorts.items():
        if schema_of(namespace).exists():
            found += lint(namespace, list(texts))
        else:
            found.append(f"{namespace} has no schema in {FOLDER}")
    return found


def main():
    for line in open(sys.argv[1], encoding="utf-8"):
        note(line.rstrip("\n"))
    found = mistakes()
    for text in found:
        print(text, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

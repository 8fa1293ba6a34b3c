"""Prints the licence texts of the crates that are linked into the programs, from their own files: `licences.py TARGET...`

Fails if a crate has none. `deny.toml` says which licences there may be.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

PROGRAMS = ["maptask-operator", "maptask-worker", "maptask-cli"]
NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
RULE = "=" * 80


def cargo(*arguments):
    """What cargo prints."""
    return subprocess.run(["cargo", *arguments, "--locked"], stdout=subprocess.PIPE, text=True, check=True).stdout


def linked(targets):
    """Name and version of each crate that is linked for one of these targets; macros only run while compiling."""
    crates = set()
    programs = [word for program in PROGRAMS for word in ("--package", program)]
    for target in targets:
        tree = cargo("tree", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none", *programs)
        crates.update(re.findall(r"^(\S+) v(\S+)", tree, re.MULTILINE))
    return crates


def texts(package):
    """The texts in the files of a crate."""
    folder = Path(package["manifest_path"]).parent
    files = [file for file in folder.rglob("*") if NAMES.match(file.name) and file.suffix not in (".rs", ".py")]
    found = [file.read_text(errors="replace").strip() for file in sorted(files) if file.is_file()]
    # Nobody's name is in the text of this licence, so that one copy is as good as another.
    if not found and package["license"] == "Apache-2.0":
        found = [Path("LICENSE").read_text().strip()]
    return found


def main():
    filters = [word for target in sys.argv[1:] for word in ("--filter-platform", target)]
    metadata = json.loads(cargo("metadata", "--format-version", "1", *filters))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    users, missing = {}, []
    for crate in sorted(linked(sys.argv[1:])):
        package = packages[crate]
        if package["source"] is None:
            continue
        found = texts(package)
        if not found:
            missing.append(f"{crate[0]} {crate[1]} ({package['license']})")
        for text in found:
            # The same text with other line ends is the same.
            _, crates = users.setdefault(" ".join(text.split()), (text, {}))
            crates[f"{crate[0]} {crate[1]}  {package['license']}  {package['repository'] or ''}"] = None
    if missing:
        sys.exit(f"no licence text is in {', '.join(missing)}: use a version that has one, or another crate")
    for text, crates in users.values():
        print(RULE, *crates, "-" * len(RULE), "", text, "", sep="\n")


main()

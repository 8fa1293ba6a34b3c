"""Makes the root of the example's image: `bundle.py FOLDER`.

It holds the Python that runs this, its standard library and the libraries that it links, the packages of
requirements.txt, the program, and the model, which is trained here.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What no container needs.
LEFT_OUT = ("test", "tests", "idlelib", "tkinter", "_tkinter*", "turtledemo", "lib2to3", "ensurepip", "config-*",
            "site-packages", "dist-packages", "*.a", "*.pyi", "*.opt-*.pyc", "include", "sitecustomize.py")


def copy_libraries(root):
    """Copies what the programs and modules in a folder link, and is not in it."""
    files = [root / "usr/local/bin/python3", *root.rglob("*.so"), *root.rglob("*.so.*")]
    libraries = root / "usr/local/lib"
    for file in files:
        linked = subprocess.run(["ldd", file], capture_output=True, text=True).stdout
        for name, path in re.findall(r"^\s*(\S+) => (/\S+) \(", linked, re.MULTILINE):
            if not Path(path).resolve().is_relative_to(root) and not (libraries / name).exists():
                shutil.copyfile(path, libraries / name)
        # The loader is known by its path.
        for path in re.findall(r"^\s*(/\S+) \(", linked, re.MULTILINE):
            target = root / path.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)


def main():
    root = Path(sys.argv[1]).resolve()
    packages, app = root / "usr/local/lib/packages", root / "app"
    for folder in ["usr/local/bin", "usr/local/lib", "app", "tmp"]:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy(os.path.realpath(sys.executable), root / "usr/local/bin/python3")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(sysconfig.get_path("stdlib"), root / "usr/local/lib" / version,
                    ignore=shutil.ignore_patterns(*LEFT_OUT), ignore_dangling_symlinks=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary", ":all:",
                    "--target", packages, "--requirement", HERE / "requirements.txt"], check=True)
    for folder in [folder for folder in packages.rglob("tests") if folder.is_dir()]:
        shutil.rmtree(folder)
    copy_libraries(root)
    shutil.copy(HERE / "classify.py", app)
    # It imports what the program imports, and leaves that compiled.
    subprocess.run([sys.executable, "-s", HERE / "train.py", app], check=True,
                   env={**os.environ, "PYTHONPATH": str(packages)})


main()

"""Build the edition of the book that runs in the browser: JupyterLite, a Python in WebAssembly, and the chapters.

``python -m tools.lite _build/src _build/html/lite``

Chapters come from the first folder, the site goes into the second. Everything that is needed comes from PyPI and from
npm's registry, through pip and npm, in exact versions with checksums; it is kept in ``_build/cache/lite``, so that only
the first run needs a network. The site itself fetches nothing from anywhere else.

``lite/build.txt`` names the tools that build, ``lite/wheels.txt`` what Python in the browser loads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.lite_pages import browser_copy, glossary, titles

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "lite"
CACHE = ROOT / "_build" / "cache" / "lite"
PYTHON = "3.14"

# npm package and version -> the checksum of what `npm pack` gives
NPM = {
    "pyodide@314.0.6": "d78ac549b28a2a58600cd06f44e017024151775f8c6b2d73fab1475400d38ea2",
    "@viz-js/viz@3.31.0": "7dc0189874849cca2fed7cbe88bf334cd0e6e012db16657794a812ad6f2b8c70",
}
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "package.json")
KERNEL_WHEELS = ("piplite-", "pyodide_kernel-", "ipykernel-", "widgetsnbextension-4")
COMPILED = (".so", ".pyd")
EPOCH = (1980, 1, 1, 0, 0, 0)
EVIDENCE = "tests/scenarios"  # calls that chapters run: they lie beside the book here as there
READ = (".py", ".yaml", ".yml", ".json", ".idl", ".acf", ".csv", ".txt")


def run(command: Sequence[str | Path], folder: Path = ROOT) -> None:
    """Run a program, quietly unless it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        check=False,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{' '.join(map(str, command))} failed")


def sha256(path: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def key(*sources: Path) -> str:
    """A name for what is made from these files: another content, another name."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


# --- what comes from elsewhere -------------------------------------------------------------------


def environment() -> Path:
    """The Python of an environment with the tools that build."""
    wanted = SETTINGS / "build.txt"
    folder = CACHE / f"tools-{key(wanted)}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted])
        (folder / "complete").touch()
    return python


def wheels() -> list[Path]:
    """The wheels of other projects that the browser's Python loads."""
    wanted = SETTINGS / "wheels.txt"
    folder = CACHE / f"wheels-{key(wanted)}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--require-hashes", "--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp",
             "--abi", f"cp{PYTHON.replace('.', '')}", "--abi", "none", "--platform", "any",
             "--platform", "manylinux_2_28_x86_64", "-d", folder, "-r", wanted])  # fmt: skip
        for wheel in sorted(folder.glob("*.whl")):
            if not wheel.stem.endswith("-none-any"):
                without_compiled_code(wheel)
        (folder / "complete").touch()
    return sorted(folder.glob("*.whl"))


def without_compiled_code(wheel: Path) -> None:
    """Replace a wheel by one that holds only its Python."""
    with zipfile.ZipFile(wheel) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if not name.endswith(COMPILED)}
    name, version = wheel.name.split("-")[:2]
    pack(wheel.with_name(f"{name}-{version}-py3-none-any.whl"), parts)
    wheel.unlink()


def pack(path: Path, parts: Mapping[str, bytes]) -> None:
    """Write an archive whose bytes depend only on what is in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(parts.items()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)


def from_npm(package: str) -> Path:
    """The unpacked folder of a package of npm's registry."""
    folder = CACHE / "npm" / re.sub(r"[^\w.]+", "-", package).strip("-")
    if not folder.exists():
        downloads = CACHE / "npm" / "downloads"
        shutil.rmtree(downloads, ignore_errors=True)
        downloads.mkdir(parents=True)
        npm = shutil.which("npm")
        if not npm:
            raise SystemExit("npm (of Node.js) is needed once, to get Pyodide and Graphviz for the browser")
        run([npm, "pack", "--silent", package], downloads)
        (archive,) = downloads.iterdir()
        if sha256(archive) != NPM[package]:
            raise SystemExit(f"{package}: not the file that this project was made with")
        shutil.unpack_archive(archive, folder)
        shutil.rmtree(downloads)
    return folder / "package"


def library() -> Path:
    """The library's own wheel, made now."""
    folder = CACHE / "library"
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
         "--no-index", "-w", folder, ROOT])  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def renderer() -> Path:
    """A wheel that carries Graphviz: the module `viz_js`, which is data only."""
    script = (from_npm("@viz-js/viz@3.31.0") / "dist" / "viz.js").read_bytes()
    about = b"Metadata-Version: 2.1\nName: viz-js\nVersion: 3.31.0\n"
    kind = b"Wheel-Version: 1.0\nGenerator: tools/lite.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = "viz_js-3.31.0.dist-info"
    path = CACHE / "viz_js-3.31.0-py3-none-any.whl"
    pack(path, {"viz_js/__init__.py": b"", "viz_js/viz.js": script, f"{info}/METADATA": about,
                f"{info}/WHEEL": kind, f"{info}/RECORD": b""})  # fmt: skip
    return path


# --- the folder from which JupyterLite builds ----------------------------------------------------


def kernel_wheels(python: Path) -> list[Path]:
    """The wheels that come with the kernel's extension."""
    root = python.parent.parent / "share" / "jupyter" / "labextensions" / "@jupyterlite"
    found = sorted((root / "pyodide-kernel-extension" / "static" / "pypi").glob("*.whl"))
    return [wheel for wheel in found if wheel.name.startswith(KERNEL_WHEELS)]


def entry(wheel: Path) -> dict[str, Any]:
    """How Pyodide's lock file names a wheel."""
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        roots = {path.split("/")[0].removesuffix(".py") for path in archive.namelist()}
    return {
        "name": re.sub(r"[-_.]+", "-", name).lower(),
        "version": version,
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": sha256(wheel),
        "package_type": "package",
        "imports": sorted(root for root in roots if root.isidentifier()),
        "depends": [],
        "unvendored_tests": False,
    }


def lay_pyodide(target: Path, loaded: Iterable[Path]) -> list[str]:
    """Put the runtime, the wheels and a lock file that names only them into ``target``; return the packages' names."""
    package = from_npm("pyodide@314.0.6")
    target.mkdir(parents=True)
    for name in RUNTIME:
        shutil.copy(package / name, target / name)
    lock = json.loads((package / "pyodide-lock.json").read_text(encoding="utf-8"))
    lock["packages"] = {}
    for wheel in loaded:
        shutil.copy(wheel, target / wheel.name)
        described = entry(wheel)
        lock["packages"][described["name"]] = described
    (target / "pyodide-lock.json").write_text(json.dumps(lock, sort_keys=True), encoding="utf-8")
    return sorted(lock["packages"])


def lay_files(source: Path, target: Path) -> None:
    """Copy the chapters, made fit for JupyterLab, and the code and data that they read."""
    names, words = titles(source), glossary(source / "glossary.md")
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.suffix == ".ipynb":
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(browser_copy(path.read_text(encoding="utf-8"), names, words), encoding="utf-8")
        elif path.suffix in READ:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def settings(packages: list[str]) -> dict[str, Any]:
    """The settings of the site: everything is loaded at the start, nothing from PyPI, no questions."""
    kernel = {"disablePyPIFallback": True, "loadPyodideOptions": {"packages": packages}}
    return {
        "jupyter-lite-schema-version": 0,
        "jupyter-config-data": {
            "appName": "Who frees it?",
            "exposeAppInBrowser": True,  # the tests ask it what the cells gave
            "litePluginSettings": {"@jupyterlite/pyodide-kernel-extension:kernel": kernel},
        },
    }


def build(source: Path, output: Path) -> None:
    """Build the site."""
    python = environment()
    loaded = [*wheels(), *kernel_wheels(python), renderer(), library()]
    folder = CACHE / "site"
    shutil.rmtree(folder, ignore_errors=True)
    packages = lay_pyodide(folder / "static" / "pyodide", loaded)
    lay_files(source / "book", folder / "files" / "book")
    shutil.copytree(source / EVIDENCE, folder / "files" / EVIDENCE)
    shutil.copytree(SETTINGS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.txt"))
    (folder / "jupyter-lite.json").write_text(json.dumps(settings(packages)), encoding="utf-8")
    shutil.rmtree(output, ignore_errors=True)
    run(
        [python, "-m", "jupyterlite_core", "build", "--lite-dir", folder, "--output-dir", output.resolve()],
        folder,
    )


def main() -> int:
    """Build it and say how big it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the folder with the chapters' folder `book`")
    parser.add_argument("output", type=Path, help="where the site goes")
    options = parser.parse_args()
    build(options.source, options.output)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(f"The browser's edition is in {options.output}: {size / 1e6:.0f} MB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

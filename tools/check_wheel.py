"""Install the library's wheel in an empty environment and use it; then the same with the extra ``book``.

``python tools/check_wheel.py dist``
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CALL = ROOT / "tests" / "conformance" / "dcerpc" / "alias-freed.yaml"
PICTURES = """
from rpcmemkit.notebook import show, stepper
assert "<svg" in show(call).html
assert len(stepper(call).children) == 3
"""


class Installed:
    """An environment of its own with nothing in it but what is installed here."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "env", with_pip=True)
        self.folder = folder
        self.programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run one of its programs outside the project, and stop when it fails."""
        command = [str(self.programs / program), *map(str, arguments)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            command, cwd=self.folder, env=clean | {"PYTHONUTF8": "1"}, check=False, text=True,
            encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}")
        return done.stdout

    def install(self, what: str) -> None:
        """Install it from where pip finds it."""
        self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what)


def use(env: Installed) -> None:
    """Every command of the command line, and the example of the README."""
    idl = env.folder / "interface.idl"
    idl.write_text(yaml.safe_load(CALL.read_text(encoding="utf-8"))["idl"], encoding="utf-8")
    for arguments in (
        ("run", CALL),
        ("verify", CALL),
        ("explain", idl),
        ("check", idl),
        ("rules",),
        ("claims",),
    ):
        env.run("rpcmemkit", *arguments)
    env.run("python", "-c", example())


def example() -> str:
    """The first example of the README."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def main() -> int:
    """Check the newest wheel of a folder."""
    wheel = max(Path(sys.argv[1]).resolve().glob("rpcmemkit-*.whl"), key=lambda path: path.stat().st_mtime)
    with tempfile.TemporaryDirectory() as folder:
        env = Installed(Path(folder))
        env.install(str(wheel))
        use(env)
        env.install(f"{wheel}[book]")
        env.run("python", "-c", example() + PICTURES)
    print(f"{wheel.name} works in an empty environment, and draws with the extra `book`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

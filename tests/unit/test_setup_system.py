"""scripts/setup-system.sh: what it would install, and what it says where it cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup-system.sh"
DEBIAN = 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04 LTS"\n'
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nPRETTY_NAME="Linux Mint 22"\n'
TOOLS = ("sh", "env", "cat", "readlink", "head", "tr", "grep", "paste")
# Ubuntu 22.04's and 24.04's own.
STUB = """#!/bin/sh
if ! [ -x /snap/bin/chromium ]; then
    echo "Command '$0' requires the chromium snap to be installed."
    echo "Please install it with: snap install chromium"
fi
exec /snap/bin/chromium "$@"
"""
FAKES = {
    "dpkg-query": 'for last; do :; done; grep -qx "$last" "$M/installed" '
    '&& echo "install ok installed"',
    "dpkg": 'cat "$M/architecture"',
    "apt-cache": '! grep -qx "$2" "$M/unknown"',
    "apt-get": 'echo "$*" >> "$M/done"; [ ! -e "$M/$1-fails" ]',
    "id": 'cat "$M/uid"',
}


class Machine:
    """A machine made of a few programs, which write down what they are asked to do."""

    def __init__(self, folder: Path, release: str) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        for name, text in FAKES.items():
            self.program(name, f"#!/bin/sh\n{text}\n")
        self.put(release=release, installed="", unknown="", uid="0\n", architecture="amd64\n")

    def put(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("_", "-")).write_text(text)

    def program(self, name: str, text: str = "#!/bin/sh\n") -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", str(SCRIPT), *arguments],
            env={
                "PATH": str(self.bin),
                "M": str(self.folder),
                "OS_RELEASE": str(self.folder / "release"),
                **variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def did(self) -> list[str]:
        path = self.folder / "done"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def packages(self) -> set[str]:
        """What apt-get was told to install."""
        _, install = self.did
        return {word for word in install.split()[1:] if not word.startswith("-")}


@pytest.fixture
def debian(tmp_path: Path) -> Machine:
    return Machine(tmp_path, DEBIAN)


@pytest.fixture
def ubuntu(tmp_path: Path) -> Machine:
    return Machine(tmp_path, UBUNTU)


def test_debian_gets_its_chromium_with_the_sandboxs_helper(debian: Machine) -> None:
    status, said = debian.run()
    assert status == 0, said
    assert debian.did[0] == "update -q"
    assert {"chromium", "chromium-sandbox", "xvfb", "libx264-dev"} <= debian.packages
    assert not {"clang", "libclang-rt-dev", "nodejs"} & debian.packages


def test_what_is_there_needs_no_rights(debian: Machine) -> None:
    debian.put(uid="1000\n")
    status, said = debian.run("test")
    assert status == 3 and "libx264-dev" in said
    everything = said.split("--no-install-recommends ")[1].split()
    debian.put(installed="\n".join(everything))
    assert debian.run("test") == (0, "")
    assert debian.did == []


def test_tests_need_more_and_nodes_of_ones_own_are_kept(debian: Machine) -> None:
    debian.program("node")
    assert debian.run("test")[0] == 0
    assert {"clang", "libclang-rt-dev", "npm"} <= debian.packages
    assert "nodejs" not in debian.packages


@pytest.mark.parametrize("name", ["google-chrome", "chromium"])
def test_a_browser_that_is_there_is_kept(debian: Machine, name: str) -> None:
    debian.program(name)
    assert debian.run()[0] == 0
    assert "chromium" not in debian.packages
    assert "xvfb" in debian.packages


def test_ubuntu_without_a_browser_is_told_the_commands(ubuntu: Machine) -> None:
    status, said = ubuntu.run()
    assert status == 3
    deb = "google-chrome-stable_current_amd64.deb"
    assert f"  wget -P /tmp https://dl.google.com/linux/direct/{deb}\n" in said
    assert f"  sudo apt-get install -y /tmp/{deb}\n" in said
    assert "  make demo BROWSER=/path/to/chrome\n" in said
    assert ubuntu.did == []
    ubuntu.put(architecture="arm64\n")
    _, said = ubuntu.run()
    assert "wget" not in said and "BROWSER=" in said


def test_ubuntus_snap_is_no_browser(ubuntu: Machine) -> None:
    stub = ubuntu.program("chromium-browser", STUB)
    status, said = ubuntu.run()
    assert status == 3
    assert f"the only browser, {stub}, is a snap" in said
    assert ubuntu.run(UISPLICE_BROWSER="/opt/google/chrome/chrome")[0] == 0
    (ubuntu.folder / "done").unlink()
    ubuntu.program("google-chrome-stable")
    assert ubuntu.run()[0] == 0
    assert "chromium" not in ubuntu.packages


def test_a_link_into_snap_is_no_browser(ubuntu: Machine) -> None:
    program = ubuntu.folder / "snap" / "bin" / "chromium"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF\0")
    program.chmod(0o755)
    (ubuntu.bin / "chromium").symlink_to(program)
    assert "is a snap" in ubuntu.run()[1]


def test_ubuntu_22_04_has_clangs_runtimes_in_clang(ubuntu: Machine) -> None:
    ubuntu.program("google-chrome")
    ubuntu.put(unknown="libclang-rt-dev\n")
    status, said = ubuntu.run("test")
    assert status == 0, said
    assert "clang" in ubuntu.packages and "libclang-rt-dev" not in ubuntu.packages
    ubuntu.put(installed="\n".join(ubuntu.packages), done="")
    assert ubuntu.run("test") == (0, "")


def test_mint_has_a_chromium_of_its_own(tmp_path: Path) -> None:
    mint = Machine(tmp_path, MINT)
    assert mint.run()[0] == 0
    assert "chromium" in mint.packages


def test_a_package_that_the_sources_lack_is_named(ubuntu: Machine) -> None:
    ubuntu.program("google-chrome")
    ubuntu.put(unknown="libopenh264-dev\nlibyuv-dev\n")
    status, said = ubuntu.run()
    assert status == 3
    assert "the package sources of Ubuntu 24.04 LTS have no libyuv-dev libopenh264-dev" in said
    assert "sudo add-apt-repository universe" in said
    assert ubuntu.did == ["update -q"]


def test_without_rights_the_command_for_root_is_said(debian: Machine) -> None:
    debian.put(uid="1000\n")
    command = "apt-get update && apt-get install -y --no-install-recommends gcc g++ "
    for _ in range(2):
        status, said = debian.run()
        assert status == 3
        assert "neither root nor sudo is at hand" in said and command in said
        debian.program("sudo", "#!/bin/sh\nexit 1\n")  # there, but it would ask for a password
    assert debian.did == []
    debian.program("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    debian.program("true")
    assert debian.run()[0] == 0
    assert "chromium" in debian.packages


@pytest.mark.parametrize("step", ["update", "install"])
def test_what_fails_is_told_with_what_to_do(debian: Machine, step: str) -> None:
    debian.put(**{f"{step}_fails": ""})
    status, said = debian.run()
    assert status == 3
    assert f"apt-get {step} failed" in said
    assert "what to do, as root: apt-get update && apt-get install -y" in said


def test_another_distribution_gets_a_list(debian: Machine) -> None:
    (debian.bin / "dpkg-query").unlink()
    debian.put(release="ID=fedora\n")
    status, said = debian.run()
    assert status == 3
    assert "by Debian's names" in said and "libx264-dev" in said

"""Containers as compose.yaml has them, by Debian's podman as root, for tests/drills/test_image.py."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
NEEDED = ("podman", "crun", "debootstrap")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# None above this machine's own, which not even root may raise everywhere.
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
HERE = ("--network=host", f"--ulimit=nofile={_FILES}:{_FILES}", "--ulimit=nproc=4096:4096")
# Of unshare(2).
_CLONE_NEWNS = 0x20000
# Debian's Python, laid out as the official image has it: all of it, with its pip, below /usr/local.
LAY_OUT = """
python=$(basename "$(readlink /usr/bin/python3)")
rm -rf /usr/local/lib/$python
mv /usr/lib/$python /usr/local/lib/
mv /usr/bin/$python /usr/local/bin/
rm /usr/bin/python3
ln -s $python /usr/local/bin/python3
ln -s $python /usr/local/bin/python
mkdir /usr/local/lib/$python/ensurepip/_bundled
mv /usr/share/python-wheels/* /usr/local/lib/$python/ensurepip/_bundled/
rmdir /usr/share/python-wheels
ln -s /usr/local/lib/$python/ensurepip/_bundled /usr/share/python-wheels
/usr/local/bin/python -m venv /tmp/venv
cp -r /tmp/venv/lib/$python/site-packages /usr/local/lib/$python/
cp /tmp/venv/bin/pip* /usr/local/bin/
rm -rf /tmp/venv /dev/* /var/cache/apt /var/lib/apt/lists/* /usr/share/doc /usr/share/man /usr/share/locale
"""


def own_mounts() -> None:
    """
    Gives this process mounts of its own. Where the kernel has both versions of control groups, which crun refuses, the
    second is taken out of sight: limits of memory then hold by the first.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    if os.path.ismount("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)


class Podman:
    """Images and containers in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kind = subprocess.run(["stat", "-f", "-c", "%T", home], check=True, capture_output=True, text=True).stdout
        # Copies where layers cannot lie on layers, as in a container: slower.
        driver = "vfs" if "overlay" in kind else "overlay"
        self.command = [
            "podman", "--root", str(home / "images"), "--runroot", str(home / "run"), "--storage-driver", driver,
            "--cgroup-manager", "cgroupfs", "--events-backend", "file",
        ]  # fmt: skip

    def __call__(self, *arguments: Any, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [*self.command, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )
        return done

    def base(self, name: str) -> str:
        """The base image of this name, from where podman's settings say, or what stands in for it where none is reached."""
        if self("pull", "--quiet", name, check=False, timeout=300).returncode == 0:
            return name
        print(f"{name} cannot be pulled: a stand-in is made of Debian's Python.")
        tree = self.home / "base"
        packages = "--include=python3,python3-venv,ca-certificates"
        # A name of Debian's, as `trixie`, from the machine that this runs on.
        suite = re.search(r"(?m)^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text())
        command = ["debootstrap", "--variant=minbase", packages, suite[1] if suite else "stable", str(tree)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"neither {name} nor a Debian can be had from here: {(done.stdout + done.stderr)[-500:]}")
        subprocess.run(["chroot", str(tree), "/bin/sh", "-euc", LAY_OUT], check=True)
        subprocess.run(["tar", "-C", str(tree), "-cf", str(self.home / "base.tar"), "."], check=True)
        shutil.rmtree(tree)
        self("import", self.home / "base.tar", "localhost/base")
        (self.home / "base.tar").unlink()
        return "localhost/base"

    def build(self, context: Path, base: str) -> None:
        """The image `localhost/modeldex`. What pip asks is asked with the certificates that this machine trusts."""
        self(
            "build", "--format", "docker", "--isolation", "chroot", "--network", "host", "--layers=false",
            "--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", "--build-arg", f"BASE={base}",
            "--tag", "localhost/modeldex", context,
        )  # fmt: skip

    def end(self) -> None:
        self("rm", "--all", "--force", "--time", 0, check=False)
        subprocess.run(["umount", "--lazy", self.home / "images/overlay"], capture_output=True)

    def start(self, name: str, service: str, secrets: Path, environment: Mapping[str, str]) -> str:
        """A container of this service, on the host's network. Returns its id."""
        return self("run", "--detach", "--name", name, *flags(service, secrets, environment)).stdout.strip()

    def run(self, service: str, secrets: Path, environment: Mapping[str, str]) -> str:
        """What a container of this service has said when it has ended."""
        return self("run", "--rm", *flags(service, secrets, environment)).stdout


def flags(service: str, secrets: Path, environment: Mapping[str, str]) -> list[str]:
    """What compose.yaml says of a service, as podman's arguments, the image and its command last."""
    said = COMPOSE["services"][service]
    options = [f"--tmpfs={path}" for path in said["tmpfs"]]
    options += [f"--cap-drop={name}" for name in said["cap_drop"]]
    options += [f"--security-opt={option.removesuffix(':true')}" for option in said["security_opt"]]
    options += [f"--volume={secrets / name}:/run/secrets/{name}:ro" for name in said["secrets"]]
    variables = {name: interpolated(value, environment) for name, value in said["environment"].items()} | environment
    options += [f"--env={name}={value}" for name, value in variables.items()]
    # The image's own, which no systemd is there to ask for: who starts the container does.
    options.append("--no-healthcheck" if said["healthcheck"].get("disable") else "--health-interval=disable")
    options += [f"--memory={said['mem_limit']}", f"--read-only={said['read_only']}".lower()]
    return [*HERE, *options, "localhost/modeldex", *said.get("command", ())]


def interpolated(text: str, environment: Mapping[str, str]) -> str:
    """The text with its `${NAME}`, `${NAME:-default}` and `${NAME:?what to set}`, the inner ones first."""
    pattern = re.compile(r"\$\{(\w+)(?::([-?])([^${}]*))?\}")
    while found := pattern.search(text):
        value = environment.get(found[1]) or (found[3] if found[2] == "-" else "")
        text = text[: found.start()] + (value or "") + text[found.end() :]
    return text

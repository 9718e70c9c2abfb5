"""Several hosts on this machine: network namespaces with addresses, names and links of their own, joined by a switch.

They see nothing but each other (10.77.0.0/24, no way out). Root only; everything is removed at the end.
"""

import os
import shutil
import subprocess

import together

# In place of ssh: mpiexec calls it with options, the host and the command.
REMOTE_SHELL = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
number=${1##*.}
shift
exec ip netns exec PREFIX$number unshare --uts sh -c "hostname host$number; $*"
"""


def missing():
    """What is not there of what it takes, or None."""
    if together.missing():
        return together.missing()
    if os.geteuid() or not (shutil.which("ip") and shutil.which("unshare")):
        return "network namespaces need root, ip and unshare"
    probe = f"mg{os.getpid()}p"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode:
        return "this machine makes no network namespaces"
    ip("netns", "del", probe)
    return None


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True)


class Hosts:
    """``with Hosts(3, folder) as hosts``: host 1 to 3, with addresses 10.77.0.1 to 10.77.0.3."""

    def __init__(self, count, folder):
        self.prefix, self.count = f"mg{os.getpid()}-", count
        self.switch = self.prefix + "switch"
        self.shell = folder / "remote-shell"
        self.shell.write_text(REMOTE_SHELL.replace("PREFIX", self.prefix))
        self.shell.chmod(0o700)

    def __enter__(self):
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "switch", "type", "bridge")
        ip("-n", self.switch, "link", "set", "switch", "up")
        for i in range(1, self.count + 1):
            host = f"{self.prefix}{i}"
            ip("netns", "add", host)
            ip("link", "add", "eth0", "netns", host, "type", "veth", "peer", "name", f"port{i}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"port{i}", "master", "switch", "up")
            ip("-n", host, "address", "add", f"10.77.0.{i}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")
        return self

    def __exit__(self, *error):
        for name in (*(f"{self.prefix}{i}" for i in range(1, self.count + 1)), self.switch):
            for process in self.processes(name):
                os.kill(process, 9)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def processes(self, host):
        """The numbers of the processes on a host (its number, or the name of its namespace)."""
        name = host if isinstance(host, str) else f"{self.prefix}{host}"
        done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
        return [int(word) for word in done.stdout.split()]

    def cut(self, host):
        """Take the link of a host down."""
        ip("-n", f"{self.prefix}{host}", "link", "set", "eth0", "down")

    def launch(self, ranks, *words):
        """`minigrad launch` on host 1, with so many ranks on each host, that talk over TCP: the `subprocess.Popen`."""
        names = ",".join(f"10.77.0.{i}:{ranks}" for i in range(1, self.count + 1))
        command = [*together.LAUNCH, "--hosts", names, "-n", ranks * self.count, *words]
        environment = {
            **os.environ, **together.ONE_THREAD, "PYTHONPATH": str(together.ROOT),
            "HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXEC": str(self.shell), "HYDRA_IFACE": "eth0",
            "UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "eth0",
        }  # fmt: skip
        return subprocess.Popen(
            [str(self.shell), "10.77.0.1", "exec", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

# SPDX-License-Identifier: MIT
"""The switches that are compared: one small class each.

A class says what it is called, what it needs (`missing` returns the reason why it cannot be
measured here, or None), and how to put itself between the hosts of a Lab. `pids` are the
processes whose memory is its own. A setting that a peer needs in order to work at all, or that
its documentation advises, belongs into `build` and its reason into `note`.
"""

import os
import shutil
import subprocess


DEFAULT_FDB = 65536  # entries that uswitch has room for unless told otherwise


def first_line(*argv):
    r = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (r.stdout + r.stderr).strip().split("\n", maxsplit=1)[0]


class Switch:
    name = ""
    note = ""
    program = None
    max_hosts = 33

    def __init__(self, build_dir):
        self.build_dir = build_dir
        self.pids = []

    def missing(self):
        if self.program and not shutil.which(self.program):
            return f"{self.program} is not installed"
        return None

    def version(self):
        return first_line(self.program, "--version") if self.program else os.uname().release

    def build(self, lab):
        raise NotImplementedError


class DirectVeth(Switch):
    name = "direct veth"
    note = "no switch at all: what hosts, generator and receiver can do"
    max_hosts = 2

    def build(self, lab):
        lab.call("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns",
                 f"{lab.prefix}h2", ns="h1")
        lab.address(1)
        lab.address(2)


class KernelBridge(Switch):
    name = "kernel bridge"

    def build(self, lab):
        lab.call("ip", "link", "add", "br0", "type", "bridge", ns="sw")
        lab.call("ip", "link", "set", "br0", "up", ns="sw")
        for port in lab.veths():
            lab.call("ip", "link", "set", port, "master", "br0", ns="sw")


class Uswitch(Switch):
    kind = ""

    @property
    def path(self):
        return f"{self.build_dir}/uswitch"

    def missing(self):
        return None if os.access(self.path, os.X_OK) else f"{self.path} is not built"

    def version(self):
        return first_line(self.path, "--version")

    def run(self, lab, ports):
        args = [a for p in ports for a in ("-p", f"{self.kind}:{p}")]
        if lab.stations > DEFAULT_FDB / 2:
            args += ["--fdb-size", 2 * 2 ** lab.stations.bit_length()]
        socket = f"{lab.dir}/uswitch.sock"
        child = lab.start(self.path, *args, "-S", socket, ns="sw")
        lab.wait_for("control socket", lambda: os.path.exists(socket), child)
        self.pids = [child.pid]


class UswitchPacket(Uswitch):
    name = "uswitch packet"
    kind = "packet"

    def build(self, lab):
        self.run(lab, lab.veths())


class UswitchTap(Uswitch):
    name = "uswitch tap"
    note = "hosts own the TAP interfaces"
    kind = "tap"

    def build(self, lab):
        self.run(lab, [f"t{i}" for i in range(1, lab.hosts + 1)])
        lab.give_taps()


class VdeSwitch(Switch):
    name = "vde_switch tap"
    note = "hosts own the TAP interfaces; --hashsize fits the largest table"
    program = "vde_switch"

    def build(self, lab):
        taps = [a for i in range(1, lab.hosts + 1) for a in ("-tap", f"t{i}")]
        child = lab.start("vde_switch", "-s", f"{lab.dir}/vde", "--numports", 64, "--hashsize",
                          1048576, *taps, ns="sw")
        lab.wait_for("vde_switch", lambda: os.path.exists(f"{lab.dir}/vde/ctl"), child)
        lab.give_taps()
        self.pids = [child.pid]


ALL = [DirectVeth, KernelBridge, UswitchPacket, UswitchTap, VdeSwitch]

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

    def run(self, lab, ports, env=None, more=()):
        args = [a for p in ports for a in ("-p", f"{self.kind}:{p}")] + list(more)
        if lab.stations > DEFAULT_FDB / 2:
            args += ["--fdb-size", 2 * 2 ** lab.stations.bit_length()]
        socket = f"{lab.dir}/uswitch.sock"
        child = lab.start(self.path, *args, "-S", socket, ns="sw", env=env)
        lab.wait_for("control socket", lambda: os.path.exists(socket), child)
        self.pids = [child.pid]


class UswitchPacket(Uswitch):
    name = "uswitch packet"
    kind = "packet"

    def build(self, lab):
        self.run(lab, lab.veths())


class UswitchPacketOff(UswitchPacket):
    name = "uswitch packet off"
    note = "--fastpath off: every frame comes through the process"

    def build(self, lab):
        self.run(lab, lab.veths(), more=("--fastpath", "off"))


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


class OvsPacket(Switch):
    """Userspace datapath, each port an AF_PACKET socket."""

    name = "OVS AF_PACKET"
    note = "hosts' checksum and segmentation offloads off, without which it passes no TCP"
    program = "ovs-vswitchd"
    kind = "system"
    config = []
    tso = False

    def missing(self):
        return super().missing() or ("ovsdb-server is not installed"
                                     if not shutil.which("ovsdb-server") else None)

    def build(self, lab):
        env = {"OVS_RUNDIR": lab.dir, "OVS_LOGDIR": lab.dir, "OVS_DBDIR": lab.dir}
        ports, db = lab.veths(), f"unix:{lab.dir}/db.sock"
        lab.call("ovsdb-tool", "create", f"{lab.dir}/conf.db",
                 "/usr/share/openvswitch/vswitch.ovsschema")
        server = lab.start("ovsdb-server", f"{lab.dir}/conf.db", f"--remote=p{db}",
                           f"--unixctl={lab.dir}/db.ctl", env=env)
        lab.wait_for("ovsdb-server", lambda: os.path.exists(f"{lab.dir}/db.sock"), server)
        lab.tell("ovs-vsctl", f"--db={db}", "--no-wait", "init", *self.config)
        daemon = lab.start(self.program, db, f"--unixctl={lab.dir}/vs.ctl", ns="sw", env=env)
        size = max(8192, 2 * lab.stations)
        lab.tell("ovs-vsctl", f"--db={db}", "add-br", "br0", "--", "set", "bridge", "br0",
                 "datapath_type=netdev", f"other-config:mac-table-size={size}")
        for p in ports:
            lab.tell("ovs-vsctl", f"--db={db}", "add-port", "br0", p, "--", "set",
                     "interface", p, f"type={self.kind}")
        if not self.tso:
            lab.offloads_off()
        self.pids = [server.pid, daemon.pid]


class OvsPacketTso(OvsPacket):
    """The build with DPDK, whose userspace TSO also covers AF_PACKET ports; DPDK stays off."""

    name = "OVS AF_PACKET TSO"
    note = "userspace-tso-enable, which its manual calls experimental; hosts' offloads on"
    program = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
    config = ["--", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true"]
    tso = True


class OvsXdp(OvsPacket):
    name = "OVS AF_XDP"
    kind = "afxdp"
    note = "polls on one core of its own; hosts' offloads off, without which it passes no TCP"


class TestpmdPacket(Switch):
    name = "testpmd AF_PACKET"
    note = ("DPDK's forwarder, no switching: what its AF_PACKET rings can do; polls on one core of "
            "its own; hosts' offloads off, its buffers hold no longer frames")
    program = "dpdk-testpmd"
    max_hosts = 2

    def version(self):
        return "DPDK " + first_line("dpkg-query", "-W", "-f", "${Version}", "dpdk-dev")

    def build(self, lab):
        vdevs = [f"--vdev=net_af_packet{i},iface={p},framesz=2048,blocksz=4096,framecnt=1024,"
                 "qpairs=1,qdisc_bypass=1" for i, p in enumerate(lab.veths())]
        child = lab.start(self.program, "--no-huge", "-m", 256, "--no-pci", "--no-shconf", *vdevs,
                          "--", "--forward-mode=io", "--auto-start", "--total-num-mbufs=16384",
                          "--nb-cores=1", "--stats-period=60", ns="sw")
        lab.wait_for("testpmd", lambda: "statistics" in lab.output(child), child)
        lab.offloads_off()
        self.pids = [child.pid]


ALL = [DirectVeth, KernelBridge, UswitchPacket, UswitchPacketOff, UswitchTap, VdeSwitch, OvsPacket, OvsPacketTso,
       OvsXdp, TestpmdPacket]

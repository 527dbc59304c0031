#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random commands to a running switch: configure.py USWITCH FOLDER SEED ROUNDS.

After each round of commands a second switch is started with what `show config` prints, and must be the same in every
answer; no command may fail half-way. A failure prints the seed, the last commands and the difference.
"""
import json
import os
import random
import socket
import subprocess
import sys
import time

USWITCH, FOLDER, SEED, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
SETTINGS = ["ageing_time 10s", "vlan_filtering 1", "vlan_filtering 0", "vlan_protocol 802.1ad", "vlan_protocol 802.1Q",
            "vlan_default_pvid 0", "vlan_default_pvid 1", "vlan_default_pvid 2", "vlan_default_pvid 5",
            "group_fwd_mask 0x8", "group_address 01:80:c2:00:00:0e"]
PORT_SETTINGS = ["hairpin on", "hairpin off", "isolated on", "learning off", "learning on", "locked on",
                 "locked on mab on", "mab off", "locked off mab off", "cost 7", "accept tagged", "backup_port p1",
                 "nobackup_port", "group_fwd_mask 0x1"]
MODES = ["", "", ",access=3", ",trunk=2-4+6", ",trunk=2-4,native=5", ",accept=tagged"]
pick = random.choice


class Switch:
    def __init__(self, name, *options):
        path = os.path.join(FOLDER, name + ".sock")
        self.process = subprocess.Popen([USWITCH, "-S", path, *options], stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(path)
                self.file = s.makefile("rwb")
                return
            except OSError:
                time.sleep(0.01)
        sys.exit("seed %d: uswitch %s does not start" % (SEED, " ".join(options)))

    def ask(self, line):
        self.file.write(line.encode() + b"\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def stop(self):
        self.ask("stop")
        assert self.process.wait() == 0


def vids():
    first = random.randint(1, 6)
    last = first + random.randint(0, 3)
    return "%d-%d" % (first, last) if last > first else str(first)


def command():
    port, vid = "p%d" % random.randint(0, 3), random.randint(1, 6)
    return pick([
        lambda: "set " + pick(SETTINGS),
        lambda: "link add mem:,name=%s%s" % (port, pick(MODES)),
        lambda: "link add mem:,name=%s" % port,
        lambda: "link del dev " + port,
        lambda: "link set dev %s %s" % (port, pick(PORT_SETTINGS)),
        lambda: "vlan add vid %s dev %s %s" % (vids(), port, pick(["", "untagged"])),
        lambda: "vlan add vid %d dev %s pvid %s" % (vid, port, pick(["", "untagged"])),
        lambda: "vlan del vid %s dev %s" % (vids(), port),
        lambda: "vlan set vid %d dev %s state %s" % (vid, port, pick(["blocking", "forwarding", "learning"])),
        *[lambda: "fdb %s 02:00:00:00:00:0%d dev %s %s %s" % (
            pick(["add", "replace", "replace", "replace", "del"]), random.randint(0, 2), port,
            pick(["static", "static sticky", "local", "extern_learn"]),
            pick(["", "vlan %d" % random.randint(0, 5)]))] * 4])()


def plain(value, *without):
    return json.dumps({k: v for k, v in value.items() if k not in without})


def state(switch):
    """Everything that is configured, in an order that does not depend on when. The kernel, and so the switch, keeps
    entries in a VLAN that their port has left; they are no configuration."""
    def get(line):
        return switch.ask(line)["result"]

    members = {p["ifname"]: {0, *(v["vlan"] for v in p["vlans"])} for p in get("vlan show")}
    entries = [e for e in get("fdb show") if e["state"] or "extern_learn" in e["flags"]]
    return {
        "config": sorted(get("show config")),
        "settings": plain(get("show"), "fdb_used", "fdb_n_learned", "fdb_evicted", "fdb_refused", "fdb_moved"),
        "ports": sorted(plain(p, "port", "fdb_entries") for p in get("-d link show")),
        "vlans": sorted(map(json.dumps, get("-d vlan show"))),
        "entries": sorted(json.dumps(e) for e in entries if e.get("vlan", 0) in members.get(e["ifname"], {0})),
    }


def main():
    random.seed(SEED)
    live, commands, config = Switch("live", "-p", "mem:,name=p0"), 0, os.path.join(FOLDER, "random.conf")
    for _ in range(ROUNDS):
        history = []
        for _ in range(random.randint(5, 40)):
            line = command()
            answer = live.ask(line)
            commands += 1
            history.append("%s: %s" % (line, answer.get("error", "ok")))
            if not answer["ok"] and (answer["errno"] == "EIO" or "state before" in answer["error"]):
                sys.exit("seed %d: %s" % (SEED, history[-1]))
        want = state(live)
        with open(config, "w") as f:
            f.write("\n".join(live.ask("show config")["result"]) + "\n")
        fresh = Switch("fresh", "-c", config)
        got = state(fresh)
        fresh.stop()
        for what in want:
            if want[what] != got[what]:
                sys.exit("seed %d: %s\n  live:  %s\n  fresh: %s\n  %s" % (
                    SEED, what, want[what], got[what], "\n  ".join(history[-12:])))
    live.stop()
    print("%d commands in %d rounds, seed %d" % (commands, ROUNDS, SEED))


main()

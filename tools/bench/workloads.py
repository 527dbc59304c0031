# SPDX-License-Identifier: MIT
"""The workloads: each a function from a Lab, with a switch in it, to measured values.

Frames are counted by flowgen at the receiving host, never by the switch. A workload is listed
in ALL with the number of hosts it needs; the values it returns are rows of the table, whose
titles and units are in ROWS. Frame lengths are without the FCS, as `-s` of flowgen.
"""

import json

from lab import Failed, busy_seconds

ROWS = {  # key: (title, unit, "more" or "less" is better)
    "tcp1": ("TCP, 1 stream", "Gbit/s", "more"),
    "tcp1_cpu": ("  CPU of the machine", "s/GB", "less"),
    "tcp4": ("TCP, 4 streams", "Gbit/s", "more"),
    "tcp1_plain": ("TCP, 1 stream, offloads off", "Gbit/s", "more"),
    "fwd60": ("60 B one way, maximum", "kpps", "more"),
    "fwd60_cpu": ("  CPU of the machine", "s/Mframe", "less"),
    "fwd512": ("512 B one way, maximum", "kpps", "more"),
    "fwd1514": ("1514 B one way, maximum", "kpps", "more"),
    "both60": ("60 B both ways, maximum, sum", "kpps", "more"),
    "lossfree60": ("60 B one way, loss-free", "kpps", "more"),
    "rtt_p50": ("ping, idle, median", "us", "less"),
    "rtt_p99": ("ping, idle, 99th percentile", "us", "less"),
    "load_p50": ("one way at 50 % load, median", "us", "less"),
    "load_p99": ("one way at 50 % load, 99th percentile", "us", "less"),
    "fdb1k": ("60 B, 1,000 stations at random", "kpps", "more"),
    "fdb1m": ("60 B, 1,000,000 stations at random", "kpps", "more"),
    "learn": ("stations learned, of 50,000 new ones sent at once", "k/s", "more"),
    "flood2": ("60 B broadcast to 2 ports, copies", "kpps", "more"),
    "flood8": ("60 B broadcast to 8 ports, copies", "kpps", "more"),
    "flood32": ("60 B broadcast to 32 ports, copies", "kpps", "more"),
    "vlan60": ("64 B tagged one way, maximum", "kpps", "more"),
    "rss": ("resident memory of the switch, 2 ports", "MiB", "less"),
}


def flowgen(lab, sender, receivers, *options, seconds):
    args = ["flowgen", "-i", lab.port(sender)]
    for r in receivers:
        args += ["-o", lab.port(r)]
    out = json.loads(lab.call(*args, "-t", seconds, *options))
    for rx in out["rx"]:
        if rx["bad"] or rx["ring_dropped"]:
            raise Failed(f"flowgen: {rx['bad']} damaged frames, {rx['ring_dropped']} not looked at")
    return out


def tcp(lab, seconds, streams=1):
    seconds = max(1, round(2 * seconds))  # iperf3 knows whole seconds only, and 0 is for ever
    server = lab.start("iperf3", "-s", "-1", "-p", 5201, "--forceflush", ns="h2")
    try:
        lab.wait_for("iperf3", lambda: "listening" in lab.output(server), server)
        cpu = busy_seconds()
        out = json.loads(lab.call("iperf3", "-c", "10.77.0.2", "-p", 5201, "-t", seconds, "-P",
                                  streams, "-J", ns="h1", timeout=seconds + 20, check=False))
        cpu = busy_seconds() - cpu
    finally:
        lab.stop(server)
    if "error" in out:
        raise Failed(f"iperf3: {out['error']}")
    got = out["end"]["sum_received"]
    return got["bits_per_second"] / 1e9, cpu / max(got["bytes"] / 1e9, 1e-9)


def maximum(lab, seconds, size, *options):
    """Delivered frames a second under more load than fits, and CPU seconds a million."""
    out = flowgen(lab, 1, [2], "-s", size, *options, seconds=seconds)
    rx = out["rx"][0]
    return rx["pps"] / 1e3, out["cpu_s"] / max(rx["received"] / 1e6, 1e-9)


def tcp1(lab, s):
    rate, cpu = tcp(lab, s)
    return {"tcp1": rate, "tcp1_cpu": cpu}


def tcp4(lab, s):
    return {"tcp4": tcp(lab, s, 4)[0]}


def fwd60(lab, s):
    rate, cpu = maximum(lab, s, 60)
    return {"fwd60": rate, "fwd60_cpu": cpu}


def fwd512(lab, s):
    return {"fwd512": maximum(lab, s, 512)[0]}


def fwd1514(lab, s):
    return {"fwd1514": maximum(lab, s, 1514)[0]}


def rtt(lab, s):
    where = lab.port(1).replace("eth0", "10.77.0.2")
    out = json.loads(lab.call("rr", where, "-n", int(400 * s), "-w", 1000))
    if out["lost"]:
        raise Failed(f"{out['lost']} pings lost")
    return {"rtt_p50": out["rtt_us"]["p50"], "rtt_p99": out["rtt_us"]["p99"]}


def tcp1_plain(lab, s):
    lab.offloads_off()
    return {"tcp1_plain": tcp(lab, s)[0]}


def both60(lab, s):
    """Two generators at once; on two cores they compete with the switch, for every switch alike."""
    other = lab.start("flowgen", "-x", "-f", 2, "-i", lab.port(2), "-o", lab.port(1), "-t", s)
    one = flowgen(lab, 1, [2], seconds=s)
    lab.wait_for("second flowgen", lambda: other.poll() is not None, seconds=s + 10)
    two = json.loads(lab.output(other))
    lab.stop(other)
    return {"both60": (one["rx"][0]["pps"] + two["rx"][0]["pps"]) / 1e3}


def lossfree60(lab, s):
    """Bisects for the highest rate at which not one frame is lost, in six steps."""
    low, high = 0.0, 1.1 * maximum(lab, s / 2, 60)[0] * 1e3
    for _ in range(6):
        rate = (low + high) / 2
        trials = (flowgen(lab, 1, [2], "-r", int(rate), "-P", seconds=s / 2) for _ in range(2))
        if any(t["rx"][0]["lost"] == 0 and t["offered_pps"] > 0.98 * rate for t in trials):
            low = rate
        else:
            high = rate
    return {"lossfree60": low / 1e3}


def load(lab, s):
    """Latency from host to host at half of what this switch can deliver."""
    rate = maximum(lab, s / 2, 60)[0] * 1e3
    us = flowgen(lab, 1, [2], "-r", int(rate / 2), seconds=s)["rx"][0]["latency_us"]
    return {"load_p50": us["p50"], "load_p99": us["p99"]}


def fdb(key, stations):
    def workload(lab, s):
        out = flowgen(lab, 1, [2, 3], "-R", "-D", stations, seconds=s)
        hit, flooded = out["rx"][0]["received"], out["rx"][1]["received"]
        if flooded > hit / 100:
            raise Failed(f"{100 * flooded / hit:.0f} % of the frames were flooded: table too small")
        return {key: out["rx"][0]["pps"] / 1e3}
    return workload


def learn(lab, s):
    """New source addresses as fast as they go; then frames to each, and who else sees them."""
    n = 50000
    first = flowgen(lab, 1, [2], "-S", n, "-n", n, seconds=s + 5)["rx"][0]
    back = flowgen(lab, 2, [1, 3], "-x", "-P", "-D", n, "-n", n, "-r", 50000, seconds=s + 5)
    learned = back["rx"][0]["received"] - back["rx"][1]["received"]
    return {"learn": learned / first["seconds"] / 1e3}


def flood(ports):
    def workload(lab, s):
        out = flowgen(lab, 1, range(2, ports + 2), "-T", "broadcast", seconds=s)
        return {f"flood{ports}": sum(rx["pps"] for rx in out["rx"]) / 1e3}
    return workload


def vlan60(lab, s):
    return {"vlan60": maximum(lab, s, 64, "-v", 10)[0]}


class Workload:
    """What the network is built for; part of a quick run; takes long: every second round only."""

    def __init__(self, name, run, hosts=2, stations=1000, quick=False, long=False):
        self.name, self.run, self.hosts, self.stations = name, run, hosts, stations
        self.quick, self.long = quick, long


ALL = [
    Workload("tcp1", tcp1, quick=True),
    Workload("tcp4", tcp4),
    Workload("fwd60", fwd60, quick=True),
    Workload("fwd512", fwd512),
    Workload("fwd1514", fwd1514, quick=True),
    Workload("both60", both60),
    Workload("lossfree60", lossfree60, long=True),
    Workload("rtt", rtt, quick=True),
    Workload("load", load, quick=True),
    Workload("vlan60", vlan60),
    Workload("tcp1_plain", tcp1_plain),  # last of its network: it changes the hosts
    Workload("fdb1k", fdb("fdb1k", 1000), hosts=3),
    Workload("learn", learn, hosts=3, stations=60000),
    Workload("fdb1m", fdb("fdb1m", 1000000), hosts=3, stations=1000000, long=True),
    Workload("flood2", flood(2), hosts=3, quick=True),
    Workload("flood8", flood(8), hosts=9),
    Workload("flood32", flood(32), hosts=33),
]

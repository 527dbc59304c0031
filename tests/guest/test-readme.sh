#!/bin/bash
# SPDX-License-Identifier: MIT
# The QEMU lines of README.md: for each, a guest that is started as it says, all on one switch with all the ports that they
# name; eth0 leads to a host, which each guest pings. Only what the line cannot know is added: paths are below a folder
# of the test's own, each guest has its MAC address, and vectors=0 for vhost-user, as QEMU 7.2.22 without KVM crashes else.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/../system/lib.sh"
need qemu-system-x86_64
export BUILD

cat >"$TMP/ping.sh" <<'END'
#!/bin/sh
ip address add "10.0.0.$1/24" dev eth0 && ip link set eth0 up
for i in $(seq 60); do
	ping -q -c 1 -W 1 10.0.0.254 && break
done >/dev/null
if ping -q -c 5 -s 1400 10.0.0.254; then echo "PASS ping"; else echo "FAIL ping"; fi
END
chmod +x "$TMP/ping.sh"

# Lines that end in a backslash go on.
sed -E -e ':a' -e '/\\$/N' -e 's/ *\\\n */ /' -e 'ta' "$ROOT/README.md" >"$TMP/lines"
PORTS=() GUESTS=() NAMES=()
while read -r word rest; do
	rest=${rest//\/tmp\//$TMP/}
	case $word in
	uswitch)
		last=${rest% &}
		last=${last% -p eth0}
		last=${last#*-p }
		;;
	qemu-system-x86_64)
		[ "${last:0:2}" = -n ] || PORTS+=(-p "$last")
		GUESTS+=("${rest#... }")
		NAMES+=("$(grep -oE 'netdev [a-z-]*' <<<"$rest")")
		;;
	esac
done < <(grep -E '^    (uswitch|qemu-system-x86_64) ' "$TMP/lines")
check "README.md has all kinds" [ "${NAMES[*]}" = \
	"netdev vhost-user netdev stream netdev vde netdev dgram netdev tap netdev bridge" ] || { echo "${NAMES[@]}"; finish; }

# guest NUMBER OPTIONS: boots one, with an access file for the helper, which is not installed.
guest() {
	local line=${2//\/usr\/local\/lib\/uswitch/$BUILD} vectors=''
	[[ $line != *vhost-user* ]] || vectors=,vectors=0
	# shellcheck disable=SC2016
	start in_ns sw unshare -m sh -c 'mount --bind "$0" /etc && exec "$@"' "$TMP/etc" \
		"$ROOT/tests/guest/run" -t 150 -a "$1" -q "$line$vectors,mac=02:00:00:00:00:0$1" "$TMP/ping.sh" \
		>"$TMP/guest.$1" 2>&1
	RUN+=("$STARTED")
}

ns sw host
veth host eth0 sw eth0
address host eth0 10.0.0.254/24
mkdir -p "$TMP/uswitch"
cp -a /etc "$TMP/etc"
mkdir -p "$TMP/etc/uswitch"
echo "allow lab" >"$TMP/etc/uswitch/bridge.conf"
export XDG_RUNTIME_DIR=$TMP
switch sw -n lab "${PORTS[@]}" -p eth0
ln -s "$SOCKET" "$TMP/uswitch/lab.sock"
RUN=()
for i in "${!GUESTS[@]}"; do guest $((i + 1)) "${GUESTS[i]}"; done
for i in "${!GUESTS[@]}"; do
	wait "${RUN[i]}"
	if [ $? = 77 ]; then
		skip "the guest cannot be had: $(tail -n 1 "$TMP/guest.$((i + 1))")"
	else
		check "${NAMES[i]}" grep -qx 'PASS ping' "$TMP/guest.$((i + 1))" || tail -n 20 "$TMP/guest.$((i + 1))"
	fi
done
finish

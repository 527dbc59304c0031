# shellcheck shell=bash
#
# What the guest boots: a kernel and a base file system, kept in the folder $CACHE. Sourced by `run`.
#
# The kernel and busybox come from Debian's packages, downloaded and unpacked, never installed. The
# surprising rule: the busybox of package `busybox` is needed, not of `busybox-static`, whose shell
# prefers its own applets to $PATH, so that `ip` and even `timeout 5 ip` would not be iproute2's.
# The same busybox does cpio and depmod on the host. Once the cache is filled no network is needed;
# the kernel in it is kept until the folder is deleted.
#
#	kernel/vmlinuz, kernel/lib/modules/	as unpacked
#	busybox					for the guest and for us
#	base/, base.cpio			the guest's file system
#	base.stamp				what the base was made from

# Host programs that go into every guest; those before the bar are required.
GUEST_TOOLS="ip bridge tc | bash ethtool flock iperf3 jq tcpdump taskset"

# Modules by the beginning of their path below kernel/; what they need comes with them. br_netfilter
# stays out: loading it makes the bridge drop frames that it would forward otherwise.
GUEST_MODULES="net/bridge/bridge.ko net/8021q/ net/802/ net/llc/ net/sched/ net/packet/ \
net/core/drop_monitor.ko net/core/pktgen.ko drivers/net/tun.ko drivers/net/tap.ko \
drivers/net/veth.ko drivers/net/dummy.ko drivers/net/ifb.ko drivers/net/macvlan.ko \
drivers/net/macvtap.ko drivers/net/ipvlan/ drivers/net/vxlan/ drivers/net/geneve.ko \
drivers/net/bonding/ drivers/net/nlmon.ko drivers/net/virtio_net.ko \
drivers/char/virtio_console.ko drivers/virtio/virtio_pci.ko drivers/vhost/vhost_net.ko"

# The path in the guest, which has a merged /usr; a relative one is below /test.
guest_path()
{
	case $1 in
	/bin/* | /sbin/* | /lib/* | /lib64/*) echo "/usr$1" ;;
	/*) echo "$1" ;;
	*) echo "/test/$1" ;;
	esac
}

# copy_in FILE GUESTPATH ROOT: copies a file or folder, and a program's libraries unless the base
# has them.
copy_in()
{
	local lib dest
	dest=$3$(guest_path "$2")
	mkdir -p "${dest%/*}" && cp -rL "$1" "$dest" || return
	[ -f "$1" ] || return 0
	ldd "$1" 2>/dev/null | awk '{ for (i = 1; i < NF; i++) if ($i ~ /^\//) print $i }' |
	while read -r lib; do
		dest=$(guest_path "$lib")
		[ -e "$CACHE/base$dest" ] || install -D "$lib" "$3$dest" || return
	done
}

# pack ROOT FILE: makes an initramfs. It is not compressed, since in emulation unpacking costs more
# than loading a larger file.
pack()
{
	(cd "$1" && find . | "$CACHE/busybox" cpio -o -H newc -R 0:0 2>/dev/null) > "$2"
}

# Downloads the two packages into the current folder, and sets PACKAGE to the kernel's name.
download()
{
	PACKAGE=$(apt-cache depends linux-image-cloud-amd64 2>> apt.log |
		awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
	[ -n "$PACKAGE" ] && apt-get download "$PACKAGE" busybox >> apt.log 2>&1
}

# Fills the cache with kernel and busybox, if it is empty. The kernel comes last and in one move, so
# that an interrupted download leaves an empty cache.
get_kernel()
{
	local dir=$CACHE/tmp file
	[ -e "$CACHE/kernel" ] && return
	command -v apt-get dpkg > /dev/null || skip "no apt-get to download Debian's cloud kernel"
	rm -rf "$dir" && mkdir "$dir" && cd "$dir" || exit
	if ! download && { apt-get update >> apt.log 2>&1; ! download; }; then
		cat apt.log >&2
		skip "cannot download Debian's packages linux-image-cloud-amd64 and busybox"
	fi
	for file in *.deb; do
		dpkg -x "$file" "${file%%_*}" || exit
	done
	mkdir -p kernel/lib &&
		mv "$PACKAGE"/boot/vmlinuz-* kernel/vmlinuz &&
		find "$PACKAGE" -path '*lib/modules' -prune -exec mv {} kernel/lib/ ';' &&
		find kernel -name '*.ko.xz' -exec xz -d {} + &&
		find busybox -path '*bin/busybox' -type f -exec mv {} "$CACHE/busybox" ';' &&
		"$CACHE/busybox" depmod -b kernel "$(ls kernel/lib/modules)" &&
		mv kernel "$CACHE/kernel" && cd "$CACHE" && rm -rf "$dir" || exit
}

# copy_modules ROOT: the wanted modules and what they need.
copy_modules()
{
	local version to
	version=$(ls "$CACHE/kernel/lib/modules")
	to=$1/usr/lib/modules/$version
	mkdir -p "$to" && cd "$CACHE/kernel/lib/modules/$version" || return
	awk -v wanted="$GUEST_MODULES" '
		function add(file,    list, n, i) {
			if (seen[file]++)
				return
			print file
			n = split(needs[file], list)
			for (i = 1; i <= n; i++)
				add(list[i])
		}
		{ file = $1; sub(/:$/, "", file); $1 = ""; needs[file] = $0 }
		END {
			n = split(wanted, want)
			for (file in needs)
				for (i = 1; i <= n; i++)
					if (index(file, "kernel/" want[i]) == 1)
						add(file)
		}' modules.dep | xargs cp --parents -t "$to" modules.builtin modules.order &&
		"$CACHE/busybox" depmod -b "$1/usr" "$version"
}

# Builds the base from the cache, the host's tools and init, again when one of these has changed.
get_base()
{
	local root=$CACHE/base tool path stamp needed=1
	stamp=$(cat "$GUEST/image.sh" "$GUEST/init"; stat -c '%n %i %Y' "$CACHE/kernel"
		for tool in $GUEST_TOOLS; do
			path=$(command -v "$tool") && stat -Lc '%n %s %Y' "$path"
		done)
	[ -e "$root.cpio" ] && [ "$stamp" = "$(cat "$root.stamp" 2>/dev/null)" ] && return
	rm -rf "$root" "$root.cpio" && mkdir -p "$root"/usr/{bin,sbin,lib,lib64} || exit
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/" || exit
	mkdir -p "$root"/{dev,etc,out,proc,root,run,sys,test,tmp} || exit
	mkdir "$root/etc/modprobe.d" && printf 'options %s\n' "dummy numdummies=0" "ifb numifbs=0" \
		"bonding max_bonds=0" > "$root/etc/modprobe.d/none-by-themselves.conf" || exit
	copy_in "$GUEST/init" /init "$root" && copy_in "$CACHE/busybox" /usr/bin/busybox "$root" || exit
	ln -s ../bin/busybox "$root/usr/sbin/modprobe"
	for tool in $("$CACHE/busybox" --list); do
		ln -s busybox "$root/usr/bin/$tool" 2>/dev/null
	done
	for tool in $GUEST_TOOLS; do
		if [ "$tool" = '|' ]; then
			needed=
		elif path=$(command -v "$tool"); then
			rm -f "$root/usr/bin/$tool"
			copy_in "$path" "/usr/bin/$tool" "$root" || exit
		elif [ "$needed" ]; then
			skip "needs the program $tool"
		fi
	done
	(copy_modules "$root") && pack "$root" "$root.cpio" && echo "$stamp" > "$root.stamp"
}

# Fills $CACHE with all that `run` needs; only one process at a time does it.
get_image()
{
	mkdir -p "$CACHE" && CACHE=$(cd "$CACHE" && pwd) || exit
	(flock 9 && get_kernel && get_base) 9> "$CACHE/lock" || exit
}

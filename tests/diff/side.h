/* SPDX-License-Identifier: MIT */
/*
 * side: one switch under comparison in a network namespace of its own.
 *
 * A side has ports p1..p6, their far ends (the "hosts") h1..h6, and br0 as the host port; all sides
 * have the same names and addresses. A side is a kernel bridge, or uswitch on the p ends of veth
 * pairs, or uswitch on TAPs (p is h then), or a kernel bridge that uswitch programs. The surprising
 * rule: sending is complete when side_send() returns: every frame has been forwarded or dropped,
 * whatever the kind, so commands and frames never race. Opened once by diff.c, started and stopped
 * for each program by run.c.
 */
#ifndef TESTS_DIFF_SIDE_H
#define TESTS_DIFF_SIDE_H

#include "tests/diff/netlink.h"
#include "tests/diff/program.h"

enum side_kind { SIDE_KERNEL, SIDE_PACKET, SIDE_TAP, SIDE_BACKEND };

/* One frame as a host received it, tag restored. */
struct got {
	uint8_t port; /* 0 = br0 */
	uint32_t len;
	size_t at; /* in side.bytes */
};

#define GOT_MAX 4096u
#define GOT_BYTES (8u << 20)

struct side {
	enum side_kind kind;
	const char *name;   /* "kernel", "uswitch", "tap" */
	const char *ignore; /* self-test: commands that contain this are not executed */
	int ns;
	struct nl nl;
	int rx, tx;
	bool small; /* the kernel gives us no big buffers: send a few frames at a time */
	int arrival[PORTS + 1];                     /* counts frames that reached a port */
	int index_p[PORTS + 1], index_h[PORTS + 1]; /* [0]: br0 both times */
	int index_mark[2];
	uint32_t mark;
	bool attached[PORTS + 1];
	uint64_t counted[PORTS +
			 1]; /* frames that uswitch's counter of the port must have reached */

	const struct program *program;
	const char *uswitch; /* the program's path */
	int pid, control;
	char socket[108], log[108];
	char *line; /* the last answer */
	size_t line_room;

	unsigned n_got;
	struct got got[GOT_MAX];
	uint8_t *bytes;
	size_t used;
};

/* An FDB entry as both sides show it. */
struct entry {
	uint64_t mac;
	uint16_t vid;
	uint8_t port;  /* 0 = br0 */
	uint8_t flags; /* enum fdb_kind | WITH_* */
};

/* A VLAN of a port. */
struct vlan_entry {
	uint8_t port; /* 0 = br0 */
	uint16_t vid;
	uint8_t flags; /* VLAN_* */
	uint8_t state; /* kernel's numbers */
};

#define SETTINGS_MAX 32u
#define SETTING_NONE UINT64_MAX

/* What both sides say of a port. */
struct port_state {
	bool attached;
	int state; /* kernel's numbers, -1 = not known */
	uint32_t mtu;
	uint64_t setting[SETTINGS_MAX]; /* by row; SETTING_NONE = this kernel does not have it */
};

/* Makes the namespace and its interfaces. Returns 0 or -errno, having said why. */
int side_open(struct side *s, enum side_kind kind, const char *uswitch);
void side_close(struct side *s);

/* Brings up a switch for @p; side_stop() ends it. Returns 0 or -errno, having said why. */
int side_start(struct side *s, const struct program *p);
void side_stop(struct side *s);

/* Executes @c. Returns the switch's answer, 0 or -errno. */
int side_command(struct side *s, const struct command *c);

/*
 * Sends @n frames in order, waits until the switch has dealt with them, and collects what the hosts
 * got in s->got. @want (NULL = unknown) is how many frames each port is expected to get: waits for
 * them a while.
 */
int side_send(struct side *s, const struct frame *const *frames, unsigned n, const unsigned *want);

/*
 * Reads the table, sorted, without what cannot be compared (known.h). Returns the number, or
 * -errno.
 */
int side_fdb(struct side *s, struct entry *entries, unsigned max);

/* Reads which ports are in which VLANs, sorted. Returns the number, or -errno. */
int side_vlans(struct side *s, struct vlan_entry *entries, unsigned max);

/* Reads the state of the ports. Returns 0 or -errno. */
int side_ports(struct side *s, struct port_state ports[PORTS + 1]);

/* Each kind's part of the above: kernel.c and uswitch.c. */
int kernel_start(struct side *s);
void kernel_stop(struct side *s);
int kernel_command(struct side *s, const struct command *c);
int kernel_fdb(struct side *s, struct entry *entries, unsigned max);
int kernel_vlans(struct side *s, struct vlan_entry *entries, unsigned max);
int kernel_ports(struct side *s, struct port_state ports[PORTS + 1]);
int uswitch_start(struct side *s);
void uswitch_stop(struct side *s);
int uswitch_command(struct side *s, const struct command *c);
/* Says @text to the control socket as it stands. Returns the answer, 0 or -errno. */
int uswitch_words(struct side *s, const char *text);
int uswitch_wait(struct side *s, const uint64_t arrived[PORTS + 1]);
int uswitch_fdb(struct side *s, struct entry *entries, unsigned max);
int uswitch_vlans(struct side *s, struct vlan_entry *entries, unsigned max);
int uswitch_ports(struct side *s, struct port_state ports[PORTS + 1]);

/* The sockets and the wire, wire.c. */
int wire_open(struct side *s);
void wire_close(struct side *s);
int wire_bind(struct side *s); /* after the interfaces of a program exist */
void wire_unbind(struct side *s);
int wire_send(struct side *s, const struct frame *const *frames, unsigned n,
	      uint64_t arrived[PORTS + 1]);
int wire_collect(struct side *s, const unsigned *want);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * program: one random program of commands and frames, as plain data.
 *
 * A program is a list of units; a unit is a command or a frame. Frames with the same batch number
 * are sent together. The surprising rule: a program depends on nothing but its seed and `struct
 * limits`, never on what a switch answered, so the same seed gives the same program on every side,
 * and any subset of its units is a program too; that is what makes shrinking and replaying trivial.
 * Made by program_make(), run by run.c.
 *
 * To add a kind of command: a value of `enum op`, its words in command_print(), its netlink message
 * in kernel.c, and a case in the generator. uswitch needs nothing: it is given the words.
 */
#ifndef TESTS_DIFF_PROGRAM_H
#define TESTS_DIFF_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS 6u  /* most ports of a program; port 0 is the host's br0 */
#define BATCH 24u /* most frames sent together */
#define FRAME_ROOM 9300u
#define AGEING_MS 640u /* the short ageing time of the ageing episodes */

#define HOST_MAC 0x0200000000f0ull /* of br0; port N has PORT_MAC + N unless a command changes it */
#define PORT_MAC 0x020000000100ull

enum op {
	OP_BRIDGE_SET, /* attr, value */
	OP_PORT_SET,   /* port, attr, value (BACKUP_PORT: a port number or 0) */
	OP_FDB_ADD,    /* port, mac, flags, mode, vid (0 = none given) */
	OP_FDB_DEL,    /* port, mac, vid */
	OP_FDB_FLUSH,  /* port, 0 = all; vid */
	OP_VLAN_ADD,   /* port (0 = br0), vid, vid_last, flags */
	OP_VLAN_DEL,   /* port, vid, vid_last */
	OP_VLAN_SET,   /* port, vid, value: its state */
	OP_PORT_ADD,   /* port; from here to OP_PROMISC outside of uswitch, but for add and del */
	OP_PORT_DEL,   /* port */
	OP_CARRIER,    /* port, value: the far end is taken down or up */
	OP_ADMIN,      /* port, value: the port's own interface is taken down or up */
	OP_MAC,        /* port (0 = br0), mac */
	OP_MTU,        /* port, value */
	OP_PROMISC,    /* value: br0 promiscuous */
	OP_WAIT,       /* value: ms */
};

enum fdb_kind { KIND_DYNAMIC, KIND_STATIC, KIND_LOCAL };
enum { WITH_STICKY = 4, WITH_EXT_LEARN = 8, WITH_LOCKED = 16 }; /* beside enum fdb_kind in flags */
enum { VLAN_PVID = 1, VLAN_UNTAGGED = 2 };                      /* flags of OP_VLAN_ADD */
enum mode { MODE_ADD, MODE_APPEND, MODE_REPLACE };

struct command {
	enum op op;
	enum mode mode;
	uint8_t port;
	uint8_t flags;
	uint16_t vid, vid_last;
	unsigned attr; /* row of settings[] */
	uint64_t value;
	uint64_t mac;
};

struct vtag {
	uint16_t tpid, tci;
};

struct frame {
	uint8_t port; /* host hN sends it; 0 = from br0 */
	uint8_t n_tags;
	struct vtag tag[3];
	uint64_t dst, src;
	uint16_t type;
	uint16_t payload; /* bytes after the type */
	uint32_t serial;  /* in the payload where it fits, else in the type */
};

struct unit {
	bool is_frame;
	unsigned batch;
	union {
		struct command command;
		struct frame frame;
	};
};

/* What all sides of a run can do. */
struct limits {
	unsigned n_frames;
	bool taps;      /* a side has TAPs as hosts: the stations have the ports' addresses */
	bool host_port; /* sides may have a host port */
	bool vlans;     /* VLAN filtering, of the bridge with vlan_default_pvid 1 */
	bool ageing;
	unsigned kernel; /* version * 1000 + patch level: 6018 */
};

struct program {
	uint64_t seed;
	unsigned n_ports;
	bool host; /* with br0 as a port */
	bool taps; /* hosts' ends have the ports' MTU, for they may be the same */
	bool vlans;
	uint16_t mtu[PORTS + 1];     /* of the ports, at the start */
	uint16_t far_mtu[PORTS + 1]; /* of the hosts' ends */
	unsigned n_units, n_frames;
	struct unit *unit;
};

/* A setting that programs change: its keyword, netlink attribute and the values worth trying. */
struct setting {
	const char *name;
	int bridge;      /* 1: of the bridge, 0: of a port */
	uint16_t attr;   /* IFLA_BR_* or IFLA_BRPORT_* */
	uint8_t size;    /* bytes of the netlink value; 0 = bit attr of IFLA_BR_MULTI_BOOLOPT */
	uint16_t kernel; /* first version that has it, 6007 = 6.7; 0 = all */
	uint8_t n_values;
	uint64_t value[8];
};
extern const struct setting settings[];
extern const unsigned n_settings, n_vlan_settings; /* the latter come last */

/* Row of the setting called @name of a port (@bridge 0) or of the bridge (1). */
unsigned setting_find(const char *name, int bridge);

/* Makes the program of @seed. Free with program_free(). Returns 0 or -ENOMEM. */
int program_make(struct program *p, uint64_t seed, const struct limits *limits);
void program_free(struct program *p);

/* The words of @c as uswitchctl and (nearly) iproute2 know them, into @text; returns @text. */
char *command_print(const struct command *c, char *text, size_t size);

/* One line about @f for people. */
char *frame_print(const struct frame *f, char *text, size_t size);

/* Writes the bytes of @f to @bytes (FRAME_ROOM of them); returns how many. */
size_t frame_bytes(const struct frame *f, uint8_t *bytes);
size_t frame_len(const struct frame *f);

/* Returns the serial number that received @bytes carry, or -1. */
int64_t frame_serial(const uint8_t *bytes, size_t len);

#endif

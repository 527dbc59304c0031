/* SPDX-License-Identifier: MIT */
#include "ports/bpf.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/netns.h"

/* Since Linux 6.6, after the headers we build with. */
#define ATTACH_TCX_INGRESS 46u  /* BPF_TCX_INGRESS */
#define ATTACH_BEFORE (1u << 3) /* BPF_F_BEFORE: with nothing named, before all */

static struct bpf_insn *add(struct bpf_code *c, int code, int dst, int src, size_t off, int32_t imm)
{
	struct bpf_insn *i = &c->insn[c->n < BPF_CODE_MAX ? c->n++ : BPF_CODE_MAX - 1];

	*i = (struct bpf_insn){ .code = (uint8_t)code,
				.dst_reg = (uint8_t)(dst & 15),
				.src_reg = (uint8_t)(src & 15),
				.off = (int16_t)off,
				.imm = imm };
	return i;
}

void bpf_mov(struct bpf_code *c, int dst, int src)
{
	add(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void bpf_mov_imm(struct bpf_code *c, int dst, int32_t imm)
{
	add(c, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

void bpf_mov_imm64(struct bpf_code *c, int dst, uint64_t imm)
{
	add(c, BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, (int32_t)(uint32_t)imm);
	add(c, 0, 0, 0, 0, (int32_t)(uint32_t)(imm >> 32));
}

void bpf_mov_map(struct bpf_code *c, int dst, int map)
{
	add(c, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_VALUE, 0, map);
	add(c, 0, 0, 0, 0, 0);
}

void bpf_alu(struct bpf_code *c, int op, int dst, int src)
{
	add(c, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

void bpf_alu_imm(struct bpf_code *c, int op, int dst, int32_t imm)
{
	add(c, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

void bpf_load(struct bpf_code *c, int size, int dst, int src, size_t off)
{
	add(c, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

void bpf_store(struct bpf_code *c, int size, int dst, size_t off, int src)
{
	add(c, BPF_STX | BPF_MEM | size, dst, src, off, 0);
}

void bpf_count(struct bpf_code *c, int dst, size_t off, int src)
{
	add(c, BPF_STX | BPF_ATOMIC | BPF_DW, dst, src, off, BPF_ADD);
}

static void jump(struct bpf_code *c, int code, int dst, int src, int32_t imm, unsigned label)
{
	struct bpf_insn *i = add(c, BPF_JMP | code, dst, src, 0, imm);

	c->to[i - c->insn] = (uint8_t)(label + 1);
}

void bpf_jump(struct bpf_code *c, int op, int dst, int src, unsigned label)
{
	jump(c, op | BPF_X, dst, src, 0, label);
}

void bpf_jump_imm(struct bpf_code *c, int op, int dst, int32_t imm, unsigned label)
{
	jump(c, op | BPF_K, dst, 0, imm, label);
}

void bpf_goto(struct bpf_code *c, unsigned label)
{
	jump(c, BPF_JA, 0, 0, 0, label);
}

void bpf_label(struct bpf_code *c, unsigned label)
{
	c->label[label] = c->n;
}

void bpf_call(struct bpf_code *c, int func)
{
	add(c, BPF_JMP | BPF_CALL, 0, 0, 0, func);
}

void bpf_exit(struct bpf_code *c)
{
	add(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void bpf_finish(struct bpf_code *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->to[i])
			c->insn[i].off = (int16_t)(c->label[c->to[i] - 1] - i - 1);
}

/* bpf(2), for which the C library has no function. Returns its result or -errno. */
static int call(int cmd, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : (int)ret;
}

int bpf_array(size_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = (uint32_t)size;
	attr.max_entries = 1;
	attr.map_flags = BPF_F_MMAPABLE;
	return call(BPF_MAP_CREATE, &attr);
}

int bpf_program(uint32_t type, const struct bpf_code *c)
{
	static const char license[] = "Dual MIT/GPL";
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uint64_t)(uintptr_t)c->insn;
	attr.insn_cnt = c->n;
	attr.license = (uint64_t)(uintptr_t)license;
	return call(BPF_PROG_LOAD, &attr);
}

/* Returns whether a program runs on what @ifindex, of our namespace, receives. */
static bool watched(int ifindex)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)ifindex;
	attr.query.attach_type = ATTACH_TCX_INGRESS;
	return !call(BPF_PROG_QUERY, &attr) && attr.query.prog_cnt;
}

int bpf_ingress(int ns, int prog, int ifindex)
{
	union bpf_attr attr;
	int back, ret = netns_enter(ns, &back);

	if (ret)
		return ret;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_ifindex = (uint32_t)ifindex;
	attr.link_create.attach_type = ATTACH_TCX_INGRESS;
	attr.link_create.flags = ATTACH_BEFORE;
	ret = watched(ifindex) ? -EBUSY : call(BPF_LINK_CREATE, &attr);
	netns_leave(back);
	return ret;
}

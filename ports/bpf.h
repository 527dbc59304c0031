/* SPDX-License-Identifier: MIT */
/*
 * bpf: small programs for the kernel: put together here, one instruction a call, and loaded.
 *
 * An assembler with labels and four system calls, so that a program of fifty instructions needs
 * neither a compiler for it nor a library. The surprising rule: nothing here stays behind;
 * programs, maps and attachments live as long as their descriptors, also after kill -9. Used by
 * fastpath.c; the assembler is pure.
 */
#ifndef PORTS_BPF_H
#define PORTS_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_CODE_MAX 96u
#define BPF_LABEL_MAX 8u

/* A program under construction; all zero at first. */
struct bpf_code {
	unsigned n;
	struct bpf_insn insn[BPF_CODE_MAX];
	uint8_t to[BPF_CODE_MAX];      /* label that a jump is for, plus one */
	unsigned label[BPF_LABEL_MAX]; /* where each is */
};

/* Registers. R0 has results, R1 to R5 arguments, calls spoil both; R10 is the stack's upper end. */
enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

/* @dst = @src, and @dst = @imm (sign extended). */
void bpf_mov(struct bpf_code *c, int dst, int src);
void bpf_mov_imm(struct bpf_code *c, int dst, int32_t imm);
/* @dst = @imm, all 64 bits of it. */
void bpf_mov_imm64(struct bpf_code *c, int dst, uint64_t imm);
/* @dst = address of the one value of the array @map, a descriptor. */
void bpf_mov_map(struct bpf_code *c, int dst, int map);
/* @dst @op= @src; @op is BPF_ADD, BPF_OR, BPF_MUL, ..., on 64 bits. */
void bpf_alu(struct bpf_code *c, int op, int dst, int src);
void bpf_alu_imm(struct bpf_code *c, int op, int dst, int32_t imm);
/* @dst = what is at @src + @off, and the other way; @size is BPF_W (4 bytes) or BPF_DW (8). */
void bpf_load(struct bpf_code *c, int size, int dst, int src, size_t off);
void bpf_store(struct bpf_code *c, int size, int dst, size_t off, int src);
/* Adds @src to the 8 bytes at @dst + @off, atomically. */
void bpf_count(struct bpf_code *c, int dst, size_t off, int src);
/* Goes to @label if @dst @op @src; @op is BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JSET. */
void bpf_jump(struct bpf_code *c, int op, int dst, int src, unsigned label);
void bpf_jump_imm(struct bpf_code *c, int op, int dst, int32_t imm, unsigned label);
/* Goes to @label. */
void bpf_goto(struct bpf_code *c, unsigned label);
/* The next instruction is where jumps to @label (0..BPF_LABEL_MAX-1) go. */
void bpf_label(struct bpf_code *c, unsigned label);
/* Calls the kernel's helper @func, enum bpf_func_id. */
void bpf_call(struct bpf_code *c, int func);
/* Ends the program with result R0. */
void bpf_exit(struct bpf_code *c);
/* Fills in where jumps go: the last step. */
void bpf_finish(struct bpf_code *c);

/*
 * Returns a descriptor of an array of one value, @size zeroed bytes that can be mapped; or -errno.
 */
int bpf_array(size_t size);

/*
 * Loads @c as a program of type BPF_PROG_TYPE_... @type. Returns a descriptor, or -errno: -EPERM
 * (CAP_BPF, and CAP_NET_ADMIN for BPF_PROG_TYPE_SCHED_CLS, in the first user namespace), -ENOSYS,
 * -EACCES (the kernel does not believe it to be safe).
 */
int bpf_program(uint32_t type, const struct bpf_code *c);

/*
 * Has @prog (BPF_PROG_TYPE_SCHED_CLS) run on what interface @ifindex of namespace @ns (-1 = here)
 * receives, before all others of its kind, until the descriptor that it returns is closed. Or
 * -errno: -EBUSY (there is such a program), -EINVAL before Linux 6.6.
 */
int bpf_ingress(int ns, int prog, int ifindex);

#endif

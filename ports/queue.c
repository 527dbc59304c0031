/* SPDX-License-Identifier: MIT */
#include "ports/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	b->arena = malloc(BATCH_ARENA);
	return b->arena ? 0 : -ENOMEM;
}

void batch_fini(struct batch *b)
{
	free(b->arena);
	b->arena = NULL;
	b->n = 0;
}

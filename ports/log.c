/* SPDX-License-Identifier: MIT */
#include "ports/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024 /* below PIPE_BUF, so a line is written whole or not at all */
#define RATE_MS 1000u

static struct {
	enum log_level level;
	bool known;    /* `journal` was looked up */
	bool journal;  /* standard error is systemd's journal */
	unsigned lost; /* lines not written because the reader is behind */
} logger = { .level = LOG_LEVEL_NOTICE };

void log_set_level(enum log_level level)
{
	logger.level = level;
}

/* JOURNAL_STREAM is "device:inode" of the journal's socket; it stays in the environment when we are
 * redirected. */
static bool to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_NOTICE:
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

/* Writes one line unless that would block: standard error may be a pipe that nobody reads. */
static bool put_line(enum log_level level, const char *text)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[LINE_MAX_LEN + 32];
	int len;

	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return false;
	if (logger.journal)
		len = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		len = snprintf(line, sizeof(line), "uswitch: %s%s\n", level_word(level), text);
	return write(STDERR_FILENO, line, (size_t)len) == len;
}

static void log_text(enum log_level level, const char *text)
{
	char lost[64];

	if (!logger.known) {
		logger.journal = to_journal();
		logger.known = true;
	}
	if (logger.lost) {
		snprintf(lost, sizeof(lost), "%u lines of this log were lost", logger.lost);
		if (put_line(LOG_LEVEL_WARNING, lost))
			logger.lost = 0;
	}
	if (!put_line(level, text))
		logger.lost++;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_LEN];
	int saved = errno;
	va_list ap;

	if (level > logger.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_text(level, text);
	errno = saved;
}

void log_rated(struct log_rate *rate, uint64_t now, enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_LEN];
	int saved = errno, len;
	va_list ap;

	if (level > logger.level)
		return;
	if (now < rate->next_ms) {
		rate->suppressed++;
		return;
	}
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (rate->suppressed && len >= 0 && (size_t)len < sizeof(text))
		snprintf(text + len, sizeof(text) - (size_t)len, " (%u similar)", rate->suppressed);
	log_text(level, text);
	rate->next_ms = now + RATE_MS;
	rate->suppressed = 0;
	errno = saved;
}

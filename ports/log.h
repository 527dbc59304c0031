/* SPDX-License-Identifier: MIT */
/*
 * log: one line a message on standard error.
 *
 * Levels are syslog's. On a terminal or a file a line is "uswitch: warning: text" (no word for info
 * and notice); when JOURNAL_STREAM is set it carries the "<N>" prefix that systemd reads instead.
 * Writing never blocks the frame path: nothing here may be called per frame. Call sites that a peer
 * can trigger use log_rated().
 */
#ifndef PORTS_LOG_H
#define PORTS_LOG_H

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/*
 * Messages above @level are not written; the start value is LOG_LEVEL_NOTICE (-v: INFO, -v -v:
 * DEBUG).
 */
void log_set_level(enum log_level level);

/* Writes one line; no newline in @fmt. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * State of one rate-limited call site: at most one line a second, then "(N similar)". Zero at
 * first.
 */
struct log_rate {
	uint64_t next_ms;
	uint32_t suppressed;
};

/* As log_at(), at most once a second of the clock @now (ms) for @rate. */
void log_rated(struct log_rate *rate, uint64_t now, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif

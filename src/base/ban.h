/* SPDX-License-Identifier: ISC
 *
 * Words that are not spoken here, each with what to say instead.  Included
 * last by base.h; what the compiler cannot catch, tools/tidy does.
 */
#ifndef BASE_BAN_H
#define BASE_BAN_H

/* What the banned names live in comes first, so that the macros below do not
 * meet libc's own declarations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(name, instead) name##_is_banned_use_##instead

#undef strcpy
#define strcpy(to, from) BANNED(strcpy, arena_str)
#undef strcat
#define strcat(to, from) BANNED(strcat, buf_add)
#undef strncpy
#define strncpy(to, from, n) BANNED(strncpy, arena_str)
#undef strncat
#define strncat(to, from, n) BANNED(strncat, buf_add)
#undef sprintf
#define sprintf(...) BANNED(sprintf, arena_fmt)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, arena_vfmt)
#undef strtok
#define strtok(s, by) BANNED(strtok, str_token)
#undef atoi
#define atoi(s) BANNED(atoi, str_uint)
#undef atol
#define atol(s) BANNED(atol, str_uint)
#undef strtol
#define strtol(s, e, b) BANNED(strtol, str_int)
#undef strtoul
#define strtoul(s, e, b) BANNED(strtoul, str_uint)
#undef gmtime
#define gmtime(t) BANNED(gmtime, date)
#undef localtime
#define localtime(t) BANNED(localtime, date)
#undef system
#define system(command) BANNED(system, process)

#endif

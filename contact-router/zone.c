/* SPDX-License-Identifier: MIT */
/* Version 2 data (64-bit transitions); behind the last transition the footer's rule (a POSIX TZ
 * string with M rules, as the zone files of today have) decides. Every offset is checked. */
#include "contact-router/zone.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { ZONE_FILE_MAX = 64 * 1024, HEADER = 44 };

struct counts { size_t isutc, isstd, leap, times, types, chars; };

static int64_t big(const unsigned char *p, int bytes)
{
    uint64_t v = p[0] & 0x80 ? ~(uint64_t)0 : 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static bool read_header(const unsigned char *p, size_t len, struct counts *c)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t *out[] = { &c->isutc, &c->isstd, &c->leap, &c->times, &c->types, &c->chars };
    for (int i = 0; i < 6; i++) {
        int64_t v = big(p + 20 + 4 * i, 4);
        if (v < 0 || v > ZONE_FILE_MAX)
            return false;
        *out[i] = (size_t)v;
    }
    return c->types > 0;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return c->times * (time_size + 1) + c->types * 6 + c->chars + c->leap * (time_size + 4) + c->isstd + c->isutc;
}

/* -- the footer: STDoffset[DST[offset],Mm.w.d[/time],Mm.w.d[/time]] -- */

static const char *skip_name(const char *at)
{
    if (*at == '<') {
        at += strcspn(at, ">");
        return *at ? at + 1 : NULL;
    }
    size_t n = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return n >= 3 ? at + n : NULL;
}

/* [+-]h[h][:mm[:ss]] */
static const char *read_time(const char *at, int *seconds)
{
    int sign = 1, part[3] = { 0 }, n = 0;
    if (*at == '+' || *at == '-')
        sign = *at++ == '-' ? -1 : 1;
    for (; n < 3; n++) {
        int digits = 0;
        for (; *at >= '0' && *at <= '9' && digits < 3; at++, digits++)
            part[n] = part[n] * 10 + (*at - '0');
        if (!digits)
            return NULL;
        if (*at != ':')
            break;
        at++;
    }
    *seconds = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return at;
}

struct rule { int month, week, day, at_s; };

static const char *read_rule(const char *at, struct rule *r)
{
    int *const out[] = { &r->month, &r->week, &r->day };
    if (*at++ != ',' || *at++ != 'M')
        return NULL;
    for (int i = 0; i < 3; i++) {
        *out[i] = 0;
        if (*at < '0' || *at > '9')
            return NULL;
        for (int d = 0; *at >= '0' && *at <= '9' && d < 2; at++, d++)
            *out[i] = *out[i] * 10 + (*at - '0');
        if (i < 2 && *at++ != '.')
            return NULL;
    }
    r->at_s = 7200;
    if (*at == '/')
        at = read_time(at + 1, &r->at_s);
    return r->month >= 1 && r->month <= 12 && r->week >= 1 && r->week <= 5 && r->day <= 6 ? at : NULL;
}

/* Days since 1970 of a civil date. */
static int64_t days_from(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t year_of(int64_t unix_s)
{
    int64_t days = unix_s / 86400, y = 1970 + days / 366;
    while (days_from(y + 1, 1, 1) <= days)
        y++;
    return y;
}

/* Local seconds since 1970 at which the rule holds in that year. */
static int64_t rule_in(const struct rule *r, int64_t year)
{
    int64_t first = days_from(year, r->month, 1);
    int64_t next = r->month == 12 ? days_from(year + 1, 1, 1) : days_from(year, r->month + 1, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7, day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
    while (day >= next)
        day -= 7;
    return day * 86400 + r->at_s;
}

static bool footer_offset(const char *tz, int64_t now, int *offset_s)
{
    int std = 0, dst;
    const char *at = skip_name(tz);
    if (!at || !(at = read_time(at, &std)))
        return false;
    *offset_s = -std;
    if (!*at)
        return true;
    if (!(at = skip_name(at)))
        return false;
    dst = std - 3600;
    if (*at && *at != ',' && !(at = read_time(at, &dst)))
        return false;
    struct rule begin, end;
    if (!(at = read_rule(at, &begin)) || !(at = read_rule(at, &end)) || *at || now < 0)
        return false;
    int64_t year = year_of(now - std), from = rule_in(&begin, year) + std, to = rule_in(&end, year) + dst;
    bool summer = from < to ? now >= from && now < to : now >= from || now < to;
    if (summer)
        *offset_s = -dst;
    return true;
}

bool zone_read(const unsigned char *data, size_t len, int64_t unix_s, int *offset_s)
{
    struct counts c;
    *offset_s = 0;
    if (!read_header(data, len, &c) || data[4] < '2')
        return false;
    size_t at = HEADER + block_size(&c, 4);
    if (at > len || !read_header(data + at, len - at, &c))
        return false;
    at += HEADER;
    size_t size = block_size(&c, 8);
    if (size > len - at)
        return false;
    const unsigned char *times = data + at, *types = times + c.times * 8, *infos = types + c.times;
    size_t i = 0;
    while (i < c.times && big(times + 8 * i, 8) <= unix_s)
        i++;
    if (i == c.times) {
        char tz[80];
        size_t n = len - at - size;
        const unsigned char *foot = data + at + size, *nl = n > 1 ? memchr(foot + 1, '\n', n - 1) : NULL;
        if (nl && *foot == '\n' && (size_t)(nl - foot) < sizeof tz) {
            memcpy(tz, foot + 1, (size_t)(nl - foot - 1));
            tz[nl - foot - 1] = 0;
            if (footer_offset(tz, unix_s, offset_s))
                return true;
        }
    }
    size_t type = i ? types[i - 1] : 0;
    if (type >= c.types)
        return false;
    *offset_s = (int)big(infos + 6 * type, 4);
    return true;
}

unsigned char *zone_load(const char *dir, const char *name, size_t *len)
{
    char path[256];
    *len = 0;
    if (!*name || *name == '/' || strstr(name, ".."))
        return NULL;
    snprintf(path, sizeof path, "%s/%s", dir ? dir : "/usr/share/zoneinfo", name);
    FILE *in = fopen(path, "re");
    if (!in)
        return NULL;
    unsigned char *room = mem_alloc(ZONE_FILE_MAX);
    *len = fread(room, 1, ZONE_FILE_MAX, in);
    fclose(in);
    char *data = mem_dup_n((const char *)room, *len);
    mem_free(room);
    return (unsigned char *)data;
}

bool zone_offset(const char *dir, const char *name, int64_t unix_s, int *offset_s)
{
    size_t len;
    *offset_s = 0;
    if (text_eq(name, ZONE_UTC))
        return true;
    unsigned char *data = zone_load(dir, name, &len);
    bool ok = data && zone_read(data, len, unix_s, offset_s);
    mem_free(data);
    return ok;
}

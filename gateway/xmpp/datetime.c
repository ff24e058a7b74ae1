/* SPDX-License-Identifier: MIT */
/* Proleptic Gregorian calendar by Hinnant's days_from_civil, free of the time zone of the process.
 */
#include "gateway/xmpp/datetime.h"

#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

struct civil {
    int year, month, day;
};

static int64_t days_of(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static struct civil civil_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {.year = (int)(yoe + era * 400),
                      .month = (int)(mp < 10 ? mp + 3 : mp - 9),
                      .day = (int)(doy - (153 * mp + 2) / 5 + 1)};
    c.year += c.month <= 2;
    return c;
}

void datetime_write(char out[DATETIME_MAX], int64_t unix_us)
{
    const int64_t first = days_of((struct civil){1, 1, 1}) * DAY_US;
    const int64_t last = days_of((struct civil){10000, 1, 1}) * DAY_US - 1;
    int64_t us = unix_us < first ? first : unix_us > last ? last : unix_us;
    int64_t days = us / DAY_US - (us % DAY_US < 0);
    int64_t rest = us - days * DAY_US;
    struct civil c = civil_of(days);
    int s = (int)(rest / SECOND_US), fraction = (int)(rest % SECOND_US);
    int n = snprintf(out, DATETIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.month, c.day,
                     s / 3600, s / 60 % 60, s % 60);
    if (fraction % 1000)
        n += snprintf(out + n, (size_t)(DATETIME_MAX - n), ".%06d", fraction);
    else if (fraction)
        n += snprintf(out + n, (size_t)(DATETIME_MAX - n), ".%03d", fraction / 1000);
    snprintf(out + n, (size_t)(DATETIME_MAX - n), "Z");
}

void datetime_write_second(char out[DATETIME_MAX], int64_t unix_us)
{
    datetime_write(out, unix_us / SECOND_US * SECOND_US);
}

/* Exactly `digits` digits, and `after` (0: nothing asked) behind them. */
static bool number(const char **at, int digits, char after, int *out)
{
    *out = 0;
    for (; digits > 0; digits--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    if (after && **at != after)
        return false;
    *at += after != 0;
    return true;
}

static bool fraction(const char **at, int64_t *us)
{
    int64_t unit = SECOND_US / 10;
    *us = 0;
    if (**at != '.')
        return true;
    ++*at;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *us += (**at - '0') * unit;
    return true;
}

static bool zone(const char *at, int64_t *offset_s)
{
    int hours, minutes, sign = *at == '-' ? -1 : 1;
    *offset_s = 0;
    if (strcmp(at, "Z") == 0)
        return true;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!number(&at, 2, ':', &hours) || !number(&at, 2, 0, &minutes) || *at || hours > 23 ||
        minutes > 59)
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool datetime_parse(const char *text, int64_t *unix_us)
{
    struct civil c;
    int h, m, s;
    int64_t us, offset_s;
    const char *at = text;
    if (!number(&at, 4, '-', &c.year) || !number(&at, 2, '-', &c.month) ||
        !number(&at, 2, 'T', &c.day) || !number(&at, 2, ':', &h) || !number(&at, 2, ':', &m) ||
        !number(&at, 2, 0, &s) || !fraction(&at, &us) || !zone(at, &offset_s))
        return false;
    if (c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 || h > 23 || m > 59 || s > 60)
        return false;
    struct civil same = civil_of(days_of(c));
    if (same.day != c.day || same.month != c.month) /* 30 February */
        return false;
    if (s == 60)
        s = 59;
    *unix_us = days_of(c) * DAY_US + (h * 3600 + m * 60 + s - offset_s) * SECOND_US + us;
    return true;
}

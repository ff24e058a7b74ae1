/* SPDX-License-Identifier: MIT */
/* What tests of provider profiles are given: a key, and the headers of a webhook. */
#ifndef TEST_PROVIDER_GIVEN_H
#define TEST_PROVIDER_GIVEN_H

#include <strings.h>

/* RSA; made for these tests, and opens nothing. */
#define GIVEN_RSA_PEM \
    "-----BEGIN PRIVATE KEY-----\n" \
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCONy3zcLtA4FLE\n" \
    "6/bod+q5gGba+bPF6rmchoz+josWaPPqvR+oWVXJsZA4MEPoXdx0MNBKX9cIp8Le\n" \
    "PrHDwdrV/TtV2ZVXD95vumGnyywLXmN1hER3AmQfmBa58aNwPaXqSc6jIAzjxXMn\n" \
    "rn4saYTalIWkE0tcQ30320uYKCHfCRP9h+nCYBlu4G2rtpVbimTEbrYSq+aiFgdB\n" \
    "VzcvYALAT8z6yHoQlTEH+ogmiMvEmgZXS02CMIav6cLranszREUwvLSVFKxY79mY\n" \
    "ExxkQ/Rz6ji+cqDJp1vK+pHaJzQzOePXuDTsdCPrfdQbNsB96m1knZ3CxR9jMN/8\n" \
    "z7VFt4K/AgMBAAECggEAClnVzFwuJOCu5YpPJEhmGy5PTizSettEuzHH3Vc+pFjr\n" \
    "N/Cf9z7ZUZ7M4moQ5z69pu9Ombs0CXs8YbSqd5cKeHy/7tWxWu7av8MPDIlrIUCz\n" \
    "eIAyA393Dh2hudLulGLISq8ojRLuHT3nzcGTiWP8uXQJ7hFBcOuwl3osnFx/ap5A\n" \
    "uo0MlZfe6JwE9M2wdvRumYzOFBo17t9WUBghPxp3+kgfNjEqQbvPfOYBwsTWRNd4\n" \
    "TqLeTHd+p8MW4JqKGgSu8tLmDAvXFEsWKlc7e+PTKmxddd8TLZVDfQidhQiAPCXa\n" \
    "D3CKY5NE9A2tRxLiNJf7SqGP5evt4xm0tYX8o4ffYQKBgQDHjanR+GUeHqrnBL4Y\n" \
    "4AFJvZE8l2iG+1vvllRf98AmQ7KhppofeStJoVRxtD3NWkkxNZh0bAqGhDfHcfM1\n" \
    "iJZzrZbGV9gEU3fMjVej0scuQ+8Abn326qAraQQl4/QMN2YP4Qwvi1KdDFqcfrdO\n" \
    "YoZdHNMHomh1nXWGzDry24XbyQKBgQC2cX1SJWhU6hTPtHXlURbQpJNue/+/xH+j\n" \
    "IUX2R2sZvHlz+r+qMAtGJFdft2Lf12J7SNBQzbTp/eA14e/GOiWpm/OK5rqcNQK0\n" \
    "11mWq4ALg59YZMAegwQgRB3/5EX6woEquvXFZmipyuyeSwUeoF89VE3U8lLMYxxI\n" \
    "zvlTdCYeRwKBgQCb2AjeEG13/l9eGBgV+StIWaHJfj2F3VxJWk/+us/3kjs5f5Ey\n" \
    "L0EdOb9nJWp2q6Ipqj+r/IyjzTJ6soVMM6W8Jb9wmz368uzGdUQSjxQ7D5bh8Wiy\n" \
    "oz3/aP5yUPpRaBpvIESSBO658+H4AgZKUyu4IEC236FQ6W3Vnj4TWFnL8QKBgFwU\n" \
    "mZC9SpQY9NoEFcDglWhGuBZ6RRFPpq/52iq7zwVVR+NOei/2QapsKyEnGKMrPQxG\n" \
    "KsWtnRLATMpFN1RQArRA/sFrRGIUq0IEsrXF50FodCMT7pc3vvxeBNojJ2Kxiqm7\n" \
    "ZNH1pvuTbKtT58iWXptAkmvYxgtcNmlU9Se2pop/AoGASpqBTim0bDo6GUjYIHpz\n" \
    "T5hQZKl04/F+xF/f8fDZQeZDbZCy7rzlQWy60cC0W87fht+yVniE5H4CV6Bgqnzu\n" \
    "w5e0QhG4tCMkHM4o841pujUd2xdz2scTmdCNyGK7il+E//2M1qd6GPNMMD5AFdzk\n" \
    "yVs6WC45mAD694vlWaUjvqY=\n" \
    "-----END PRIVATE KEY-----\n"

struct headers { const char *v[8]; }; /* name, value, name, value, ..., NULL */

static inline const char *header(const void *user, const char *name)
{
    const struct headers *h = user;
    for (unsigned i = 0; i < 8 && h->v[i]; i += 2)
        if (strcasecmp(h->v[i], name) == 0)
            return h->v[i + 1];
    return NULL;
}

#endif

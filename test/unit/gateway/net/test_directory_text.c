/* SPDX-License-Identifier: MIT */
/* What a name becomes in a filter and in a DN, how everybody is listed, and what the answers to a bind mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <ldap.h>

#include "gateway/net/directory_text.h"

static void names_are_escaped(void **state)
{
    static const struct {
        const char *proves, *text, *user, *filter, *dn;
    } rows[] = {
        {"a plain name", "uid=%u", "romeo", "uid=romeo", "uid=romeo"},
        {"RFC 4515 3: what a filter is made of", "(uid=%u)", "*)(uid=*", "(uid=\\2a\\29\\28uid=\\2a)", "(uid=*)(uid\\3d*)"},
        {"the escape itself", "%u", "a\\2a", "a\\5c2a", "a\\5c2a"},
        {"RFC 4514 2.4: what a name is made of", "uid=%u,ou=x", "a,b+c=\"d\";<e>", "uid=a,b+c=\"d\";<e>,ou=x",
         "uid=a\\2cb\\2bc\\3d\\22d\\22\\3b\\3ce\\3e,ou=x"},
        {"RFC 4514 2.4: ends and #", "%u", "# a ", "# a ", "\\23\\20a\\20"},
        {"control characters", "%u", "a\x01z\x7f", "a\\01z\\7f", "a\\01z\\7f"},
        {"UTF-8 as it is", "%u", "\xc3\xa6", "\xc3\xa6", "\xc3\xa6"},
        {"the domain, and a percent sign", "%u@%d%%", "a", "a@x.example%", "a@x.example%"},
        {"a name is no template", "%u-%u", "%d", "%d-%d", "%d-%d"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes filter = BYTES_EMPTY, dn = BYTES_EMPTY;
        directory_text_filter(&filter, rows[i].text, rows[i].user, "x.example");
        directory_text_dn(&dn, rows[i].text, rows[i].user, "x.example");
        if (strcmp(bytes_text(&filter), rows[i].filter) != 0 || strcmp(bytes_text(&dn), rows[i].dn) != 0)
            fail_msg("%s: %s and %s", rows[i].proves, bytes_text(&filter), bytes_text(&dn));
        bytes_fini(&filter);
        bytes_fini(&dn);
    }
}

/* Whatever the name, libldap reads back one entry with that name, and a filter of one assertion. */
static void names_stay_names(void **state)
{
    static const char bits[] = "()*\\,+=\"<>;# %ud@a\xc3\xa9\x01";
    unsigned seed = 1;
    (void)state;

    for (unsigned i = 0; i < 5000; i++) {
        struct bytes name = BYTES_EMPTY, dn = BYTES_EMPTY, filter = BYTES_EMPTY;
        for (unsigned k = 0; k < 1 + i % 9; k++) {
            seed = seed * 1103515245u + 12345u;
            char c = bits[(seed >> 16) % (sizeof bits - 1)];
            if (c == '\xc3' || c == '\xa9')
                bytes_append_text(&name, "\xc3\xa9");
            else
                bytes_append_char(&name, c);
        }
        directory_text_dn(&dn, "uid=%u,ou=x", bytes_text(&name), "d");
        directory_text_filter(&filter, "(uid=%u)", bytes_text(&name), "d");
        LDAPDN read = NULL;
        assert_int_equal(ldap_str2dn(bytes_text(&dn), &read, LDAP_DN_FORMAT_LDAPV3), LDAP_SUCCESS);
        assert_true(read[0] && read[1] && !read[2] && read[0][0] && !read[0][1]);
        assert_int_equal(read[0][0]->la_value.bv_len, name.len);
        assert_memory_equal(read[0][0]->la_value.bv_val, name.data, name.len);
        ldap_dnfree(read);
        assert_true(directory_text_is_filter(bytes_text(&filter)));
        assert_null(strchr(bytes_text(&filter) + 1, '('));
        assert_null(strchr(bytes_text(&filter), '*'));
        bytes_fini(&name);
        bytes_fini(&dn);
        bytes_fini(&filter);
    }
}

static void templates_are_judged(void **state)
{
    static const struct {
        const char *text;
        bool is_template, is_filter;
    } rows[] = {
        {"(uid=%u)", true, true},   {"uid=%u", true, false},          {"(uid=romeo)", false, true},  {"(uid=%x)", false, true},
        {"(uid=%", false, false},   {"(&(uid=%u)(a=b))", true, true}, {"(uid=%u", true, false},      {"(uid=%u))", true, false},
        {"(a)(b)", false, false},   {"", false, false},               {"(uid=%u) ", true, false},    {"(a=%%)", false, true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (directory_text_is_template(rows[i].text) != rows[i].is_template || directory_text_is_filter(rows[i].text) != rows[i].is_filter)
            fail_msg("%s", rows[i].text);
}

static void everybody_is_listed(void **state)
{
    static const struct {
        const char *proves, *filter, *listed, *attribute, *value, *name; /* NULL: not */
    } rows[] = {
        {"the usual", "(uid=%u)", "(uid=*)", "uid", "Romeo", "Romeo"},
        {"inside others", "(&(objectClass=person)(uid=%u))", "(&(objectClass=person)(uid=*))", "uid", "a", "a"},
        {"with the domain", "(mail=%u@%d)", "(mail=*@x.example)", "mail", "a@X.example", "a"},
        {"another domain's", "(mail=%u@%d)", "(mail=*@x.example)", "mail", "a@y.example", NULL},
        {"no name before it", "(mail=%u@%d)", "(mail=*@x.example)", "mail", "@x.example", NULL},
        {"the first of two counts", "(|(uid=%u)(mail=%u@%d))", "(|(uid=*)(mail=*@x.example))", "uid", "b", "b"},
        {"an attribute that is the name", "(%u=a)", NULL, NULL, NULL, NULL},
        {"a rule of matching", "(uid:caseExactMatch:=%u)", NULL, NULL, NULL, NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct directory_listed l;
        size_t len = 0;
        bool can = directory_text_listed(&l, rows[i].filter, "x.example");
        if (can != (rows[i].listed != NULL))
            fail_msg("%s", rows[i].proves);
        const char *name = can ? directory_text_name(&l, rows[i].value, strlen(rows[i].value), &len) : NULL;
        if (can && (strcmp(bytes_text(&l.filter), rows[i].listed) != 0 || strcmp(bytes_text(&l.attribute), rows[i].attribute) != 0))
            fail_msg("%s: %s of %s", rows[i].proves, bytes_text(&l.attribute), bytes_text(&l.filter));
        if (can && (!name != !rows[i].name || (name && (len != strlen(rows[i].name) || memcmp(name, rows[i].name, len) != 0))))
            fail_msg("%s: the name is %.*s", rows[i].proves, (int)len, name ? name : "none");
        directory_text_listed_fini(&l);
    }
    struct directory_listed l;
    const char *base = NULL;
    assert_true(directory_text_listed_dn(&l, &base, "uid=%u,ou=people,dc=x", "x.example"));
    assert_string_equal(base, "ou=people,dc=x");
    assert_string_equal(bytes_text(&l.filter), "(uid=*)");
    directory_text_listed_fini(&l);
    assert_false(directory_text_listed_dn(&l, &base, "cn=a,uid=%u", "x.example"));
    directory_text_listed_fini(&l);
}

static void answers_have_a_meaning(void **state)
{
    static const struct {
        const char *proves;
        int code;
        const char *said;
        enum directory_policy policy;
        enum directory_outcome outcome;
    } rows[] = {
        {"right", LDAP_SUCCESS, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_RIGHT},
        {"right, but to be changed first", LDAP_SUCCESS, NULL, DIRECTORY_POLICY_EXPIRED, DIRECTORY_EXPIRED},
        {"wrong", LDAP_INVALID_CREDENTIALS, "", DIRECTORY_POLICY_NONE, DIRECTORY_WRONG},
        {"locked by a policy", LDAP_INVALID_CREDENTIALS, NULL, DIRECTORY_POLICY_LOCKED, DIRECTORY_DISABLED},
        {"expired by a policy", LDAP_INVALID_CREDENTIALS, NULL, DIRECTORY_POLICY_EXPIRED, DIRECTORY_EXPIRED},
        {"Active Directory: disabled", LDAP_INVALID_CREDENTIALS, "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data 533, v1db1",
         DIRECTORY_POLICY_NONE, DIRECTORY_DISABLED},
        {"Active Directory: expired", LDAP_INVALID_CREDENTIALS, "AcceptSecurityContext error, data 532, v1db1", DIRECTORY_POLICY_NONE, DIRECTORY_EXPIRED},
        {"Active Directory: wrong", LDAP_INVALID_CREDENTIALS, "AcceptSecurityContext error, data 52e, v1db1", DIRECTORY_POLICY_NONE, DIRECTORY_WRONG},
        {"389: inactivated", LDAP_UNWILLING_TO_PERFORM, "Account inactivated. Contact system administrator.", DIRECTORY_POLICY_NONE, DIRECTORY_DISABLED},
        {"389: too many guesses", LDAP_CONSTRAINT_VIOLATION, "Exceed password retry limit. Please try later.", DIRECTORY_POLICY_NONE, DIRECTORY_DISABLED},
        {"a plain refusal", LDAP_UNWILLING_TO_PERFORM, "unauthenticated bind (DN with no password) disallowed", DIRECTORY_POLICY_NONE, DIRECTORY_WRONG},
        {"no password there", LDAP_INAPPROPRIATE_AUTH, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_WRONG},
        {"no such entry", LDAP_NO_SUCH_OBJECT, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_WRONG},
        {"away", LDAP_SERVER_DOWN, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_UNAVAILABLE},
        {"no answer in time", LDAP_TIMEOUT, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_UNAVAILABLE},
        {"busy", LDAP_BUSY, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_UNAVAILABLE},
        {"a referral is not chased", LDAP_REFERRAL, NULL, DIRECTORY_POLICY_NONE, DIRECTORY_UNAVAILABLE},
        {"a policy says nothing where nobody was asked", LDAP_BUSY, NULL, DIRECTORY_POLICY_LOCKED, DIRECTORY_UNAVAILABLE},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (directory_text_outcome(rows[i].code, rows[i].said, rows[i].policy) != rows[i].outcome)
            fail_msg("%s", rows[i].proves);
    assert_true(directory_text_is_broken(LDAP_SERVER_DOWN));
    assert_false(directory_text_is_broken(LDAP_INVALID_CREDENTIALS));
}

static void loopback_is_known(void **state)
{
    static const struct {
        const char *url;
        bool is;
    } rows[] = {
        {"ldap://localhost", true},        {"ldap://localhost:389/", true},  {"ldap://127.0.0.5:1", true},
        {"ldap://[::1]:389", true},        {"ldapi:///", true},              {"ldap://127.example", false},
        {"ldap://127.0.0.1.example", false}, {"ldap://ldap.example", false}, {"ldap://localhost.example", false},
        {"ldap://", false},                {"ldap://127.", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (directory_text_is_loopback(rows[i].url) != rows[i].is)
            fail_msg("%s", rows[i].url);
}

static void a_name_is_compared(void **state)
{
    static const struct {
        const char *proves, *filter, *attributes;
    } rows[] = {
        {"the usual", "(uid=%u)", "uid "},
        {"each of two", "(|(uid=%u)(mail=%u@%d))", "uid mail "},
        {"a part of a value tells nothing", "(uid=%u*)", ""},
        {"nor does it beside another", "(|(uid=%u)(cn=*%u))", ""},
        {"nor what an escape stands for", "(cn=\\28%u)", ""},
        {"nor a rule of matching", "(|(uid=%u)(cn~=%u))", ""},
        {"nor more than are wanted", "(|(a=%u)(b=%u)(c=%u))", ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct directory_listed by[2];
        struct bytes all = BYTES_EMPTY;
        unsigned count = directory_text_compared(by, 2, rows[i].filter, "x.example");
        for (unsigned k = 0; k < count; k++) {
            bytes_printf(&all, "%s ", bytes_text(&by[k].attribute));
            directory_text_listed_fini(&by[k]);
        }
        if (strcmp(bytes_text(&all), rows[i].attributes) != 0)
            fail_msg("%s: %s", rows[i].proves, bytes_text(&all));
        bytes_fini(&all);
    }
}

/* libldap may fail and leave no reason: nobody may be let in by that. */
static void a_failure_is_no_success(void **state)
{
    (void)state;
    assert_int_equal(directory_text_failure(LDAP_TIMEOUT), LDAP_TIMEOUT);
    assert_int_equal(directory_text_outcome(directory_text_failure(LDAP_SUCCESS), NULL, DIRECTORY_POLICY_NONE),
                     DIRECTORY_UNAVAILABLE);
    assert_true(directory_text_is_broken(directory_text_failure(LDAP_SUCCESS)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stay_names),       cmocka_unit_test(names_are_escaped),      cmocka_unit_test(templates_are_judged), cmocka_unit_test(everybody_is_listed),
        cmocka_unit_test(a_name_is_compared), cmocka_unit_test(a_failure_is_no_success),
        cmocka_unit_test(answers_have_a_meaning), cmocka_unit_test(loopback_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

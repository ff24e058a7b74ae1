/* SPDX-License-Identifier: MIT */
/* The configuration: what it takes, what it says of mistakes, and that its printed reference is the one in
 * schemas/ and is itself a configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/config_options.h"

#define FILES "certificate = \"/dev/null\" key = \"/dev/null\""

static char *slurp(FILE *f)
{
    struct bytes all = BYTES_EMPTY;
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        bytes_append(&all, part, n);
    fclose(f);
    return bytes_take(&all);
}

static void note(void *user, const char *text)
{
    struct bytes *told = user;
    const char *after_file = strchr(text, ':');
    bytes_append_text(told, after_file ? after_file + 1 : text);
    bytes_append_char(told, '\n');
}

/* Reads `text` as a configuration; what was complained of, without the file's name, freed with mem_free. */
static char *complaints(const char *text, struct config *c)
{
    char name[] = "/tmp/causeway-config-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    struct bytes told = BYTES_EMPTY;
    bytes_append_text(&told, "");
    bool good = config_read(c, name, note, &told);
    unlink(name);
    assert_int_equal(good, told.len == 0);
    return bytes_take(&told);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *proves, *text, *told;
    } rows[] = {
        {"who is federated with", "community \"a.example\" { " FILES " federation = \"listed\" federation_allow = { \"b.example\", \"*.C.example\" } }", ""},
        {"a pattern has its star in front", "community \"a.example\" { " FILES " federation_deny = { \"b.*.example/x\" } }",
         "1: federation_deny: 'b.*.example/x' is not a domain\n"},
        {"nobody is denied by mistake", "community \"a.example\" { " FILES " federation_deny = { \"u@b.example\" } }",
         "1: federation_deny: 'u@b.example' is not a domain\n"},
        {"a block list is a node of a service", "community \"a.example\" { " FILES " federation_block_lists = { \"bl.example/a/b\", \"bl.example\" } }",
         "1: federation_block_lists: 'bl.example' is not SERVICE/NODE\n"},
        {"lists are there", "community \"a.example\" { " FILES " federation_deny_files = { \"/nowhere\" } }",
         "1: federation_deny_files: /nowhere: No such file or directory\n"},
        {"certificates of others", "community \"a.example\" { " FILES " }\nremote \"b.example\" { certificate = \"maybe\" }",
         "2: certificate: 'maybe' is none of community|optional|required\n"},
        {"the smallest", "community \"a.example\" { " FILES " }", ""},
        {"nobody lives here", "", " there is no community: add community \"example.org\" { certificate = ... key = ... }\n"},
        {"a word that is none", "gateway { durability = \"often\" }\ncommunity \"a.example\" { " FILES " }",
         "1: durability: 'often' is none of disk|process\n"},
        {"each mistake in values, not only the first",
         "gateway {\nio_loops = 99\nlog_level = 3\n}\ncommunity \"a.example\" { " FILES " admins = { \"juliet\" } }",
         "2: io_loops: 99 is not between 0 and 64\n3: log_level: '3' is none of error|warn|info|debug\n"
         "5: admins: 'juliet' is not an account like name@domain\n"},
        {"a name of no option, and the next step", "gateway {\ncolour = 1\n}",
         "2: no such option 'colour'; `causeway options` prints all there are\n"},
        {"a brace that is missing, and the next step", "community \"a.example\" {\nadmins = { \"j@a.example\"\nkey = \"/dev/null\" }",
         "3: unexpected token 'key'; is a brace or a quotation mark missing before it?\n"},
        {"given twice", "community \"a.example\" { " FILES "\narchive = true\narchive = false }",
         "3: archive is given twice in this block\n"},
        {"no TLS, no login", "community \"a.example\" { }",
         "1: community \"a.example\": 'certificate' and 'key' are needed: nobody logs in without TLS\n"},
        {"a file that is not there", "community \"a.example\" { certificate = \"/nothing\" key = \"/dev/null\" }",
         "1: certificate: /nothing: No such file or directory\n"},
        {"ports and addresses", "listen { service = \"c2s\" address = \"localhost\" port = 70000 }\ncommunity \"a.example\" { " FILES " }",
         "1: address: 'localhost' is not a numeric address\n1: port: 70000 is not between 0 and 65535\n"},
        {"a WebSocket without TLS for the world",
         "listen { service = \"websocket\" tls = false }\ncommunity \"a.example\" { " FILES " }",
         "1: listen: 'tls = false' is for a reverse proxy on this machine: address = \"127.0.0.1\"\n"},
        {"a path that is none", "listen { service = \"websocket\" path = \"ws?\" }\ncommunity \"a.example\" { " FILES " }",
         "1: path: 'ws?' is not a path like /xmpp-websocket\n"},
        {"a path of BOSH that is none", "listen { service = \"websocket\" bosh_path = \"b\" }\ncommunity \"a.example\" { " FILES " }",
         "1: bosh_path: 'b' is not a path like /http-bind\n"},
        {"two things in one place",
         "listen { service = \"websocket\" path = \"/x\" bosh_path = \"/x\" }\ncommunity \"a.example\" { " FILES " }",
         "1: listen: 'path' and 'bosh_path' are the same\n"},
        {"an origin that is none", "listen { service = \"websocket\" origins = { \"chat.example\" } }\ncommunity \"a.example\" { " FILES " }",
         "1: origins: 'chat.example' is not an address that begins with https|http and ://\n"},
        {"a component without a secret", "component \"irc.a.example\" { }\ncommunity \"a.example\" { " FILES " }",
         "1: component \"irc.a.example\": 'secret_file' is needed\n"},
        {"a component's secret that everybody reads",
         "component \"irc.a.example\" { secret_file = \"/etc/hostname\" }\ncommunity \"a.example\" { " FILES " }",
         "1: secret_file: /etc/hostname: can be read by everybody; chmod o= /etc/hostname\n"},
        {"a component that is a community", "component \"a.example\" { secret_file = \"/etc/hostname\" }\ncommunity \"a.example\" { " FILES " }",
         "1: component \"a.example\": that domain is served already\n1: secret_file: /etc/hostname: can be read by everybody; chmod o= /etc/hostname\n"},
        {"a community that is none of ours",
         "component \"irc.a.example\" { community = \"b.example\" }\ncommunity \"a.example\" { " FILES " }",
         "1: community: 'b.example' is none of ours\n1: component \"irc.a.example\": 'secret_file' is needed\n"},
        {"a directory", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" }",
         ""},
        {"a directory by name", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_dn = \"uid=%u,ou=p\" }",
         ""},
        {"a directory, and nowhere to look", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" }  }",
         "1: ldap_url: one of 'ldap_base' (people are searched for) and 'ldap_dn' (they are not) is needed\n"},
        {"two places to look", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" ldap_dn = \"uid=%u\" }",
         "1: ldap_url: one of 'ldap_base' (people are searched for) and 'ldap_dn' (they are not) is needed\n"},
        {"no directory to look in", "community \"a.example\" { " FILES " ldap_base = \"ou=p\" }",
         "1: ldap_base: without 'ldap_url' there is no directory\n"},
        {"a filter that finds everybody", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" ldap_filter = \"(uid=*)\" }",
         "1: ldap_filter: '(uid=*)' has no %u for the name, or another % than %u, %d and %%\n"},
        {"a filter that is none", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" ldap_filter = \"uid=%u\" }",
         "1: ldap_filter: 'uid=%u' is not a filter like (uid=%u): look at its parentheses\n"},
        {"a filter without a search", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_dn = \"uid=%u\" ldap_filter = \"(cn=%u)\" }",
         "1: ldap_filter: with 'ldap_dn' there is no search\n"},
        {"passwords in the clear", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" ldap_starttls = \"no\" }",
         "1: ldap_starttls: passwords would go to ldap://x.example in the clear; 'no' is for loopback alone\n"},
        {"in the clear to this machine", "community \"a.example\" { " FILES " ldap_url = { \"ldap://127.0.0.1\" } ldap_base = \"ou=p\" ldap_starttls = \"no\" }",
         ""},
        {"a searcher without a password", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" ldap_bind_dn = \"cn=a\" }",
         "1: ldap_bind_dn and ldap_password_file: one without the other is of no use\n"},
        {"a password that everybody reads", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" ldap_bind_dn = \"cn=a\" ldap_password_file = \"/etc/hostname\" }",
         "1: ldap_password_file: /etc/hostname: can be read by everybody; chmod o= /etc/hostname\n"},
        {"another kind of server", "community \"a.example\" { " FILES " ldap_url = { \"http://x.example\" } ldap_base = \"ou=p\" }",
         "1: ldap_url: 'http://x.example' is not an address that begins with ldap|ldaps|ldapi and ://\n"},
        {"accounts beside the directory's", "community \"a.example\" { " FILES " ldap_url = { \"ldap://x.example\" } ldap_base = \"ou=p\" registration = \"open\" }",
         "1: registration: the accounts are the directory's (ldap_url); nobody registers\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        char *told = complaints(rows[i].text, &c);
        config_fini(&c);
        if (strcmp(told, rows[i].told) != 0)
            fail_msg("%s:\n%s", rows[i].proves, told);
        mem_free(told);
    }
}

static char *print_reference(void)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    config_print_reference(f);
    rewind(f);
    return slurp(f);
}

/* A secret is one line, unless it is a key in PEM. */
static void secrets_come_from_files(void **state)
{
    (void)state;
    static const struct { const char *proves, *file, *secret; } rows[] = {
        {"the line's end is not part of it", "s3cret\r\n", "s3cret"},
        {"nor what stands behind it", "s3cret\n# note\n", "s3cret"},
        {"a key is whole", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
         "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[] = "/tmp/causeway-secret-XXXXXX", text[512];
        int fd = mkstemp(name);
        assert_true(fd >= 0 && write(fd, rows[i].file, strlen(rows[i].file)) == (ssize_t)strlen(rows[i].file));
        close(fd);
        snprintf(text, sizeof text, "community \"a.example\" { " FILES " }\nprovider \"p\" { profile = \"x\" secret_files = { \"k=%s\" } }", name);
        struct config c;
        char *told = complaints(text, &c);
        assert_string_equal(told, "");
        if (strcmp(c.providers[0].secrets[0].value, rows[i].secret) != 0)
            fail_msg("%s: `%s`", rows[i].proves, c.providers[0].secrets[0].value);
        config_fini(&c);
        mem_free(told);
        unlink(name);
    }
}

/* One that cannot be used is no mistake that stops a start: its provider is off, and only the console hears where it is. */
static void bad_secrets_turn_off(void **state)
{
    (void)state;
    static const struct { const char *proves, *file; mode_t mode; const char *why, *next; } rows[] = {
        {"not there", NULL, 0, "No such file or directory", ""},
        {"empty", "", 0600, "is empty", ""},
        {"everybody may read it", "s3cret", 0644, "can be read by everybody", "; chmod o= "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[] = "/tmp/causeway-secret-XXXXXX", text[512], told[512], seen[128];
        int fd = mkstemp(name);
        assert_true(fd >= 0 && (!rows[i].file || write(fd, rows[i].file, strlen(rows[i].file)) == (ssize_t)strlen(rows[i].file)));
        assert_int_equal(fchmod(fd, rows[i].mode), 0);
        close(fd);
        if (!rows[i].file)
            unlink(name);
        snprintf(text, sizeof text, "community \"a.example\" { " FILES " }\nprovider \"p\" { profile = \"x\"\nsecret_files = { \"k=%s\" } }\n"
                 "provider \"q\" { profile = \"x\" }", name);
        snprintf(told, sizeof told, ":3: secret_files: %s: %s%s%s", name, rows[i].why, rows[i].next, *rows[i].next ? name : "");
        snprintf(seen, sizeof seen, "secret_files: the file of k: %s", rows[i].why);
        struct config c;
        char *mistakes = complaints(text, &c);
        assert_string_equal(mistakes, "");
        if (!c.providers[0].off || !strstr(c.providers[0].off, told) || strcmp(c.providers[0].off_seen, seen) != 0)
            fail_msg("%s: %s\n%s", rows[i].proves, c.providers[0].off, c.providers[0].off_seen);
        assert_null(c.providers[1].off);
        config_fini(&c);
        mem_free(mistakes);
        unlink(name);
    }
}

static bool has_c2s_port(const struct config *c, uint16_t port)
{
    for (unsigned i = 0; i < c->c2s_count; i++)
        if (c->c2s[i].port == port)
            return true;
    return false;
}

static void listeners_are_the_usual_ones(void **state)
{
    (void)state;
    static const struct { const char *proves, *listen; bool c2s, s2s, http; } rows[] = {
        {"the usual ones, and no http", "", true, true, false},
        {"http takes none of them away", "listen { service = \"http\" }", true, true, true},
        {"nor does one for WebSocket", "listen { service = \"http\" }\nlisten { service = \"websocket\" }", true, true, true},
        {"who names one for clients names all", "listen { service = \"c2s\" port = 6222 }", false, false, false},
        {"or one for servers", "listen { service = \"s2s\" }\nlisten { service = \"http\" }", false, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        struct config c;
        snprintf(text, sizeof text, "%s\ncommunity \"a.example\" { " FILES " }", rows[i].listen);
        char *told = complaints(text, &c);
        assert_string_equal(told, "");
        if (has_c2s_port(&c, 5222) != rows[i].c2s || has_c2s_port(&c, 5223) != rows[i].c2s ||
            (c.s2s_count > 0) != rows[i].s2s || (c.http_address != NULL) != rows[i].http)
            fail_msg("%s", rows[i].proves);
        config_fini(&c);
        mem_free(told);
    }
}

static void the_reference_is_what_the_code_has(void **state)
{
    (void)state;
    FILE *f = fopen(CAUSEWAY_SOURCE_DIR "/schemas/causeway.conf.reference", "r");
    assert_non_null(f);
    char *kept = slurp(f), *printed = print_reference();
    if (strcmp(kept, printed) != 0)
        fail_msg("schemas/causeway.conf.reference is old: causeway options > schemas/causeway.conf.reference");
    mem_free(kept);
    mem_free(printed);
}

/* "#name = value" and "#section {" lose their mark; values that are "not given" stay comments. */
static void uncomment(struct bytes *out, const char *line, size_t len)
{
    size_t lead = strspn(line, " ");
    bool option = lead < len && line[lead] == '#' && line[lead + 1] != ' ' && line[lead + 1] != '\n';
    bool not_given = len > 4 && (memcmp(line + len - 5, "= \"\"\n", 5) == 0);
    if (option && !not_given)
        bytes_append(out, line + lead + 1, len - lead - 1);
    bytes_append_text(out, "\n");
}

static void the_reference_is_a_configuration(void **state)
{
    (void)state;
    char *printed = print_reference();
    struct bytes text = BYTES_EMPTY;
    for (const char *line = printed, *end; (end = strchr(line, '\n')); line = end + 1)
        uncomment(&text, line, (size_t)(end + 1 - line));
    struct config c;
    char *told = complaints(bytes_text(&text), &c);
    config_fini(&c);
    /* What has no default must be given, and is asked for; nothing else may be wrong. */
    for (char *line = strtok(told, "\n"); line; line = strtok(NULL, "\n"))
        if (!strstr(line, "is missing") && !strstr(line, "are needed") && !strstr(line, "is needed") &&
            !strstr(line, "the title is not a domain") && !strstr(line, "\"...\": that domain is served already"))
            fail_msg("%s", line);
    mem_free(told);
    mem_free(printed);
    bytes_fini(&text);
}

static void each_option_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (!o->sentence[0] || o->sentence[strlen(o->sentence) - 1] != '.')
            fail_msg("%s %s: no sentence", o->section, o->name);
        if (o->type == OPTION_INT && (o->int_default < o->least || o->int_default > o->most))
            fail_msg("%s %s: its default is out of its range", o->section, o->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(secrets_come_from_files),
        cmocka_unit_test(bad_secrets_turn_off),
        cmocka_unit_test(listeners_are_the_usual_ones),
        cmocka_unit_test(the_reference_is_what_the_code_has),
        cmocka_unit_test(the_reference_is_a_configuration),
        cmocka_unit_test(each_option_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

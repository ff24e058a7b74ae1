/* SPDX-License-Identifier: MIT */
/* The handshake of XEP-0114, by its own example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/xmpp/component_key.h"

static void handshake(void **state)
{
    (void)state;
    char key[COMPONENT_KEY_LEN + 1];
    component_key_make(key, "3BF96D32", "test");
    assert_string_equal(key, "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e");
    assert_true(component_key_check(key, "3BF96D32", "test"));
    assert_false(component_key_check(key, "3BF96D33", "test"));
    assert_false(component_key_check(key, "3BF96D32", "Test"));
    assert_false(component_key_check("", "3BF96D32", "test"));
    assert_false(component_key_check(NULL, "3BF96D32", "test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(handshake)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC
 *
 * What all commands share: options.
 */
#include "role/tool/tool.h"

#include "test/unit/check.h"

TEST(tool_options)
{
    char *argv[] = { "cmd", "-ab", "-cvalue", "-c", "next", "-", "-a", NULL };
    char *ended[] = { "cmd", "-a", "--", "-b", NULL };
    struct tool_args args = { 7, argv, NULL }, other = { 4, ended, NULL };
    struct tool_options o = tool_options_of(&args, "abc:");

    check_int(tool_option(&o), 'a');
    check_int(tool_option(&o), 'b');
    check_int(tool_option(&o), 'c');
    check_str(str_from(o.value), S("value"));
    check_int(tool_option(&o), 'c');
    check_str(str_from(o.value), S("next"));
    check_int(tool_option(&o), 0);
    check_int(o.at, 5);
    o = tool_options_of(&other, "ab");
    check_int(tool_option(&o), 'a');
    check_int(tool_option(&o), 0);
    check_int(o.at, 3);
}

TEST(tool_names)
{
    char *argv[] = { "/usr/sbin/postmap", NULL };
    struct tool_args args = { 1, argv, NULL };

    check_str(tool_name(&args), S("postmap"));
    check_str(tool_config_dir(&args, NULL), S("/etc/postfix"));
    args.config_dir = "/x";
    check_str(tool_config_dir(&args, NULL), S("/x"));
    check_str(tool_config_dir(&args, "/y"), S("/y"));
}

TASK_TEST(tool_conf_says_what_is_missing)
{
    char *argv[] = { "unit", NULL };
    struct tool_args args = { 1, argv, "/nonexistent" };
    struct arena a;
    struct conf *c;

    arena_init(&a, 0);
    check_int(tool_conf(t, &a, &args, NULL, &c), ERR_ABSENT);
    arena_reset(&a);
}

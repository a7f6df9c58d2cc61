/* SPDX-License-Identifier: ISC
 *
 * The attributes and macros of pipe(8).
 */
#include "role/deliver/pipe_args.h"

#include "test/unit/check.h"

static struct arena arena;

/* Words separated by "|" as the arguments of a line. */
static err reads(const char *line, struct pipe_args *out, str *complaint)
{
    vec_of(str) words = { 0 };
    struct service s = { .n_options = 0 };
    str rest = str_from(line), word;

    while (str_cut(&rest, '|', &word))
        vec_push(&arena, &words, word);
    s.argv = words.p;
    s.n_argv = words.n;
    return pipe_args_read(&s, &arena, out, complaint);
}

static str complains(const char *line)
{
    struct pipe_args p;
    str complaint = S("none");

    (void)!reads(line, &p, &complaint);
    return complaint;
}

TEST(pipe_attributes)
{
    struct pipe_args p;
    str complaint;

    arena_init(&arena, 0);
    check_ok(reads("flags=DRhu.>|user=a:b|eol=\\r\\n\\101\\\\x|size=10|"
                   "null_sender=|directory=/d|chroot=/c|argv=/bin/x|-f|y z",
                   &p, &complaint));
    check(p.delivered_to && p.return_path && p.fold_domain && p.fold_user
          && p.dots && p.quote_from && !p.quote && !p.blank_end);
    check_str(p.user, S("a:b"));
    check_str(p.eol, S("\r\nA\\x"));
    check_int(p.size_max, 10);
    check_str(p.null_sender, S(""));
    check_str(p.command, S("/bin/x -f y z"));
    check_int(p.argv.n, 3);
    check_str(complains("user=a"), S("missing attribute: argv"));
    check_str(complains("argv=x"), S("missing attribute: user"));
    check_str(complains("user=a|argv="), S("missing command: argv="));
    check_str(complains("user=a|flags=Z|argv=x"), S("unknown flag: Z"));
    check_str(complains("usr=a|argv=x"), S("unknown attribute name: usr"));
    check_str(complains("user|argv=x"), S("unknown attribute name: user"));
    check_str(complains("user=a|size=x|argv=y"), S("bad size: x"));
    check_str(complains("user=a|argv=x|${nope}"),
              S("unknown macro name: nope"));
    check_str(complains("user=a|argv=x|${sender"), S("bad macro: {sender"));
    arena_reset(&arena);
}

static str expands(const char *line, const char *sender)
{
    struct pipe_args p;
    struct pipe_argv out = { { 0 } };
    struct recipient to[2] = { { .original = S("Orig@X.org") },
                               { .original = S("") } };
    struct envelope env = { .size = 77, .envid = S("id"), .client = {
        .address = S("192.0.2.1"), .name = S("c.example"), .port = 2525,
        .helo = S("h"), .protocol = S("ESMTP"), .sasl_user = S("su") } };
    struct pipe_facts f = { .envelope = &env, .recipients = to,
                            .n_recipients = 2, .queue_id = S("ABC"),
                            .nexthop = S("Next.Hop"), .delimiters = S("+") };
    struct buf b;
    str complaint;

    check_ok(address_of(S("User+Ext@Dom.org"), &arena, &to[0].address));
    check_ok(address_of(S("a b@y.org"), &arena, &to[1].address));
    if (*sender)
        check_ok(address_of(str_from(sender), &arena, &env.sender));
    else
        env.sender = ADDRESS_NULL;
    if (reads(line, &p, &complaint))
        return complaint;
    pipe_args_expand(&p, &f, &arena, &out);
    buf_init(&b, &arena, 10000);
    for (size_t i = 0; i < out.list.n; i++)
        buf_fmt(&b, "[%.*s]", STR(out.list.p[i]));
    return buf_str(&b);
}

TEST(pipe_macros)
{
    arena_init(&arena, 0);
    check_str(expands("user=a|argv=x|$sender|-r${recipient}.|$$n|$(size)",
                      "s@t.org"),
              S("[x][s@t.org][-rUser+Ext@Dom.org.][-ra b@y.org.][$n][77]"));
    check_str(expands("flags=hu|user=a|argv=$user,$extension,${mailbox},"
                      "$domain|$nexthop|${original_recipient}", ""),
              S("[user,ext,user+ext,dom.org][a b,,a b,y.org][next.hop]"
                "[orig@x.org][]"));
    check_str(expands("flags=q|user=a|argv=$sender|$recipient", ""),
              S("[MAILER-DAEMON][User+Ext@Dom.org][\"a b\"@y.org]"));
    check_str(expands("user=a|null_sender=|argv=x|-f|$sender", ""),
              S("[x][-f][]"));
    check_str(expands("user=a|argv=$queue_id $envid|$client_address:"
                      "$client_port|$client_hostname $client_helo "
                      "$client_protocol|$sasl_username$sasl_method"
                      "$sasl_sender", "s@t.org"),
              S("[ABC id][192.0.2.1:2525][c.example h ESMTP][su]"));
    arena_reset(&arena);
}

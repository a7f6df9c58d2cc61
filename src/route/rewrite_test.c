/* SPDX-License-Identifier: ISC
 *
 * Rewriting addresses, headers, envelopes.
 */
#include "route/expand.h"
#include "route/fixture.h"

static struct arena arena;

static str standard(const struct route *r, enum rewrite_context context,
                    const char *in)
{
    struct address x = fixture_address(&arena, in);

    return rewrite_standard(r, context, &x, &arena).text;
}

TASK_TEST(route_standard_form)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, "myorigin = example.com\n"
                      "append_dot_mydomain = yes\n"
                      "remote_header_rewrite_domain = domain.invalid", &ts);
    check_str(standard(r, REWRITE_LOCAL, "user"), S("user@example.com"));
    check_str(standard(r, REWRITE_LOCAL, ""), S(""));
    check_str(standard(r, REWRITE_LOCAL, "u@host"), S("u@host.example.com"));
    check_str(standard(r, REWRITE_LOCAL, "u@a.b"), S("u@a.b"));
    check_str(standard(r, REWRITE_LOCAL, "u@a.b."), S("u@a.b"));
    check_str(standard(r, REWRITE_LOCAL, "u@a.b.."), S("u@a.b.."));
    check_str(standard(r, REWRITE_LOCAL, "u@[192.0.2.1]"),
              S("u@[192.0.2.1]"));
    check_str(standard(r, REWRITE_LOCAL, "site!user"),
              S("user@site.example.com"));
    check_str(standard(r, REWRITE_LOCAL, "a.b!c.d!user"), S("c.d!user@a.b"));
    check_str(standard(r, REWRITE_LOCAL, "user%a.b"), S("user@a.b"));
    check_str(standard(r, REWRITE_LOCAL, "user%a.b%c.d"), S("user%a.b@c.d"));
    check_str(standard(r, REWRITE_LOCAL, "user%a@b.c"), S("user%a@b.c"));
    check_str(standard(r, REWRITE_LOCAL, "user%"), S("user%"));
    check_str(standard(r, REWRITE_LOCAL, "%site"), S("%site"));
    check_str(standard(r, REWRITE_LOCAL, "!user"), S("!user"));
    check_str(standard(r, REWRITE_LOCAL, "site!"), S("site!"));
    check_str(standard(r, REWRITE_REMOTE, "user"), S("user@domain.invalid"));
    check_str(standard(r, REWRITE_REMOTE, "u@h"), S("u@h.domain.invalid"));
    check_str(standard(r, REWRITE_NONE, "u@h."), S("u@h."));
    arena_reset(&arena);
}

static str canonical(struct task *t, const struct route *r,
                     enum address_place place, const char *in)
{
    struct address x = fixture_address(&arena, in);

    if (rewrite_canonical(t, r, place, &x, &arena, &x))
        return str_from(task_why(t));
    return x.text;
}

TASK_TEST(route_canonical)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena,
        "mydestination = local.org\nmyorigin = example.com\n"
        "recipient_delimiter = +\nmasquerade_domains = !x.m.org m.org\n"
        "masquerade_exceptions = root\n"
        "canonical_maps = inline:{ {joe=Joe.User}, {ann@a.org=ann@b.org},"
        " {@old.org=@new.org}, {loop@a.org=pool@a.org},"
        " {pool@a.org=loop@a.org}, {bad@a.org=x y} }\n"
        "sender_canonical_maps = inline:{ {s@a.org=t@a.org} }\n"
        "recipient_canonical_maps = inline:{ {r@a.org=q@a.org} }", &ts);
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "joe@local.org"),
              S("Joe.User@example.com"));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "joe@example.com"),
              S("Joe.User@example.com"));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "joe@other.org"),
              S("joe@other.org"));
    check_str(canonical(t, r, PLACE_HEADER_RECIPIENT, "joe+x@local.org"),
              S("Joe.User+x@example.com"));
    check_str(canonical(t, r, PLACE_HEADER_SENDER, "any+x@old.org"),
              S("any+x@new.org"));
    check_str(canonical(t, r, PLACE_HEADER_SENDER, "s@a.org"), S("t@a.org"));
    check_str(canonical(t, r, PLACE_HEADER_RECIPIENT, "s@a.org"),
              S("s@a.org"));
    check_str(canonical(t, r, PLACE_ENVELOPE_RECIPIENT, "r@a.org"),
              S("q@a.org"));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "r@a.org"),
              S("r@a.org"));
    check(canonical(t, r, PLACE_ENVELOPE_SENDER, "loop@a.org").n > 0);
    check(str_find(canonical(t, r, PLACE_ENVELOPE_SENDER, "bad@a.org"),
                   S("multi-valued")) != STR_NONE);
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, ""), S(""));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "u@a.b.m.org"),
              S("u@m.org"));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "u@y.x.m.org"),
              S("u@y.x.m.org"));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "ROOT@a.m.org"),
              S("ROOT@a.m.org"));
    check_str(canonical(t, r, PLACE_ENVELOPE_SENDER, "u@am.org"),
              S("u@am.org"));
    check_str(canonical(t, r, PLACE_ENVELOPE_RECIPIENT, "u@a.m.org"),
              S("u@a.m.org"));
    arena_reset(&arena);
}

static str header(struct task *t, const struct route *r,
                  enum rewrite_context context, const char *raw)
{
    struct header_rewriting how = { .context = context, .mappings = true };
    struct header_field f = { 0 };
    bool changed;
    str out = S("");

    check(header_split(str_from(raw), &f));
    check_ok(rewrite_header(t, r, &how, &f, &arena, &out, &changed));
    check(changed != str_eq(out, str_from(raw)));
    return out;
}

TASK_TEST(route_header)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, "myorigin = example.com\n"
                      "canonical_maps = inline:{ {joe=\"Joe User\"@x.org} }",
                      &ts);
    check_str(header(t, r, REWRITE_LOCAL,
                     "To: \"A, B\" <ann>,\r\n joe (Joe), u@d.org,\r\n"
                     " g: <@x:k@d.org>;\r\n"),
              S("To: \"A, B\" <ann@example.com>,\r\n"
                " \"Joe User\"@x.org (Joe), u@d.org,\r\n"
                " g: <k@d.org>;\r\n"));
    check_str(header(t, r, REWRITE_REMOTE, "From: ann\r\n"),
              S("From: ann\r\n"));
    check_str(header(t, r, REWRITE_LOCAL, "Subject: ann\r\n"),
              S("Subject: ann\r\n"));
    check_str(header(t, r, REWRITE_LOCAL, "From: John Doe\r\n"),
              S("From: John Doe\r\n"));
    check_str(header(t, r, REWRITE_LOCAL, "From:\r\n"), S("From:\r\n"));
    arena_reset(&arena);
}

/* The longest line. */
static size_t longest(str text)
{
    size_t most = 0;
    str line;

    while (str_cut(&text, '\n', &line))
        most = line.n > most ? line.n : most;
    return most;
}

TASK_TEST(route_header_fold)
{
    struct tables *ts;
    struct route *r;
    struct buf b;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, "myorigin = example.com\n", &ts);
    check_str(header(t, r, REWRITE_LOCAL,
                     "To: \"A, B\" <ann>,(c, d)\"E, F\" <g@a-long-name."
                     "somewhere.example>,h@an-even-longer-name.example, "
                     "i\r\n"),
              S("To: \"A, B\" <ann@example.com>,"
                "(c, d)\"E, F\" <g@a-long-name.somewhere.example>,\r\n"
                " h@an-even-longer-name.example, i@example.com\r\n"));
    check_str(header(t, r, REWRITE_LOCAL,
                     "To: one@a-name-that-is-long.example,\r\n\ttwo@"
                     "a-name-that-is-long.example, three\r\n"),
              S("To: one@a-name-that-is-long.example,\r\n\ttwo@"
                "a-name-that-is-long.example, three@example.com\r\n"));
    buf_init(&b, &arena, 1 << 20);
    buf_add(&b, S("To: a"));
    for (int i = 0; i < 2000; i++)
        buf_fmt(&b, ",n%d", i);
    buf_add(&b, S("\r\n"));
    check(longest(header(t, r, REWRITE_LOCAL,
                         arena_cstr(&arena, buf_str(&b)))) <= 80);
    arena_reset(&arena);
}

/* The recipients that one address becomes, with spaces between. */
static str expanded(struct task *t, const struct route *r, const char *in,
                    int flags)
{
    struct recipient rc = { .address = fixture_address(&arena, in) };
    struct envelope e = { 0 };
    struct expansion x;
    struct reply fault;
    struct buf b;

    expand_begin(&x, r, &arena, flags, &e);
    if (expand_sender(t, &x, &e.sender, &fault) ||
        expand_recipient(t, &x, &rc, &fault))
        return str_from(task_why(t));
    if (!fault.code && expand_end(t, &x, &fault))
        return str_from(task_why(t));
    if (fault.code)
        return arena_fmt(&arena, "%d %s %.*s", fault.code, fault.dsn,
                         STR(fault.text));
    buf_init(&b, &arena, 10000);
    for (size_t i = 0; i < e.recipients.n; i++)
        buf_fmt(&b, "%s%.*s", i ? " " : "",
                STR(e.recipients.p[i].address.text));
    return buf_str(&b);
}

TASK_TEST(route_virtual)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena,
        "myorigin = example.com\nmydestination = example.com\n"
        "recipient_delimiter = +\nvirtual_alias_expansion_limit = 5\n"
        "virtual_alias_recursion_limit = 4\n"
        "virtual_alias_maps = inline:{ {joe=ann@a.org, bob@b.org},"
        " {ann@a.org=carl}, {self@a.org=self@a.org, copy@a.org},"
        " {many@a.org=a,b,c,d,e,f}, {1@a.org=2@a.org},"
        " {2@a.org=3@a.org}, {3@a.org=4@a.org}, {4@a.org=5@a.org},"
        " {5@a.org=6@a.org}, {@d.org=@e.org}, {dup@a.org=x@y,X@Y,x@y} }",
        &ts);
    check_str(expanded(t, r, "joe", 0), S("carl@example.com bob@b.org"));
    check_str(expanded(t, r, "joe+x", 0),
              S("carl+x@example.com bob+x@b.org"));
    check_str(expanded(t, r, "joe", EXPAND_NO_MAPPINGS),
              S("joe@example.com"));
    check_str(expanded(t, r, "self@a.org", 0), S("self@a.org copy@a.org"));
    check_str(expanded(t, r, "u@d.org", 0), S("u@e.org"));
    check_str(expanded(t, r, "dup@a.org", 0), S("x@y"));
    check_str(expanded(t, r, "3@a.org", 0), S("6@a.org"));
    check_str(expanded(t, r, "2@a.org", 0),
              S("451 4.6.0 Alias expansion error"));
    check_str(expanded(t, r, "many@a.org", 0),
              S("451 4.6.0 Alias expansion error"));
    arena_reset(&arena);
}

TASK_TEST(route_bcc)
{
    struct tables *ts;
    struct route *r;

    arena_init(&arena, 0);
    r = fixture_route(t, &arena, "myorigin = example.com\n"
        "mydestination = example.com\nalways_bcc = archive\n"
        "virtual_alias_maps = inline:{ {archive=keep@a.org} }\n"
        "recipient_bcc_maps = inline:{ {joe=watch@b.org} }", &ts);
    check_str(expanded(t, r, "joe", 0),
              S("joe@example.com watch@b.org keep@a.org"));
    check_str(expanded(t, r, "ann", 0), S("ann@example.com keep@a.org"));
    check_str(expanded(t, r, "joe", EXPAND_NO_BCC), S("joe@example.com"));
    arena_reset(&arena);
}

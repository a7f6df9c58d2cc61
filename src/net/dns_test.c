/* SPDX-License-Identifier: ISC
 *
 * DNS: records, names, the hosts file, what is made of answers, the way
 * between roles, libunbound's door.
 */
#include "net/dns_local.h"
#include "test/unit/check.h"

static const char zone[] =
    "example.com MX 10 mx.example.com\n"
    "example.com MX 20 mx2.example.com\n"
    "mx.example.com A 192.0.2.1\n"
    "mx.example.com AAAA 2001:db8::1\n"
    "www.example.com CNAME mx.example.com\n"
    "slow.example.com TRY_AGAIN\n"
    "forged.example.com BOGUS\n"
    "1.2.0.192.in-addr.arpa PTR mx.example.com\n"
    "9.2.0.192.in-addr.arpa PTR mx.example.com\n"
    "8.2.0.192.in-addr.arpa PTR slow.example.com\n"
    "7.2.0.192.in-addr.arpa TRY_AGAIN\n";

static const char *outcome(const struct dns_answer *x)
{
    static const char *const names[] = { "found", "no data", "no name",
                                         "try again", "bogus" };
    return names[x->outcome];
}

/* "found mx.example.com 192.0.2.1", "no name" */
static str shown(struct arena *a, const struct dns_answer *x)
{
    struct buf b;

    buf_init(&b, a, 4096);
    buf_fmt(&b, "%s", outcome(x));
    for (size_t i = 0; i < x->n; i++) {
        const struct dns_record *r = &x->p[i];
        if (r->type == DNS_MX)
            buf_fmt(&b, " %u", r->preference);
        if (r->name.n)
            buf_fmt(&b, " %.*s", STR(r->name));
        if (r->data.n)
            buf_fmt(&b, " \"%.*s\"", STR(r->data));
        if (r->address.kind != ENDPOINT_NONE)
            buf_fmt(&b, " %.*s", STR(endpoint_address(&r->address, a)));
    }
    return buf_str(&b);
}

static str asked(struct task *t, struct dns *d, struct arena *a,
                 const char *name, enum dns_type type)
{
    struct dns_answer x = { 0 };

    check_ok(dns_ask(t, d, str_from(name), type, after_s(t, 10), a, &x));
    return shown(a, &x);
}

static str hosted(struct task *t, struct dns *d, struct arena *a,
                  const char *name)
{
    struct dns_answer x = { 0 };

    check_ok(dns_host(t, d, str_from(name), after_s(t, 10), a, &x));
    return shown(a, &x);
}

/* "NAME REVERSE STATUS" */
static str client(struct task *t, struct dns *d, struct arena *a,
                  const char *address)
{
    struct endpoint e = { 0 };
    struct dns_names n;

    check_ok(endpoint_parse(str_from(address), 0, &e));
    check_ok(dns_client(t, d, &e, after_s(t, 10), a, &n));
    return arena_fmt(a, "%.*s %.*s %d", STR(n.name), STR(n.reverse),
                     n.status);
}

/* What every kind of struct dns says that knows the zone. */
static void check_zone(struct task *t, struct dns *d, struct arena *a)
{
    check_str(asked(t, d, a, "Example.com.", DNS_MX),
              S("found 10 mx.example.com 20 mx2.example.com"));
    check_str(asked(t, d, a, "www.example.com", DNS_A),
              S("found 192.0.2.1"));
    check_str(asked(t, d, a, "www.example.com", DNS_CNAME),
              S("found mx.example.com"));
    check_str(asked(t, d, a, "example.com", DNS_A), S("no data"));
    check_str(asked(t, d, a, "com", DNS_A), S("no data"));
    check_str(asked(t, d, a, "example.org", DNS_A), S("no name"));
    check_str(asked(t, d, a, "slow.example.com", DNS_A), S("try again"));
    check_str(asked(t, d, a, "forged.example.com", DNS_A), S("bogus"));
    check_str(asked(t, d, a, "a..b", DNS_A), S("no name"));
    check_str(asked(t, d, a, "a b.example.com", DNS_A), S("no name"));
    check_str(asked(t, d, a, "", DNS_A), S("no name"));

    check_str(hosted(t, d, a, "mx.example.com"),
              S("found 192.0.2.1 2001:db8::1"));
    check_str(hosted(t, d, a, "example.org"), S("no name"));
    check_str(hosted(t, d, a, "example.com"), S("no data"));
    check_str(hosted(t, d, a, "slow.example.com"), S("try again"));
    check_str(hosted(t, d, a, "2001:db8::7"), S("found 2001:db8::7"));

    check_str(client(t, d, a, "192.0.2.1"),
              S("mx.example.com mx.example.com 0"));
    check_str(client(t, d, a, "192.0.2.9"), S("unknown mx.example.com 5"));
    check_str(client(t, d, a, "192.0.2.8"), S("unknown slow.example.com 4"));
    check_str(client(t, d, a, "192.0.2.7"), S("unknown unknown 4"));
    check_str(client(t, d, a, "192.0.2.6"), S("unknown unknown 5"));
}

TASK_TEST(dns_fixed_zone)
{
    struct arena a;

    arena_init(&a, 0);
    check_zone(t, dns_fixed(&a, str_from(zone)), &a);
    arena_reset(&a);
}

TEST(dns_reverse_name)
{
    struct endpoint e = { 0 };
    struct arena a;

    arena_init(&a, 0);
    check_ok(endpoint_parse(S("192.0.2.1"), 0, &e));
    check_str(dns_reverse_name(&e, S(""), &a), S("1.2.0.192.in-addr.arpa"));
    check_str(dns_reverse_name(&e, S("bl.org"), &a), S("1.2.0.192.bl.org"));
    check_ok(endpoint_parse(S("2001:db8::567:89ab"), 0, &e));
    check_str(dns_reverse_name(&e, S(""), &a),
              S("b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0"
                ".0.2.ip6.arpa"));
    arena_reset(&a);
}

static str record(struct arena *a, enum dns_type type, str rdata)
{
    struct dns_record r;
    struct dns_answer x = { .outcome = DNS_FOUND, .p = &r, .n = 1 };

    if (!dns_record_read(type, rdata, a, &r))
        return S("bad");
    return shown(a, &x);
}

TEST(dns_record_read)
{
    struct arena a;

    arena_init(&a, 0);
    check_str(record(&a, DNS_MX, S("\0\012\2mx\7example\3com\0")),
              S("found 10 mx.example.com"));
    check_str(record(&a, DNS_MX, S("\0\0\0")), S("found 0 ."));
    check_str(record(&a, DNS_MX, S("\0\012\2mx\7example\3com")), S("bad"));
    check_str(record(&a, DNS_MX, S("\0\012\2mx\7example\3com\0x")), S("bad"));
    check_str(record(&a, DNS_MX, S("\0\012\2mx\100example\3com\0")),
              S("bad"));
    check_str(record(&a, DNS_PTR, S("\5a\nb.c\3com\0")), S("bad"));
    check_str(record(&a, DNS_A, S("\300\0\2\1")), S("found 192.0.2.1"));
    check_str(record(&a, DNS_A, S("\300\0\2")), S("bad"));
    check_str(record(&a, DNS_AAAA, S("\300\0\2\1")), S("bad"));
    check_str(record(&a, DNS_TXT, S("\3abc\2de")), S("found \"abcde\""));
    check_str(record(&a, DNS_TXT, S("\3abc\3de")), S("bad"));
    check_str(record(&a, DNS_TXT, S("")), S("found"));
    arena_reset(&a);
}

static str made(struct arena *a, const char *name)
{
    str out;

    return dns_name_make(str_from(name), a, &out) ? out : S("bad");
}

TEST(dns_name_make)
{
    struct arena a;

    arena_init(&a, 0);
    check_str(made(&a, "example.com."), S("example.com"));
    check_str(made(&a, "_25._tcp.mx"), S("_25._tcp.mx"));
    check_str(made(&a, "b\xc3\xbc""cher.example"),
              S("xn--bcher-kva.example"));
    check_str(made(&a, "a..b"), S("bad"));
    check_str(made(&a, ".a"), S("bad"));
    check_str(made(&a, "."), S("bad"));
    check_str(made(&a, "x\xff.example"), S("bad"));
    check_str(made(&a, "0123456789012345678901234567890123456789"
                       "012345678901234567890123.example"), S("bad"));
    arena_reset(&a);
}

TEST(dns_hosts)
{
    struct dns_answer x;
    struct hosts *h;
    struct endpoint e = { 0 };
    struct arena a;
    str name;

    arena_init(&a, 0);
    h = hosts_new(&a, S("/nonexistent"));
    hosts_parse(h, S("# a comment\n\n127.0.0.1\tlocalhost lo # here\n"
                     "::1 localhost\nnonsense host\n192.0.2.1 one\r\n"
                     "192.0.2.2 one two"));
    check(hosts_find(h, S("LOCALHOST"), &a, &x));
    check_str(shown(&a, &x), S("found 127.0.0.1 ::1"));
    check(hosts_find(h, S("one"), &a, &x));
    check_str(shown(&a, &x), S("found 192.0.2.1 192.0.2.2"));
    check(!hosts_find(h, S("here"), &a, &x));
    check(!hosts_find(h, S("host"), &a, &x));
    check_ok(endpoint_parse(S("192.0.2.2"), 0, &e));
    check(hosts_name(h, &e, &a, &name));
    check_str(name, S("one"));
    arena_reset(&a);
}

/* --- between roles ------------------------------------------------------- */

struct other_side {
    struct dns *dns;
    struct port *port;
    size_t n_questions;
};

static err serve(struct task *t, void *arg)
{
    struct other_side *o = arg;
    struct frame f;
    struct buf b;

    for (;;) {
        TRY(port_recv(t, o->port, NEVER, &f));
        o->n_questions++;
        check_int(f.type, DNS_FRAME);
        buf_init(&b, NULL, PORT_BODY_MAX);
        check_ok(dns_serve(t, o->dns, f.body, &b));
        f.body = buf_str(&b);
        port_answer(o->port, &f);
        buf_free(&b);
    }
}

TASK_TEST(dns_remote)
{
    struct other_side other = { 0 };
    struct task_group g;
    struct sock *x, *y;
    struct port *ours;
    struct calls *calls;
    struct dns *d;
    struct arena a;
    size_t before;
    int fd;

    arena_init(&a, 0);
    other.dns = dns_fixed(&a, str_from(zone));
    check_ok(sock_pair(t, &x, &fd));
    check_ok(sock_adopt(t, fd, &y));
    check_ok(port_open(t, x, &ours));
    check_ok(port_open(t, y, &other.port));
    calls = calls_new(&a);
    d = dns_remote(&a, calls);
    group_open(t, &g);
    group_go(&g, "serve", serve, &other);
    calls_serve(&g, calls, ours);
    check_zone(t, d, &a);
    before = other.n_questions;
    check_str(asked(t, d, &a, "EXAMPLE.com", DNS_MX),
              S("found 10 mx.example.com 20 mx2.example.com"));
    check_int(other.n_questions, before); /* it was kept */
    check_str(asked(t, d, &a, "slow.example.com", DNS_A), S("try again"));
    check_int(other.n_questions, before + 1); /* R1 */
    group_close(t, &g);
    arena_reset(&a);
    port_close(other.port);
}

TASK_TEST(dns_serve_refuses)
{
    struct arena a;
    struct dns *d;
    struct buf b;

    arena_init(&a, 0);
    d = dns_fixed(&a, S(""));
    buf_init(&b, &a, 4096);
    check_int(dns_serve(t, d, S(""), &b), ERR_PEER);
    check_int(dns_serve(t, d, S("\1\3\0\0\0\0\0\0\0\0\0\0"), &b), ERR_PEER);
    check_int(dns_serve(t, d, S("\1\2\0\0\0\0\0\0\1\3\0\0\0abc"), &b),
              ERR_PEER);
    check_int(b.n, 0);
    arena_reset(&a);
}

/* --- libunbound, with nobody to ask -------------------------------------- */

static err run_dns(struct task *t, void *dns)
{
    return dns_run(t, dns);
}

TASK_TEST(dns_real)
{
    struct dns_settings s = { .hosts = S("/nonexistent"),
                              .root_key = S("/nonexistent") };
    struct dns_answer x;
    struct task_group g;
    struct dns *d;
    struct arena a;

    arena_init(&a, 0);
    check_ok(endpoint_parse(S("127.0.0.1"), 1, &s.server));
    check_ok(dns_open(t, &a, &s, &d));
    group_open(t, &g);
    group_go(&g, "dns", run_dns, d);
    /* libunbound itself knows this one */
    check_str(hosted(t, d, &a, "localhost"), S("found 127.0.0.1 ::1"));
    /* given up before there can be an answer: nothing of it is lost */
    check_int(dns_ask(t, d, S("example.com"), DNS_MX, rt_now(t) + 1, &a, &x),
              ERR_LATE);
    check_int(dns_ask(t, d, S("example.net"), DNS_MX, rt_now(t) + 1, &a, &x),
              ERR_LATE);
    group_close(t, &g);
    arena_reset(&a);
}

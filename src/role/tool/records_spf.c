/* SPDX-License-Identifier: ISC
 *
 * Sender Policy Framework (RFC 7208), as far as it is about us: whether the
 * record of a domain lets this host's addresses send.  What it leaves to
 * others (include, redirect, exists) is taken to be right.
 */
#include "role/tool/records.h"

#include "table/netblock.h"

/* What the record of one domain is looked at with. */
struct spf {
    struct task *t;
    struct records *r;
    str domain;
    bool mx;                /* its MX leads to us, or will */
};

static bool is_spf(str text)
{
    return str_istarts(text, S("v=spf1"))
           && (text.n == 6 || text.p[6] == ' ');
}

static bool in_block(const struct records *r, str block)
{
    struct netblock all, one;

    if (netblock_parse(r->a, block, &all))
        return false;
    for (size_t i = 0; i < r->addresses.n; i++)
        if (netblock_single(endpoint_address(&r->addresses.p[i], r->a), &one)
            && netblock_holds(&all, &one))
            return true;
    return false;
}

/* "a", "a:host.example/24": the size of the network does not matter to us. */
static bool has_address(const struct spf *s, str name)
{
    struct records *r = s->r;
    struct dns_answer said;
    enum record_state state;

    if (str_ieq(name, r->host))
        return true;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        if (!records_ask(s->t, r, name, ip6 ? DNS_AAAA : DNS_A, &said,
                         &state))
            continue;
        for (size_t i = 0; i < said.n; i++)
            for (size_t k = 0; k < r->addresses.n; k++)
                if (endpoint_same_address(&said.p[i].address,
                                          &r->addresses.p[k]))
                    return true;
    }
    return false;
}

/* Whether a word of the record lets us send. */
static bool lets_us(const struct spf *s, str word)
{
    size_t colon;
    str name, value;

    if (str_any(str_head(word, 1), S("-~?")) == 0)
        return false;
    word = str_starts(word, S("+")) ? str_skip(word, 1) : word;
    colon = str_any(word, S(":=/"));
    name = str_head(word, colon);
    value = colon == STR_NONE || word.p[colon] == '/'
                ? s->domain : str_skip(word, colon + 1);
    if (str_ieq(name, S("ip4")) || str_ieq(name, S("ip6")))
        return in_block(s->r, value);
    if (str_ieq(name, S("a")))
        return has_address(s, str_head(value, str_chr(value, '/')));
    if (str_ieq(name, S("mx")))
        return s->mx || !str_ieq(value, s->domain);
    return str_ieq(name, S("all")) || str_ieq(name, S("include"))
           || str_ieq(name, S("redirect")) || str_ieq(name, S("exists"));
}

static bool judge(const struct spf *s, str text)
{
    str word;

    if (!str_empty(conf_str(s->r->conf, P_relayhost)))
        return true; /* others see the relay's address, not ours */
    while (str_cut(&text, ' ', &word))
        if (word.n && !is_spf(word) && lets_us(s, word))
            return true;
    return false;
}

void records_spf(struct task *t, struct records *r, str domain, bool mx)
{
    struct spf s = { t, r, domain, mx };
    struct record x = { .type = "TXT", .name = domain,
                        .wanted = S("\"v=spf1 mx -all\"") };
    struct dns_answer said;
    size_t n = 0;

    if (!mx)
        x.wanted = arena_fmt(r->a, "\"v=spf1 mx a:%.*s -all\"",
                             STR(r->host));
    if (records_ask(t, r, domain, DNS_TXT, &said, &x.state)) {
        x.state = RECORD_MISSING;
        for (size_t i = 0; i < said.n; i++) {
            if (!is_spf(said.p[i].data))
                continue;
            n++;
            x.found = arena_fmt(r->a, "\"%.*s\"", STR(said.p[i].data));
            x.state = judge(&s, said.p[i].data) ? RECORD_OK : RECORD_DIFFERS;
        }
    }
    if (n > 1) {
        x.state = RECORD_DIFFERS;
        x.found = arena_fmt(r->a, "%zu records of SPF: none of them counts",
                            n);
    }
    records_add(r, x);
}

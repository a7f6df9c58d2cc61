/* SPDX-License-Identifier: ISC
 *
 * From parameters to lists with their tables open.
 */
#include "policy/judge.h"

struct place {
    enum param param;
    const char *bare_table;
};

static const struct place places[N_LISTS] = {
    [LIST_CLIENT] = { P_smtpd_client_restrictions, "check_client_access" },
    [LIST_HELO] = { P_smtpd_helo_restrictions, "check_helo_access" },
    [LIST_SENDER] = { P_smtpd_sender_restrictions, "check_sender_access" },
    [LIST_RELAY] = { P_smtpd_relay_restrictions, "check_recipient_access" },
    [LIST_RECIPIENT] = { P_smtpd_recipient_restrictions,
                         "check_recipient_access" },
    [LIST_DATA] = { P_smtpd_data_restrictions, "" },
    [LIST_END_OF_DATA] = { P_smtpd_end_of_data_restrictions, "" },
    [LIST_ETRN] = { P_smtpd_etrn_restrictions, "check_etrn_access" },
};

/* --- reading -------------------------------------------------------------- */

static err read_classes(struct arena *a, const struct conf *c,
                        struct rule_classes *out, str *complaint)
{
    struct conf_items names = conf_items(c, P_smtpd_restriction_classes);

    out->p = arena_array(a, struct rule_class, names.n + 1);
    out->n = 0;
    for (size_t i = 0; i < names.n; i++) {
        struct rule_class *class = &out->p[out->n];
        if (!conf_find(c, a, names.p[i], &class->text)
            || str_empty(class->text)) {
            *complaint = arena_fmt(a, "restriction class `%.*s' needs a "
                                      "definition", STR(names.p[i]));
            return ERR_SYNTAX;
        }
        class->name = names.p[i];
        out->n++;
    }
    return rule_classes_read(a, out, complaint);
}

static err check_relay(struct arena *a, const struct policy *p,
                       str *complaint)
{
    if (rule_list_guards(&p->lists[LIST_RELAY])
        || rule_list_guards(&p->lists[LIST_RECIPIENT]))
        return OK;
    *complaint = arena_fmt(a, "in parameter smtpd_relay_restrictions or "
                              "smtpd_recipient_restrictions, specify at "
                              "least one working instance of: "
                              "reject_unauth_destination, "
                              "defer_unauth_destination, reject, defer, "
                              "defer_if_permit or check_relay_domains");
    return ERR_SYNTAX;
}

static err read_list(struct arena *a, const struct conf *c,
                     struct policy *p, size_t i, str *complaint)
{
    struct list_place place = {
        .title = conf_param(places[i].param)->name,
        .bare_table = str_from(places[i].bare_table),
    };

    return rule_list_read(a, &place, &p->classes,
                          conf_str(c, places[i].param), &p->lists[i],
                          complaint);
}

static err read_lists(struct arena *a, const struct conf *c,
                      struct policy *p, str *complaint)
{
    TRY(read_classes(a, c, &p->classes, complaint));
    for (size_t i = 0; i < N_LISTS; i++)
        TRY(read_list(a, c, p, i, complaint));
    return check_relay(a, p, complaint);
}

err policy_check(struct arena *a, const struct conf *c,
                 struct policy_complaints *out)
{
    struct policy p = { 0 };
    str complaint;

    if (read_classes(a, c, &p.classes, &complaint))
        vec_push(a, &out->list, complaint);
    for (size_t i = 0; i < N_LISTS; i++)
        if (read_list(a, c, &p, i, &complaint))
            vec_push(a, &out->list, complaint);
    /* what could not be read may have been the guard */
    if (out->list.n == 0 && check_relay(a, &p, &complaint))
        vec_push(a, &out->list, complaint);
    return out->list.n ? ERR_SYNTAX : OK;
}

/* --- opening -------------------------------------------------------------- */

struct opening {
    struct arena *a;
    const struct conf *c;
    struct tables *tables;
    struct policy *p;
};

static err open_tables(struct task *t, struct opening *o, str title,
                       struct rule_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct rule *r = &list->p[i];
        struct table *tb;

        if (r->operation < DO_ACCESS || r->operation > DO_ACCESS_NS)
            continue;
        TRY(tables_get(t, o->tables, r->argument, &tb));
        r->table.p = arena_array(o->a, struct table *, 1);
        r->table.p[0] = tb;
        r->table.n = 1;
        r->table.title = title;
    }
    return OK;
}

static bool parents_match(const struct conf *c, const char *parameter)
{
    struct conf_items list = conf_items(c,
                                        P_parent_domain_matches_subdomains);

    for (size_t i = 0; i < list.n; i++)
        if (str_ieq(list.p[i], str_from(parameter)))
            return true;
    return false;
}

static err open_match(struct task *t, struct opening *o, enum param p,
                      struct match_list **out)
{
    str name = conf_param(p)->name;

    return match_list_open(t, o->tables, o->a, name, conf_raw(o->c, p),
                           MATCH_ADDRESS,
                           parents_match(o->c, arena_cstr(o->a, name)), out);
}

static err tempfail_of(struct task *t, const struct conf *c, enum param p,
                       enum tempfail *out)
{
    str word = conf_str(c, p);

    if (str_ieq(word, S("defer")))
        *out = TEMPFAIL_DEFER;
    else if (str_ieq(word, S("defer_if_permit")))
        *out = TEMPFAIL_DEFER_IF_PERMIT;
    else
        return why(t, ERR_SYNTAX, "bad parameter value: '%.*s = %.*s'",
                   STR(conf_param(p)->name), STR(word));
    return OK;
}

/* local_header_rewrite_clients: the words that are built. */
static err open_local_clients(struct task *t, struct opening *o)
{
    struct conf_items list = conf_items(o->c,
                                        P_local_header_rewrite_clients);
    struct policy *p = o->p;
    struct buf b;

    buf_init(&b, o->a, 64 * 1024);
    for (size_t i = 0; i < list.n; i++) {
        str word = list.p[i];
        if (str_ieq(word, S("permit_mynetworks"))) {
            p->local_networks = true;
        } else if (str_ieq(word, S("permit_inet_interfaces"))) {
            p->local_interfaces = true;
        } else if (str_ieq(word, S("permit_sasl_authenticated"))) {
            p->local_sasl = true;
        } else if (str_ieq(word, S("check_address_map"))
                   && i + 1 < list.n) {
            i++;
            buf_fmt(&b, " %.*s", STR(list.p[i]));
        } else if (str_chr(word, ':') != STR_NONE) {
            buf_fmt(&b, " %.*s", STR(word));
        } else {
            return why(t, ERR_SYNTAX, "local_header_rewrite_clients: "
                       "\"%.*s\" is not built in", STR(word));
        }
    }
    return match_list_open(t, o->tables, o->a,
                           S("local_header_rewrite_clients"), buf_str(&b),
                           MATCH_ADDRESS, false, &p->local_clients);
}

static void set_values(struct policy *p, const struct conf *c)
{
    struct conf_items protocols = conf_items(c, P_inet_protocols);

    p->codes = (struct action_codes){
        .reject = (int)conf_int(c, P_access_map_reject_code),
        .defer = (int)conf_int(c, P_access_map_defer_code),
    };
    p->null_key = conf_str(c, P_smtpd_null_access_lookup_key);
    p->delay_reject = conf_bool(c, P_smtpd_delay_reject);
    p->soft_bounce = conf_bool(c, P_soft_bounce);
    p->relay_first = conf_bool(c, P_smtpd_relay_before_recipient_restrictions);
    p->untrusted_route = conf_bool(c, P_allow_untrusted_routing);
    p->unlisted_sender = conf_bool(c, P_smtpd_reject_unlisted_sender);
    p->unlisted_recipient = conf_bool(c, P_smtpd_reject_unlisted_recipient);
    p->sasl = conf_bool(c, P_smtpd_sasl_auth_enable);
    for (size_t i = 0; i < protocols.n; i++) {
        p->ip4 |= !str_ieq(protocols.p[i], S("ipv6"));
        p->ip6 |= !str_ieq(protocols.p[i], S("ipv4"));
    }
    p->table_parents = parents_match(c, "smtpd_access_maps")
                           ? MAPS_PARENT_DOMAINS : MAPS_DOT_PARENTS;
}

static err open_everything(struct task *t, struct opening *o)
{
    struct policy *p = o->p;

    for (size_t i = 0; i < N_LISTS; i++)
        TRY(open_tables(t, o, conf_param(places[i].param)->name,
                        &p->lists[i]));
    for (size_t i = 0; i < p->classes.n; i++)
        TRY(open_tables(t, o, p->classes.p[i].name, &p->classes.p[i].list));
    TRY(open_match(t, o, P_mynetworks, &p->mynetworks));
    if (!str_empty(conf_raw(o->c, P_permit_mx_backup_networks)))
        TRY(open_match(t, o, P_permit_mx_backup_networks,
                       &p->mx_backup_networks));
    TRY(maps_open(t, o->tables, o->a, S("relay_clientcerts"),
                  conf_raw(o->c, P_relay_clientcerts), &p->certificates));
    TRY(maps_open(t, o->tables, o->a, S("smtpd_sender_login_maps"),
                  conf_raw(o->c, P_smtpd_sender_login_maps), &p->login));
    TRY(maps_open(t, o->tables, o->a, S("rbl_reply_maps"),
                  conf_raw(o->c, P_rbl_reply_maps), &p->rbl_replies));
    TRY(maps_open(t, o->tables, o->a, S("smtpd_reject_footer_maps"),
                  conf_raw(o->c, P_smtpd_reject_footer_maps), &p->footers));
    if (!str_empty(conf_raw(o->c, P_smtpd_log_access_permit_actions)))
        TRY(match_list_open(t, o->tables, o->a,
                            S("smtpd_log_access_permit_actions"),
                            conf_raw(o->c, P_smtpd_log_access_permit_actions),
                            MATCH_STRING, false, &p->permit_log));
    TRY(tempfail_of(t, o->c, P_unknown_helo_hostname_tempfail_action,
                    &p->helo_tempfail));
    TRY(tempfail_of(t, o->c, P_unknown_address_tempfail_action,
                    &p->address_tempfail));
    return open_local_clients(t, o);
}

err policy_open(struct task *t, struct arena *a, const struct conf *c,
                struct tables *tables, const struct route *route,
                struct dns *dns, struct policy **out)
{
    struct policy *p = arena_new(a, struct policy);
    struct opening o = { .a = a, .c = c, .tables = tables, .p = p };
    str complaint;

    p->conf = c;
    p->route = route;
    p->dns = dns;
    set_values(p, c);
    if (read_lists(a, c, p, &complaint))
        return why(t, ERR_SYNTAX, "%.*s", STR(complaint));
    TRY(open_everything(t, &o));
    *out = p;
    return OK;
}

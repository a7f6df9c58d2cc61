/* SPDX-License-Identifier: ISC
 *
 * What came out of the mail system, against the ledger.
 *
 * F  A letter arrives as it was written, and only if its end was sent.
 * G  What was delivered, and whose client was seen to have read so, is not
 *    delivered again, unless something was killed meanwhile or shortly
 *    afterwards.
 * H  Nobody bounces who was not refused.
 */
#include "test/world/mail.h"

enum { GRACE_US = 2 * 1000 * 1000 };

/* "r12.3@dest.test": the domain says which way it goes. */
struct addressee *addressee_find(struct world_mail *w, str address)
{
    struct letter *l;
    uint64_t id, i;
    str part;

    if (address.n < 2 || address.p[0] != 'r')
        return NULL;
    address = str_skip(address, 1);
    if (!str_cut(&address, '.', &part) || !str_uint(part, UINT32_MAX, &id)
        || !str_cut(&address, '@', &part) || !str_uint(part, 3, &i))
        return NULL;
    l = letter_find(w, id);
    return l && (int)i < l->n_rcpts ? &l->to[i] : NULL;
}

static bool crashed_between(const struct world_mail *w, when from, when to)
{
    for (size_t i = 0; i < w->crashes.n; i++)
        if (w->crashes.p[i] > from - GRACE_US
            && w->crashes.p[i] < to + GRACE_US)
            return true;
    return false;
}

static void deliver_one(struct task *t, struct arrival *v,
                        struct addressee *a, uint64_t id)
{
    struct world_mail *w = v->w;

    if (a->n_delivered > 0) {
        w->r->tally->duplicates++;
        if (a->confirmed && a->sure && v->began > a->confirmed
            && !crashed_between(w, a->began, a->delivered))
            broken(w->r, "G: letter %" PRIu64 " came again at %.3f s; it was "
                   "delivered at %.3f s", id, (double)rt_now(t) / 1e6,
                   (double)a->delivered / 1e6);
    }
    a->n_delivered++;
    a->began = v->began;
    a->delivered = rt_now(t);
    a->sure = !sim_faults(t)->slow && !sim_faults(t)->sync_slow;
    a->confirmed = 0;
    w->r->tally->delivered++;
    sim_say(t, "delivered letter %" PRIu64, id);
    if (v->n_to < ARRIVAL_RCPTS)
        v->to[v->n_to++] = a;
}

/* A report: the recipients it is about. */
static void on_report(struct arrival *v, str text)
{
    str one;

    while (str_cut(&text, '\n', &one)) {
        struct addressee *a;
        if (!str_starts(one, S("Final-Recipient: rfc822; ")))
            continue;
        a = addressee_find(v->w, str_trim(str_skip(one, 25)));
        if (!a)
            continue;
        if (!a->rejected)
            broken(v->w->r, "H: bounced, but never refused: %.*s", STR(one));
        a->bounced = true;
        v->w->r->tally->bounced++;
    }
}

static void check_text(struct arrival *v, const struct letter *l, str text)
{
    struct buf want;

    buf_init(&want, NULL, 1 << 20);
    letter_text(l, &want);
    if (!str_eq(text, buf_str(&want)))
        broken(v->w->r, "F: letter %" PRIu64 " is not what was sent: %zu "
               "bytes of %zu", l->id, text.n, want.n);
    if (!l->sent)
        broken(v->w->r, "F: letter %" PRIu64 " was never sent", l->id);
    buf_free(&want);
}

void arrived(struct task *t, struct arrival *v, str text)
{
    size_t at = str_find(text, S("X-Sim: "));
    struct letter *l;
    uint64_t id = 0;
    str rest, number;

    if (v->null_sender) {
        on_report(v, text);
        return;
    }
    rest = at == STR_NONE ? S("") : str_skip(text, at);
    number = str_skip(rest, 7);
    number = str_head(number, str_chr(number, '\r') == STR_NONE
                                  ? 0 : str_chr(number, '\r'));
    if (!str_uint(number, UINT32_MAX, &id) || !(l = letter_find(v->w, id))) {
        broken(v->w->r, "F: a letter nobody wrote: %.*s", STR(number));
        return;
    }
    check_text(v, l, rest);
    for (size_t i = 0; i < v->n_rcpts; i++) {
        struct addressee *a = addressee_find(v->w, v->rcpts[i]);
        if (!a || a < l->to || a >= l->to + l->n_rcpts)
            broken(v->w->r, "F: letter %" PRIu64 " for %.*s", id,
                   STR(v->rcpts[i]));
        else
            deliver_one(t, v, a, id);
    }
}

/* SPDX-License-Identifier: ISC
 *
 * An IMAP session after login: one loop, a table of commands, and what is
 * told between them.
 *
 * I1  Rows are numbered as the client numbers them at all times: EXPUNGE is
 *     told only where RFC 3501 section 7.4.1 allows it.
 * I2  The memory of a command ends with it; what an idle session keeps is a
 *     view that dozes.
 */
#include "imap/session.h"

#include "mail/structure.h"

enum {
    BAD_MAX = 20,
    COMMAND_MAX = 256 * 1024,
    LITERAL_MAX = 64 * 1024,
    DOZE_S = 5,                 /* idle for so long: give memory back */
    SCRATCH_MAX = 256 << 20,
    TELL_AGAIN_MAX = 1000,
};

static const struct command {
    str name;
    imap_fn *fn;
    bool selected, bare;
} commands[] = {
#define COMMAND(name, fn, selected, bare)                                     \
    { S_INIT(name), imap_##fn, selected, bare },
#include "imap/commands.def"
#undef COMMAND
};

when imap_until(struct task *t, const struct imap *im)
{
    return after_s(t, im->o->idle_s);
}

err imap_drain(struct task *t, struct imap *im)
{
    err e = conn_drain(t, im->conn, imap_until(t, im));

    if (!e && task_stopped(t))
        e = ERR_STOPPED;

    if (e && e != ERR_STOPPED)
        im->over = true;
    return e;
}

static const struct command *command_find(str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_eq(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* --- answers ------------------------------------------------------------- */

err imap_done(struct task *t, struct imap *im, struct imap_command *cmd,
              str text)
{
    if (im->view)
        TRY(imap_tell(t, im, !im->bare));
    conn_fmt(im->conn, "%.*s ", STR(cmd->tag));
    conn_put(im->conn, text);
    conn_put(im->conn, S("\r\n"));
    return OK;
}

err imap_bad(struct task *t, struct imap *im, struct imap_command *cmd)
{
    im->n_bad++;
    return imap_done(t, im, cmd,
                     arena_fmt(&im->scratch,
                               "BAD Error in IMAP command %.*s: %s.",
                               STR(cmd->name), cmd->args.error
                                   ? cmd->args.error
                                   : "Unknown command"));
}

static void note(struct task *t, struct imap *im, const char *event, str text)
{
    if (im->o->note)
        im->o->note(t, im->o->self, event, text);
}

err imap_failed(struct task *t, struct imap *im, struct imap_command *cmd,
                err e)
{
    str reason = str_from(task_why(t)), text;

    if (im->over)
        return e;               /* nobody hears us any more */
    switch (e) {
    case ERR_ABSENT:
        text = S("NO [NONEXISTENT] Mailbox doesn't exist");
        break;
    case ERR_DENIED:
        text = S("NO [NOPERM] Permission denied");
        break;
    case ERR_SYNTAX:
        text = S("NO [CANNOT] Invalid mailbox name");
        break;
    case ERR_LIMIT:
        text = str_istarts(reason, S("Quota"))
                   ? arena_cat(&im->scratch, S("NO [OVERQUOTA] "), reason)
                   : arena_cat(&im->scratch, S("NO [LIMIT] "), reason);
        break;
    case ERR_LATE:
        text = S("NO [INUSE] Mailbox is locked, try again later");
        break;
    case ERR_END:
    case ERR_STOPPED:
        return e;
    case ERR_CORRUPT:
        if (im->view)
            return e;
        /* fall through */
    default:
        note(t, im, "error", reason);
        text = S("NO [SERVERBUG] Internal error occurred. Refer to server "
                 "log for more information.");
        break;
    }
    return imap_done(t, im, cmd, text);
}

void imap_put_string(struct imap *im, str s)
{
    struct buf b;

    buf_init(&b, &im->scratch, s.n * 2 + 64);
    structure_string(&b, s);
    conn_put(im->conn, buf_str(&b));
}

static bool is_plain_atom(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 127
            || str_chr(S("(){%*\"\\"), (char)c) != STR_NONE)
            return false;
    }
    return s.n > 0 && !str_ieq(s, S("NIL"));
}

void imap_put_astring(struct imap *im, str s)
{
    if (is_plain_atom(s))
        conn_put(im->conn, s);
    else
        imap_put_string(im, s);
}

void imap_put_set(struct imap *im, const uint32_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t j = i;

        while (j + 1 < n && p[j + 1] == p[j] + 1)
            j++;
        conn_fmt(im->conn, "%s%" PRIu32, i ? "," : "", p[i]);
        if (j > i)
            conn_fmt(im->conn, ":%" PRIu32, p[j]);
        i = j + 1;
    }
}

/* --- what changed -------------------------------------------------------- */

static const struct {
    uint8_t flag;
    str name;
} flag_names[] = {
    { FLAG_ANSWERED, S_INIT("\\Answered") },
    { FLAG_FLAGGED, S_INIT("\\Flagged") },
    { FLAG_DELETED, S_INIT("\\Deleted") },
    { FLAG_SEEN, S_INIT("\\Seen") }, { FLAG_DRAFT, S_INIT("\\Draft") },
};

void imap_put_flags(struct imap *im, const struct row *r)
{
    const char *space = "";

    conn_put(im->conn, S("("));
    for (size_t i = 0; i < 5; i++) {
        if (r->flags & flag_names[i].flag) {
            conn_fmt(im->conn, "%s%.*s", space, STR(flag_names[i].name));
            space = " ";
        }
    }
    if (view_row_recent(im->view, r)) {
        conn_fmt(im->conn, "%s\\Recent", space);
        space = " ";
    }
    for (size_t i = 0; i < view_n_keywords(im->view); i++) {
        str word = view_keyword(im->view, i);
        if ((r->keywords >> i & 1) && word.n) {
            conn_fmt(im->conn, "%s%.*s", space, STR(word));
            space = " ";
        }
    }
    conn_put(im->conn, S(")"));
}

/* All names of flags, as FLAGS and PERMANENTFLAGS list them. */
static void put_all_flags(struct imap *im, int rights, bool permanent)
{
    const char *space = "";

    conn_put(im->conn, S("("));
    for (size_t i = 0; i < 5; i++) {
        int need = flag_names[i].flag == FLAG_SEEN ? RIGHT_SEEN
                 : flag_names[i].flag == FLAG_DELETED ? RIGHT_DELETE
                 : RIGHT_WRITE;
        if (permanent && !(rights & need))
            continue;
        conn_fmt(im->conn, "%s%.*s", space, STR(flag_names[i].name));
        space = " ";
    }
    for (size_t i = 0; i < view_n_keywords(im->view); i++) {
        str word = view_keyword(im->view, i);
        if (!word.n || (permanent && !(rights & RIGHT_WRITE)))
            continue;
        conn_fmt(im->conn, "%s%.*s", space, STR(word));
        space = " ";
    }
    if (permanent && (rights & RIGHT_WRITE)
        && view_n_keywords(im->view) < INDEX_KEYWORDS_MAX)
        conn_fmt(im->conn, "%s\\*", space);
    conn_put(im->conn, S(")"));
}

/* Names may be new, and they may be others under the old bits. */
static uint64_t words_hash(const struct imap *im)
{
    uint64_t h = 0;

    for (size_t i = 0; i < view_n_keywords(im->view); i++)
        h = (h ^ str_hash(view_keyword(im->view, i), false))
            * UINT64_C(0x9e3779b97f4a7c15);
    return h;
}

void imap_tell_words(struct imap *im)
{
    if (im->words != words_hash(im))
        imap_put_flag_names(im, true);
}

void imap_put_flag_names(struct imap *im, bool permanent)
{
    int rights = view_read_only(im->view) ? 0 : view_rights(im->view);

    im->words = words_hash(im);
    conn_put(im->conn, S("* FLAGS "));
    put_all_flags(im, rights, false);
    conn_put(im->conn, S("\r\n"));
    if (!permanent)
        return;
    conn_put(im->conn, S("* OK [PERMANENTFLAGS "));
    put_all_flags(im, rights, true);
    conn_put(im->conn, rights ? S("] Flags permitted.\r\n")
                              : S("] Read-only mailbox.\r\n"));
}

void imap_put_flags_row(struct imap *im, uint32_t seq, bool uid)
{
    const struct row *r = view_row(im->view, seq);

    imap_tell_words(im);
    conn_fmt(im->conn, "* %" PRIu32 " FETCH (", seq);
    if (uid)
        conn_fmt(im->conn, "UID %" PRIu32 " ", r->uid);
    if (im->condstore)
        conn_fmt(im->conn, "MODSEQ (%" PRIu64 ") ", r->modseq);
    conn_put(im->conn, S("FLAGS "));
    imap_put_flags(im, r);
    conn_put(im->conn, S(")\r\n"));
}

void imap_use_condstore(struct imap *im)
{
    if (im->condstore)
        return;
    im->condstore = true;
    if (im->view)
        conn_fmt(im->conn, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n",
                 view_modseq(im->view));
}

void imap_put_recent(struct imap *im)
{
    im->n_recent = view_recent(im->view);
    conn_fmt(im->conn, "* %" PRIu32 " RECENT\r\n", im->n_recent);
}

err imap_tell(struct task *t, struct imap *im, bool expunges)
{
    struct view_change c;

    TRY(view_refresh(t, im->view));
    while (view_change_next(im->view, expunges, &c)) {
        switch (c.kind) {
        case CHANGE_EXPUNGE:
            conn_fmt(im->conn, "* %" PRIu32 " EXPUNGE\r\n", c.n);
            break;
        case CHANGE_EXISTS:
            conn_fmt(im->conn, "* %" PRIu32 " EXISTS\r\n", c.n);
            break;
        case CHANGE_FLAGS:
            imap_put_flags_row(im, c.n, false);
            break;
        }
        TRY(imap_drain(t, im));
    }
    if (view_recent(im->view) != im->n_recent)
        imap_put_recent(im);
    return OK;
}

/* --- sets ---------------------------------------------------------------- */

/* Marks the rows of one range; false if it is out of range. */
static bool range_mark(struct imap *im, struct set_range r, bool uid,
                       bool *chosen)
{
    uint32_t count = view_count(im->view);

    if (uid) {
        r.from = view_seq_from(im->view, r.from);
        r.to = view_seq_from(im->view, r.to + 1) - 1;
    } else if (r.from < 1 || r.to > count) {
        return false;
    }
    for (uint32_t i = r.from; i <= r.to && i <= count; i++)
        chosen[i - 1] = true;
    return true;
}

bool imap_seqs(struct imap *im, const struct set *set, bool uid,
               struct seqs *out)
{
    uint32_t count = view_count(im->view);
    uint32_t last = uid && count ? view_row(im->view, count)->uid : count;
    struct set all = set_resolve(&im->scratch, set, last);
    bool *chosen = arena_array(&im->scratch, bool, count + 1);
    uint32_t *p = arena_array(&im->scratch, uint32_t, count + 1);
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++)
        if (!range_mark(im, all.p[i], uid, chosen))
            return false;
    for (size_t i = 0; set->saved && i < im->n_saved; i++) {
        uint32_t seq = view_seq_from(im->view, im->saved[i]);
        if (seq <= count && view_row(im->view, seq)->uid == im->saved[i])
            chosen[seq - 1] = true;
    }
    for (uint32_t i = 0; i < count; i++)
        if (chosen[i])
            p[n++] = i + 1;
    *out = (struct seqs){ p, n };
    return true;
}

void imap_save(struct imap *im, const uint32_t *seqs, size_t n)
{
    heap_free(im->saved);
    im->saved = n ? heap_alloc(n * sizeof(uint32_t)) : NULL;
    im->n_saved = n;
    for (size_t i = 0; i < n; i++)
        im->saved[i] = view_row(im->view, seqs[i])->uid;
}

void imap_unselect(struct imap *im)
{
    imap_message_close(&im->message);
    view_close(im->view);
    im->view = NULL;
    imap_save(im, NULL, 0);
}

/* --- the loop ------------------------------------------------------------ */

static err dispatch(struct task *t, struct imap *im, struct imap_command *cmd)
{
    const struct command *c = command_find(cmd->name);

    im->bare = c && c->bare;
    if (im->view)
        TRY(view_wake(t, im->view));
    if (cmd->body.there && (!c || c->fn != imap_on_append))
        return why(t, ERR_END, "unexpected literal");
    if (!c) {
        cmd->args.error = "Unknown command";
        return imap_bad(t, im, cmd);
    }
    if (c->selected && !im->view) {
        im->n_bad++;
        return imap_done(t, im, cmd, S("BAD No mailbox selected."));
    }
    return c->fn(t, im, cmd);
}

/* Waits for a command; a view that waits for long dozes. */
static err wait_command(struct task *t, struct imap *im)
{
    when end = imap_until(t, im), doze = after_s(t, DOZE_S);
    err e;

    if (conn_pending(im->conn))
        return OK;
    e = conn_wait(t, im->conn, doze < end ? doze : end);
    if (e != ERR_LATE || rt_now(t) >= end)
        return e;
    store_doze(im->st);
    imap_message_close(&im->message);
    if (im->view)
        view_doze(im->view);
    return conn_wait(t, im->conn, end);
}

static err one_command(struct task *t, struct imap *im)
{
    struct imap_limits limits = { COMMAND_MAX, LITERAL_MAX, im->o->idle_s };
    struct imap_command cmd;
    uint32_t n_bad;
    err e;

    TRY(wait_command(t, im));
    e = imap_command_read(t, im->conn, &im->scratch, &limits, &cmd);
    if (e == ERR_SYNTAX) {
        im->n_bad++;
        conn_fmt(im->conn, "%.*s BAD %s\r\n", STR(cmd.tag),
                 cmd.too_long ? "[TOOBIG] Too long argument."
                              : "Error in IMAP command received by server.");
        return OK;
    }
    TRY(e);
    n_bad = im->n_bad;
    e = dispatch(t, im, &cmd);
    if (im->n_bad == n_bad)
        im->n_bad = 0;          /* only those in a row count */
    if (!e && arena_over(&im->scratch))
        e = why(t, ERR_LIMIT, "command needs too much memory");
    return e;
}

static void put_welcome(struct imap *im)
{
    if (im->o->tag.n)
        conn_fmt(im->conn, "%.*s OK [CAPABILITY " IMAP_CAPABILITIES "] "
                 "Logged in\r\n", STR(im->o->tag));
    else
        conn_fmt(im->conn, "* PREAUTH [CAPABILITY " IMAP_CAPABILITIES "] "
                 "Logged in as %.*s\r\n", STR(im->o->user));
}

/* The last words to a client, if it can still hear them. */
static void put_bye(struct task *t, struct imap *im, err e)
{
    str reason = str_from(task_why(t));

    switch (e) {
    case ERR_LATE:
        reason = S("inactivity");
        conn_put(im->conn, S("* BYE Disconnected for inactivity.\r\n"));
        break;
    case ERR_CORRUPT:
        conn_put(im->conn, S("* BYE Mailbox was deleted or made anew.\r\n"));
        break;
    case ERR_LIMIT:
    case ERR_IO:
        conn_put(im->conn, S("* BYE Internal error occurred. Refer to "
                             "server log for more information.\r\n"));
        break;
    case ERR_STOPPED:
        conn_put(im->conn, S("* BYE Server shutting down.\r\n"));
        break;
    default:
        return;
    }
    note(t, im, "ended", reason);
    err_ignore(conn_flush(t, im->conn, after_s(t, 5)));
}

err imap_session(struct task *t, struct conn *c, struct store *st,
                 const struct reading_options *o)
{
    struct imap im = { .conn = c, .st = st, .o = o };
    err e = OK;

    arena_init(&im.scratch, SCRATCH_MAX);
    put_welcome(&im);
    while (!e && !im.over) {
        arena_reset(&im.scratch);       /* I2 */
        e = one_command(t, &im);
        if (!e && im.n_bad >= BAD_MAX) {
            conn_put(c, S("* BYE Too many invalid IMAP commands.\r\n"));
            im.over = true;
        }
    }
    put_bye(t, &im, e);
    if (!e)
        e = conn_flush(t, c, imap_until(t, &im));
    imap_unselect(&im);
    arena_reset(&im.scratch);
    return e;
}

void imap_refuse(struct conn *c, const struct reading_options *o)
{
    conn_fmt(c, "%.*s NO [UNAVAILABLE] Internal error occurred. Refer to "
             "server log for more information.\r\n", STR(o->tag));
    conn_put(c, S("* BYE Mailbox cannot be opened.\r\n"));
}

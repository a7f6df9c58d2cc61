/* SPDX-License-Identifier: ISC
 *
 * LIST, with selection and return options (RFC 5258, 5819, 6154), and LSUB.
 */
#include "imap/glob.h"
#include "imap/session.h"

enum { PATTERNS_MAX = 50 };

enum list_options {
    SELECT_SUBSCRIBED = 1,
    SELECT_RECURSIVE = 2,
    SELECT_SPECIAL = 4,
    SELECT_REMOTE = 8,
    RETURN_SUBSCRIBED = 16,
    RETURN_CHILDREN = 32,
    RETURN_SPECIAL = 64,
    RETURN_STATUS = 128,
    LIST_LSUB = 256,
    LIST_EXTENDED = 512,
    LIST_ROOT = 1024,       /* the pattern is empty: only the separator */
};

struct list_job {
    int options, status_items;
    struct map *above;      /* levels with a mailbox below that is selected
                               and that no pattern matches */
    str patterns[PATTERNS_MAX];
    size_t n;
};

static bool parse_selection(struct args *x, struct list_job *job)
{
    static const struct {
        str name;
        int option;
    } known[] = {
        { S_INIT("SUBSCRIBED"), SELECT_SUBSCRIBED | RETURN_SUBSCRIBED },
        { S_INIT("RECURSIVEMATCH"), SELECT_RECURSIVE },
        { S_INIT("SPECIAL-USE"), SELECT_SPECIAL | RETURN_SPECIAL },
        { S_INIT("REMOTE"), SELECT_REMOTE },
    };
    str word;

    job->options |= LIST_EXTENDED;
    if (args_close(x))
        return true;
    do {
        size_t i;
        if (!args_atom(x, &word))
            return false;
        for (i = 0; i < 4 && !str_ieq(word, known[i].name);)
            i++;
        if (i == 4)
            return args_fail(x, "Unknown selection option");
        job->options |= known[i].option;
    } while (args_more(x));
    if ((job->options & SELECT_RECURSIVE)
        && !(job->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL)))
        return args_fail(x, "RECURSIVEMATCH must not be the only selection "
                            "option");
    return args_finish(x);
}

static bool parse_patterns(struct args *x, struct list_job *job)
{
    if (!args_open(x)) {
        job->n = 1;
        return args_pattern(x, &job->patterns[0]);
    }
    job->options |= LIST_EXTENDED;
    do {
        if (job->n == PATTERNS_MAX)
            return args_fail(x, "Too many patterns");
        if (!args_pattern(x, &job->patterns[job->n++]))
            return false;
    } while (args_more(x));
    return args_finish(x);
}

static bool parse_return(struct args *x, struct list_job *job)
{
    str word;

    if (!args_more(x))
        return true;
    if (!args_atom(x, &word) || !str_ieq(word, S("RETURN")))
        return args_fail(x, "Expected RETURN");
    job->options |= LIST_EXTENDED;
    args_space(x);
    args_begin(x);
    if (args_close(x))
        return true;
    do {
        if (!args_atom(x, &word))
            return false;
        if (str_ieq(word, S("SUBSCRIBED"))) {
            job->options |= RETURN_SUBSCRIBED;
        } else if (str_ieq(word, S("CHILDREN"))) {
            job->options |= RETURN_CHILDREN;
        } else if (str_ieq(word, S("SPECIAL-USE"))) {
            job->options |= RETURN_SPECIAL;
        } else if (str_ieq(word, S("STATUS"))) {
            job->options |= RETURN_STATUS;
            args_space(x);
            if (x->error || !imap_status_items(x, &job->status_items))
                return false;
        } else {
            return args_fail(x, "Unknown return option");
        }
    } while (args_more(x));
    return args_finish(x);
}

/* The reference goes in front of each pattern. */
static bool parse(struct imap *im, struct args *x, struct list_job *job)
{
    str reference;

    args_space(x);
    if (!(job->options & LIST_LSUB) && args_open(x)) {
        if (!parse_selection(x, job))
            return false;
        args_space(x);
    }
    args_astring(x, &reference);
    args_space(x);
    if (x->error || !parse_patterns(x, job))
        return false;
    if (!(job->options & LIST_LSUB) && !parse_return(x, job))
        return false;
    if (!(job->options & (LIST_LSUB | LIST_EXTENDED)))
        job->options |= job->patterns[0].n ? RETURN_SPECIAL : LIST_ROOT;
    for (size_t i = 0; i < job->n && reference.n; i++)
        job->patterns[i] = arena_cat(&im->scratch, reference,
                                     job->patterns[i]);
    return args_end(x);
}

static bool matches(const struct imap *im, const struct list_job *job,
                    str name)
{
    for (size_t i = 0; i < job->n; i++)
        if (glob_match(job->patterns[i], name, store_separator(im->st)))
            return true;
    return false;
}

static const struct {
    int attribute, need;    /* need: an option that must be on; 0: none */
    str name;
} attribute_names[] = {
    { BOX_ABSENT, 0, S_INIT("\\NonExistent") },
    { BOX_SUBSCRIBED, RETURN_SUBSCRIBED, S_INIT("\\Subscribed") },
    { BOX_ALL, RETURN_SPECIAL, S_INIT("\\All") },
    { BOX_ARCHIVE, RETURN_SPECIAL, S_INIT("\\Archive") },
    { BOX_DRAFTS, RETURN_SPECIAL, S_INIT("\\Drafts") },
    { BOX_FLAGGED, RETURN_SPECIAL, S_INIT("\\Flagged") },
    { BOX_JUNK, RETURN_SPECIAL, S_INIT("\\Junk") },
    { BOX_SENT, RETURN_SPECIAL, S_INIT("\\Sent") },
    { BOX_TRASH, RETURN_SPECIAL, S_INIT("\\Trash") },
};

static void put_box(struct imap *im, const struct list_job *job, str name,
                    int attributes, bool child_info)
{
    bool lsub = job->options & LIST_LSUB;
    const char *space = "";

    conn_put(im->conn, lsub ? S("* LSUB (") : S("* LIST ("));
    if (attributes & BOX_NOSELECT) {
        conn_put(im->conn, job->options & LIST_EXTENDED
                               ? S("\\NonExistent") : S("\\Noselect"));
        space = " ";
    }
    for (size_t i = 0; i < 9 && !lsub; i++) {
        if (!(attributes & attribute_names[i].attribute)
            || (attribute_names[i].need
                && !(job->options & attribute_names[i].need)))
            continue;
        conn_fmt(im->conn, "%s%.*s", space, STR(attribute_names[i].name));
        space = " ";
    }
    if (!lsub && !(attributes & BOX_ABSENT)
        && (!(job->options & LIST_EXTENDED)
            || (job->options & RETURN_CHILDREN)))
        conn_fmt(im->conn, "%s\\Has%sChildren", space,
                 attributes & BOX_CHILDREN ? "" : "No");
    conn_fmt(im->conn, ") \"%c\" ", store_separator(im->st));
    imap_put_astring(im, name);
    if (child_info)
        conn_put(im->conn, job->options & SELECT_SUBSCRIBED
                     ? S(" (CHILDINFO (\"SUBSCRIBED\"))")
                     : S(" (CHILDINFO (\"SPECIAL-USE\"))"));
    conn_put(im->conn, S("\r\n"));
}

/* Whether the selection options mean it. */
static bool selected(const struct list_job *job, int attributes)
{
    if ((job->options & SELECT_SUBSCRIBED) && !(attributes & BOX_SUBSCRIBED))
        return false;
    return !(job->options & SELECT_SPECIAL) || (attributes & BOX_SPECIAL);
}

/* For RECURSIVEMATCH (RFC 5258 section 4): a child that is told of itself
 * needs no word from its parent. */
static void find_above(struct imap *im, struct list_job *job,
                       const struct boxes *boxes)
{
    char sep = store_separator(im->st);

    for (size_t i = 0; i < boxes->n; i++) {
        str name = boxes->p[i].name;
        size_t at;

        if (!selected(job, boxes->p[i].attributes) || matches(im, job, name))
            continue;
        while ((at = str_rchr(name, sep)) != STR_NONE) {
            name = str_head(name, at);
            if (map_put(job->above, name, job))
                break;          /* and what is above it too */
        }
    }
}

/* Whether a mailbox is told of. */
static bool wanted(const struct imap *im, const struct list_job *job,
                   const struct box *b, bool *child_info)
{
    *child_info = (job->options & SELECT_RECURSIVE)
                  && map_get(job->above, b->name);
    if (!matches(im, job, b->name))
        return false;
    if (*child_info)
        return true;
    if ((b->attributes & BOX_ABSENT) && !(job->options & SELECT_SUBSCRIBED))
        return false;
    return selected(job, b->attributes);
}

/* The answer to LIST "" "": the separator.  A reference is no level of its
 * own here, so the root of each is empty. */
static void put_root(struct imap *im, bool lsub)
{
    conn_fmt(im->conn, "* %s (\\Noselect) \"%c\" \"\"\r\n",
             lsub ? "LSUB" : "LIST", store_separator(im->st));
}

/* Levels that are no mailboxes, above subscribed ones that are gone. */
static void levels_above(struct imap *im, const struct list_job *job,
                         struct map *told)
{
    size_t at = 0;
    void *value;
    str name;

    while (map_next(job->above, &at, &name, &value))
        if (!map_get(told, name) && matches(im, job, name))
            put_box(im, job, name, BOX_NOSELECT | BOX_CHILDREN, true);
}

/* LSUB with '%' also tells of levels above what is subscribed where that
 * itself does not match. */
static void lsub_levels(struct imap *im, const struct list_job *job,
                        const struct boxes *boxes, struct map *told)
{
    char sep = store_separator(im->st);

    for (size_t i = 0; i < boxes->n; i++) {
        str name = boxes->p[i].name;
        size_t at;

        if (!(boxes->p[i].attributes & BOX_SUBSCRIBED)
            || matches(im, job, name))
            continue;           /* not, or told of itself */
        while ((at = str_rchr(name, sep)) != STR_NONE) {
            name = str_head(name, at);
            if (map_get(told, name) || !matches(im, job, name))
                continue;
            map_put(told, name, told);
            put_box(im, job, name, BOX_NOSELECT, false);
        }
    }
}

static err list(struct task *t, struct imap *im, struct list_job *job)
{
    struct map *told = map_new(&im->scratch, false);
    struct boxes boxes;

    TRY(store_list(t, im->st, &im->scratch, &boxes));
    job->above = map_new(&im->scratch, false);
    if (job->options & SELECT_RECURSIVE)
        find_above(im, job, &boxes);
    for (size_t i = 0; i < boxes.n; i++) {
        const struct box *b = &boxes.p[i];
        int attributes = b->attributes;
        bool child_info;

        task_breathe(t);
        if (!wanted(im, job, b, &child_info))
            continue;
        map_put(told, b->name, told);
        if ((job->options & LIST_LSUB) && (attributes & BOX_ABSENT))
            attributes &= ~BOX_ABSENT;
        put_box(im, job, b->name, attributes, child_info);
        if ((job->options & RETURN_STATUS)
            && !(attributes & (BOX_NOSELECT | BOX_ABSENT))) {
            err e = imap_put_status(t, im, b->name, job->status_items);
            if (e && e != ERR_ABSENT)   /* it may be gone by now */
                return e;
        }
        TRY(imap_drain(t, im));
    }
    if (job->options & SELECT_RECURSIVE)
        levels_above(im, job, told);
    if (job->options & LIST_LSUB)
        lsub_levels(im, job, &boxes, told);
    return OK;
}

err imap_on_list(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct list_job *job = arena_new(&im->scratch, struct list_job);
    err e = OK;

    if (!parse(im, &cmd->args, job))
        return imap_bad(t, im, cmd);
    if (job->status_items & STATUS_MODSEQ)
        imap_use_condstore(im);
    if (job->options & LIST_ROOT)
        put_root(im, false);
    else
        e = list(t, im, job);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK List completed."));
}

err imap_on_lsub(struct task *t, struct imap *im, struct imap_command *cmd)
{
    struct list_job *job = arena_new(&im->scratch, struct list_job);
    err e = OK;

    job->options = LIST_LSUB | SELECT_SUBSCRIBED;
    if (!parse(im, &cmd->args, job))
        return imap_bad(t, im, cmd);
    if (job->n == 1 && !job->patterns[0].n)
        put_root(im, true);
    else
        e = list(t, im, job);
    return e ? imap_failed(t, im, cmd, e)
             : imap_done(t, im, cmd, S("OK Lsub completed."));
}

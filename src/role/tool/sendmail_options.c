/* SPDX-License-Identifier: ISC
 *
 * The options of sendmail(1), those of the original that mean nothing here
 * included.
 */
#include "role/tool/sendmail.h"

#include <sysexits.h>

/* By the names of mailq and newaliases it takes -c as other commands do; by
 * its own -c is an old option without a value and a meaning. */
static const char letters[] = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q:r:tvx";
static const char other_letters[] =
    "A:B:C:F:GIL:N:O:R:UV:X:b:c:e:f:h:imno:p:q:r:tvx";
static const str verp_letters = S_INIT("-=+");

static bool fail(struct sendmail *sm, const char *fmt, const char *text)
    __attribute__((format(printf, 2, 0)));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static bool fail(struct sendmail *sm, const char *fmt, const char *text)
{
    tool_fatal(sm->args, fmt, text);
    return false;
}
#pragma GCC diagnostic pop

static bool on_mode(struct sendmail *sm, const char *value)
{
    switch (value[0]) {
    case 'm': sm->mode = SENDMAIL_MAIL; return true;
    case 'p': sm->mode = SENDMAIL_LIST; return true;
    case 'i': sm->mode = SENDMAIL_ALIASES; return true;
    case 's': sm->mode = SENDMAIL_SERVER; return true;
    case 'd':
    case 'l': sm->mode = SENDMAIL_DAEMON; return true;
    case 'h':
    case 'H': sm->mode = SENDMAIL_NOTHING; return true;
    case 'v':
        return fail(sm, "%s: verifying addresses is not available here",
                    "-bv");
    default:
        return fail(sm, "unsupported: -b%s", value);
    }
}

static bool on_queue(struct sendmail *sm, const char *value)
{
    if (is_digit(value[0])) {
        /* an interval: queue_run_delay is what counts; "-bd -q15m" is how
         * the original was started */
        if (sm->mode != SENDMAIL_DAEMON)
            sm->mode = SENDMAIL_NOTHING;
        return true;
    }
    sm->mode = SENDMAIL_FLUSH;
    switch (value[0]) {
    case 'I':
    case 'R':
        sm->flush = value[0] == 'I' ? 'i' : 's';
        sm->flush_what = value + 1;
        if (value[1])
            return true;
        return fail(sm, "specify: %s", value[0] == 'I' ? "-qIqueueid"
                                                       : "-qRsitename");
    default:
        return fail(sm, "-q%s is not implemented", value);
    }
}

static bool on_notify(struct sendmail *sm, const char *value)
{
    static const struct { str word; int bit; } words[] = {
        { S_INIT("success"), NOTIFY_SUCCESS },
        { S_INIT("failure"), NOTIFY_FAILURE },
        { S_INIT("delay"), NOTIFY_DELAY },
        { S_INIT("never"), NOTIFY_NEVER },
    };
    str rest = str_from(value), word;
    int mask = 0;

    while (str_token(&rest, S(", \t"), &word)) {
        int bit = 0;
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
            if (str_ieq(word, words[i].word))
                bit = words[i].bit;
        if (!bit)
            tool_warn(sm->args, "unknown DSN NOTIFY command value \"%.*s\" "
                      "in \"%s\"", STR(word), value);
        mask = bit && mask >= 0 ? mask | bit : -1;
    }
    if (mask <= 0 || (mask & NOTIFY_NEVER && mask != NOTIFY_NEVER))
        tool_warn(sm->args, "bad -N option value -- ignored");
    else
        sm->notify = mask;
    return true;
}

static bool is_verp(str s)
{
    return s.n == 2 && str_span(s, verp_letters) == STR_NONE;
}

static bool on_verp(struct sendmail *sm, str delimiters)
{
    if (delimiters.n && !is_verp(delimiters))
        return fail(sm, "-V requires two characters from %s",
                    verp_letters.p);
    return fail(sm, "%s: variable envelope return paths are not available "
                "here", "-XV");
}

static bool on_envid(struct sendmail *sm, const char *value)
{
    str s = str_from(value);
    bool good = s.n > 0 && s.n <= ENVID_MAX;

    if (is_verp(s)) {
        tool_warn(sm->args, "option -V%s is deprecated with Postfix 2.3; "
                  "specify -XV%s instead", value, value);
        return on_verp(sm, s);
    }
    for (size_t i = 0; i < s.n; i++)
        good &= s.p[i] > ' ' && s.p[i] < 127;
    if (good)
        sm->envid = value;
    else
        tool_warn(sm->args, "bad syntax in -V option value -- ignored");
    return true;
}

static bool on_set(struct sendmail *sm, const char *value)
{
    if (value[0] == 'A')
        sm->alias_database = value + 1;
    else if (value[0] == 'i')
        sm->text.keep_dots = true;
    return true; /* the others have parameters in main.cf instead */
}

static bool on_words(struct sendmail *sm, int letter, str value)
{
    if (letter == 'B' && str_ieq(value, S("8BITMIME")))
        sm->body = BODY_8BITMIME;
    else if (letter == 'B' && str_ieq(value, S("7BIT")))
        sm->body = BODY_7BIT;
    else if (letter == 'B')
        return fail(sm, "-B option needs %s", "8BITMIME or 7BIT");
    else if (str_ieq(value, S("full")))
        sm->ret = RET_FULL;
    else if (str_ieq(value, S("hdrs")))
        sm->ret = RET_HDRS;
    else
        tool_warn(sm->args, "bad -R option value -- ignored");
    return true;
}

static bool take(struct sendmail *sm, int letter, const char *value)
{
    switch (letter) {
    case 'b': return on_mode(sm, value);
    case 'q': return on_queue(sm, value);
    case 'o': return on_set(sm, value);
    case 'N': return on_notify(sm, value);
    case 'V': return on_envid(sm, value);
    case 'B':
    case 'R': return on_words(sm, letter, str_from(value));
    case 'X':
        return value[0] != 'V' || on_verp(sm, str_from(value + 1));
    case 'c':
    case 'C': sm->config_dir = value ? value : sm->config_dir; return true;
    case 'F': sm->full_name = value; return true;
    case 'G': sm->gateway = true; return true;
    case 'I': sm->mode = SENDMAIL_ALIASES; return true;
    case 'f':
    case 'r': sm->sender = value; return true;
    case 'i': sm->text.keep_dots = true; return true;
    case 'n': return fail(sm, "%s option not supported", "-n");
    case 't': sm->text.take_recipients = true; return true;
    case 'v': sm->report = true; return true;
    case '?': return fail(sm, "usage: sendmail %s",
                          tool_synopsis(S("sendmail")));
    default: return true; /* known, and nothing to do */
    }
}

static bool modes_agree(struct sendmail *sm)
{
    static const char *const names[] = {
        [SENDMAIL_DAEMON] = "daemon",
        [SENDMAIL_ALIASES] = "alias initialization",
        [SENDMAIL_SERVER] = "stand-alone",
        [SENDMAIL_LIST] = "display queue",
        [SENDMAIL_FLUSH] = "flush queue",
        [SENDMAIL_NOTHING] = NULL,
    };

    if (sm->text.take_recipients && sm->mode != SENDMAIL_MAIL)
        return fail(sm, "%s can be used only in delivery mode", "-t");
    if (names[sm->mode] && sm->rest < sm->args->argc)
        return fail(sm, "%s mode requires no recipient", names[sm->mode]);
    return true;
}

bool sendmail_options(struct sendmail *sm, int *status)
{
    bool own = sm->mode == SENDMAIL_MAIL;
    struct tool_options o = tool_options_of(sm->args,
                                            own ? letters : other_letters);
    bool good = true;

    *status = EX_TEMPFAIL; /* whoever has mail to send keeps it */
    for (int letter = 1; good && letter;) {
        /* -q alone takes no value, -qVALUE does */
        if (o.in == 0 && o.at < sm->args->argc
            && str_eq(str_from(sm->args->argv[o.at]), S("-q"))) {
            sm->mode = SENDMAIL_FLUSH;
            sm->flush = 'f';
            o.at++;
            continue;
        }
        letter = tool_option(&o);
        good = letter == 0 || take(sm, letter, o.value);
    }
    sm->rest = o.at;
    return good && modes_agree(sm);
}

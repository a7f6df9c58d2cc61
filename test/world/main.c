/* SPDX-License-Identifier: ISC
 *
 * Runs scenarios over seeds.
 *
 *     sim --seeds N [--from K] [NAME]  seeds K.. of one or all scenarios, then
 *                                      the mutants, which must be found
 *     sim --seed K [--trace] [NAME]    one seed again, with all that happened
 *     ... --mutant NAME                with that mistake built in
 *
 * The last line is "N passed, N failed".
 */
#include "test/world/world.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *name;
    err (*fn)(struct task *, void *);
} scenarios[] = {
    { "spool", spool_scenario },
    { "mail", mail_scenario },
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(*scenarios) };

static const struct {
    const char *name;
    const char *scenario;   /* the only one that can find it; NULL: all */
} mutants[N_MUTANTS] = {
    [MUTANT_EARLY_ACK] = { "early-ack", NULL },
    [MUTANT_FORGETS_DONE] = { "forgets-done", NULL },
    [MUTANT_STOPS_AT_HOLES] = { "stops-at-holes", "spool" },
    [MUTANT_SAYS_NOTHING] = { "says-nothing", "spool" },
};

enum { MUTANT_SEEDS = 40, REPEAT_SEEDS = 10, BROKEN_SHOWN = 8,
       SECONDS_MAX = 60 };

struct options {
    uint64_t from, n;
    const char *only;
    enum mutant mutant;
    bool trace, one;
};

/* Of one seed's process, for the runner. */
struct shared {
    struct tally tally;
    uint64_t hash;
};

void broken(struct run *r, const char *format, ...)
{
    va_list ap;

    r->n_broken++;
    if (r->quiet || r->n_broken > BROKEN_SHOWN)
        return;
    fprintf(stderr, "seed %" PRIu64 ": ", r->seed);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static void trace(void *self, str line)
{
    (void)self;
    fprintf(stdout, "%.*s\n", STR(line));
}

/* In a process of its own, so that a crash here is one seed's failure. */
static int run_here(int scenario, uint64_t seed, const struct options *o,
                    struct shared *shared)
{
    struct run r = { .seed = seed, .mutant = o->mutant,
                     .tally = &shared->tally,
                     .quiet = o->mutant && !o->one };
    struct sim_options so = { .seed = seed,
                              .trace = o->trace ? trace : NULL };
    err e;

    recovery_forgets(o->mutant == MUTANT_FORGETS_DONE);
    recovery_stops(o->mutant == MUTANT_STOPS_AT_HOLES);
    recovery_is_silent(o->mutant == MUTANT_SAYS_NOTHING);
    if (r.quiet)
        (void)!freopen("/dev/null", "w", stderr);
    alarm(SECONDS_MAX);
    e = sim_run(&so, scenarios[scenario].fn, &r, &shared->hash);
    if (e)
        broken(&r, "the scenario ended with %s", err_name(e));
    return r.n_broken > 0;
}

static bool run_seed(int scenario, uint64_t seed, const struct options *o,
                     struct shared *shared)
{
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(run_here(scenario, seed, o, shared));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (status && !o->mutant)
        printf("FAILED %s: %s%d; again: build/release/sim --seed %" PRIu64
               " --trace %s\n", scenarios[scenario].name,
               WIFSIGNALED(status) ? "signal " : "status ",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
               seed, scenarios[scenario].name);
    return status == 0;
}

static void show(const struct tally *y)
{
    printf("  %" PRIu64 " sealed, %" PRIu64 " ended, %" PRIu64
           " power losses, %" PRIu64 " kills, %" PRIu64 " disk errors, %"
           PRIu64 " files rotted, %" PRIu64 " recoveries, %" PRIu64
           " times full\n", y->sealed, y->ended, y->crashes, y->kills,
           y->io_errors, y->rotted, y->recoveries, y->full);
    printf("  %" PRIu64 " copied, %" PRIu64 " cooled, %" PRIu64
           " delivered, %" PRIu64 " twice, %" PRIu64 " bounced, %" PRIu64
           " deferred, %" PRIu64 " refused; %" PRIu64 " virtual seconds\n",
           y->copied, y->cooled, y->delivered, y->duplicates, y->bounced,
           y->deferred, y->refused, y->virtual_s);
}

static bool chosen(const struct options *o, int scenario)
{
    return !o->only
           || str_eq(str_from(o->only), str_from(scenarios[scenario].name));
}

static void run_all(const struct options *o, struct shared *shared,
                    int *passed, int *failed)
{
    for (int i = 0; i < N_SCENARIOS; i++) {
        if (!chosen(o, i))
            continue;
        *shared = (struct shared){ 0 };
        for (uint64_t k = 0; k < o->n; k++)
            run_seed(i, o->from + k, o, shared) ? (*passed)++ : (*failed)++;
        printf("%s: %" PRIu64 " seeds\n", scenarios[i].name, o->n);
        show(&shared->tally);
    }
}

/* Two runs of one seed are the same to the last event. */
static void run_twice(const struct options *o, struct shared *shared,
                      int *passed, int *failed)
{
    for (int i = 0; i < N_SCENARIOS; i++) {
        bool same = true;
        if (!chosen(o, i))
            continue;
        for (uint64_t k = 0; k < REPEAT_SEEDS; k++) {
            uint64_t hash;
            run_seed(i, o->from + k, o, shared);
            hash = shared->hash;
            run_seed(i, o->from + k, o, shared);
            if (hash != shared->hash)
                printf("FAILED %s: two runs of seed %" PRIu64 " differ\n",
                       scenarios[i].name, o->from + k);
            same &= hash == shared->hash;
        }
        same ? (*passed)++ : (*failed)++;
    }
}

static bool concerns(enum mutant m, int scenario)
{
    return !mutants[m].scenario
           || str_eq(str_from(mutants[m].scenario),
                     str_from(scenarios[scenario].name));
}

/* A mistake that no seed finds shows that the checks are worth nothing. */
static void run_mutants(const struct options *o, struct shared *shared,
                        int *passed, int *failed)
{
    for (enum mutant m = MUTANT_NONE + 1; m < N_MUTANTS; m++)
        for (int i = 0; i < N_SCENARIOS; i++) {
            struct options with = *o;
            int found = 0;
            if (!chosen(o, i) || !concerns(m, i))
                continue;
            with.mutant = m;
            for (uint64_t k = 0; k < MUTANT_SEEDS; k++)
                found += !run_seed(i, o->from + k, &with, shared);
            printf("%s, mutant %s: found by %d of %d seeds\n",
                   scenarios[i].name, mutants[m].name, found, MUTANT_SEEDS);
            found ? (*passed)++ : (*failed)++;
        }
}

static uint64_t number(const char *text)
{
    uint64_t n = 0;

    if (!text || !str_uint(str_from(text), UINT64_MAX / 2, &n)) {
        fprintf(stderr, "sim: a number is missing\n");
        _exit(2);
    }
    return n;
}

static enum mutant mutant_find(const char *name)
{
    for (enum mutant m = MUTANT_NONE + 1; name && m < N_MUTANTS; m++)
        if (str_eq(str_from(mutants[m].name), str_from(name)))
            return m;
    fprintf(stderr, "sim: no such mutant\n");
    _exit(2);
}

static struct options options_of(char **argv)
{
    struct options o = { .from = 1, .n = 100 };

    for (char **a = argv + 1; *a; a++) {
        str s = str_from(*a);
        if (str_eq(s, S("--seeds"))) {
            o.n = number(*++a);
        } else if (str_eq(s, S("--from"))) {
            o.from = number(*++a);
        } else if (str_eq(s, S("--seed"))) {
            o.from = number(*++a);
            o.n = 1;
            o.one = true;
        } else if (str_eq(s, S("--trace"))) {
            o.trace = true;
        } else if (str_eq(s, S("--mutant"))) {
            o.mutant = mutant_find(*++a);
        } else {
            o.only = *a;
        }
        if (!*a)
            break;
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = options_of(argv);
    struct shared *shared = mmap(NULL, sizeof(*shared),
                                 PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int passed = 0, failed = 0;

    (void)argc;
    must(shared != MAP_FAILED);
    setvbuf(stdout, NULL, _IOLBF, 0);
    run_all(&o, shared, &passed, &failed);
    if (!o.one && !o.mutant) {
        run_twice(&o, shared, &passed, &failed);
        run_mutants(&o, shared, &passed, &failed);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

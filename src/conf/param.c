/* SPDX-License-Identifier: ISC
 *
 * The table of parameters, and how a name finds its line in it.
 *
 * I1  params.def is sorted by name in byte order; names are unique.
 */
#include "conf/conf.h"

#define PARAM(kind_, name_, preset_, min_, max_, effect_)                     \
    { .name = S_INIT(#name_), .kind = CONF_##kind_,                           \
      .preset = S_INIT(preset_), .min = (min_), .max = (max_),                \
      .effect = CONF_##effect_ },
static const struct conf_param params[N_PARAMS] = {
#include "conf/params.def"
};
#undef PARAM

/* A misspelt name is never longer than this; longer ones have no nearest. */
#define NAME_MAX_NEAR 80

const struct conf_param *conf_param(enum param p)
{
    must((unsigned)p < N_PARAMS);
    return &params[p];
}

enum param conf_param_find(str name)
{
    size_t low = 0, high = N_PARAMS;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(name, params[mid].name);
        if (order == 0)
            return (enum param)mid;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return N_PARAMS;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters must be inserted, removed, replaced or swapped with their
 * neighbour to make b of a.  One row of the usual square at a time. */
static unsigned distance(str a, str b)
{
    unsigned row[3][NAME_MAX_NEAR + 1];

    for (size_t j = 0; j <= b.n; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *now = row[i % 3];
        const unsigned *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned same = lower(a.p[i - 1]) == lower(b.p[j - 1]) ? 0 : 1;
            now[j] = least(least(last[j] + 1, now[j - 1] + 1),
                           last[j - 1] + same);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2]
                && a.p[i - 2] == b.p[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return row[a.n % 3][b.n];
}

str conf_param_nearest(str name)
{
    unsigned best = (unsigned)(name.n / 4 < 3 ? name.n / 4 : 3);
    str nearest = S("");

    if (name.n < 4 || name.n > NAME_MAX_NEAR)
        return nearest;
    best++;
    for (size_t i = 0; i < N_PARAMS; i++) {
        str known = params[i].name;
        size_t apart = known.n > name.n ? known.n - name.n : name.n - known.n;
        unsigned d;
        if (known.n > NAME_MAX_NEAR || apart >= best)
            continue;
        d = distance(name, known);
        if (d < best) {
            best = d;
            nearest = known;
        }
    }
    return nearest;
}

char conf_param_unit(enum param p)
{
    const struct conf_param *param = conf_param(p);

    if (param->kind != CONF_TIME)
        return 0;
    must(param->preset.n > 0);
    return param->preset.p[param->preset.n - 1];
}

/* SPDX-License-Identifier: ISC
 *
 * Connections by user.
 */
#include "role/crowd.h"

#include <unistd.h>

enum { CONNECTIONS_MAX = 20, TRUSTED_MAX = 500 };

struct crowd_user {
    uint32_t uid, n;
    bool said;
};

static str key_of(const uint32_t *uid)
{
    return str_of(uid, sizeof(*uid));
}

static uint32_t most(uint32_t uid)
{
    return uid == 0 || uid == geteuid() ? TRUSTED_MAX : CONNECTIONS_MAX;
}

void crowd_init(struct crowd *c)
{
    map_init(&c->users, false);
}

void crowd_free(struct crowd *c)
{
    str key;
    void *user;

    for (size_t at = 0; map_next(&c->users, &at, &key, &user);)
        heap_free(user);
    map_free(&c->users);
}

bool crowd_enter(struct crowd *c, uint32_t uid, bool *say)
{
    struct crowd_user *u = map_get(&c->users, key_of(&uid));

    *say = false;
    if (!u) {
        u = heap_new(struct crowd_user);
        u->uid = uid;
        map_put(&c->users, key_of(&u->uid), u);
    }
    if (u->n >= most(uid)) {
        *say = !u->said;
        u->said = true;
        return false;
    }
    u->n++;
    return true;
}

void crowd_leave(struct crowd *c, uint32_t uid)
{
    struct crowd_user *u = map_get(&c->users, key_of(&uid));

    must(u && u->n > 0);
    u->n--;
    if (u->n < most(uid) / 2)
        u->said = false;
    if (u->n > 0)
        return;
    map_del(&c->users, key_of(&uid));
    heap_free(u);
}

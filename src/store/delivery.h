/* SPDX-License-Identifier: ISC
 *
 * Inside store: the kinds of delivery.
 */
#ifndef STORE_DELIVERY_H
#define STORE_DELIVERY_H

#include "store/deliver.h"

struct delivery_kind {
    const char *how;
    err (*write)(struct task *t, struct delivery *d, str piece);
    err (*finish)(struct task *t, struct delivery *d);
    void (*cancel)(struct task *t, struct delivery *d);
};

struct delivery {
    const struct delivery_kind *kind;
};

#endif

/* SPDX-License-Identifier: ISC
 *
 * The binary heap of list.h.
 */
#include "base/list.h"

#include "base/arena.h"
#include "base/must.h"

static void place(struct heap *h, size_t i, struct heap_node *node)
{
    h->v[i] = node;
    node->at = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *node)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (h->v[parent]->key <= node->key)
            break;
        place(h, i, h->v[parent]);
        i = parent;
    }
    place(h, i, node);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key)
            child++;
        if (h->v[child]->key >= node->key)
            break;
        place(h, i, h->v[child]);
        i = child;
    }
    place(h, i, node);
}

void heap_put(struct heap *h, struct heap_node *node, int64_t key)
{
    heap_del(h, node);
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->v = heap_resize(h->v, h->cap * sizeof(*h->v));
    }
    node->key = key;
    h->n++;
    sift_up(h, h->n - 1, node);
}

void heap_del(struct heap *h, struct heap_node *node)
{
    size_t i = node->at;
    struct heap_node *last;

    if (i == 0)
        return;
    i--;
    must(i < h->n && h->v[i] == node);
    node->at = 0;
    last = h->v[--h->n];
    if (last == node)
        return;
    if (last->key < node->key)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

void heap_done(struct heap *h)
{
    heap_free(h->v);
    *h = (struct heap){ 0 };
}

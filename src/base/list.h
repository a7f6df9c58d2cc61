/* SPDX-License-Identifier: ISC
 *
 * Doubly linked lists through a member of the object, and a binary heap of
 * points in time through another.  An object may be on many of them.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/str.h"

/* Both the head of a list and a member's link.  A head points to itself when
 * empty; a link that is on no list is all zero or points to itself. */
struct link {
    struct link *next, *prev;
};

#define container_of(ptr, type, member)                                       \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct link *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct link *head)
{
    return head->next == head;
}

static inline bool link_on(const struct link *l)
{
    return l->next && l->next != l;
}

static inline void list_add_last(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_add_first(struct link *head, struct link *l)
{
    l->next = head->next;
    l->prev = head;
    head->next->prev = l;
    head->next = l;
}

/* Takes l off its list; harmless if it is on none. */
static inline void list_del(struct link *l)
{
    if (l->next) {
        l->next->prev = l->prev;
        l->prev->next = l->next;
    }
    l->next = l->prev = NULL;
}

/* Takes the first (last) link off and returns it, or NULL. */
static inline struct link *list_pop(struct link *head)
{
    struct link *l = head->next;

    if (l == head)
        return NULL;
    list_del(l);
    return l;
}

static inline struct link *list_pop_last(struct link *head)
{
    struct link *l = head->prev;

    if (l == head)
        return NULL;
    list_del(l);
    return l;
}

/* The loop's body may take l itself off, no other. */
#define list_each(l, head)                                                    \
    for (struct link *l = (head)->next, *l##_next = l->next; l != (head);     \
         l = l##_next, l##_next = l->next)

/* A binary heap of nodes, smallest key first. */
struct heap_node {
    int64_t key;
    size_t at; /* place in the heap + 1; 0: not in one */
};

struct heap {
    struct heap_node **v;
    size_t n, cap;
};

void heap_put(struct heap *h, struct heap_node *node, int64_t key);
void heap_del(struct heap *h, struct heap_node *node); /* harmless if out */
void heap_done(struct heap *h);                        /* frees the array */

static inline struct heap_node *heap_first(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}

#endif

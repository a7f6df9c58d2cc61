/* SPDX-License-Identifier: ISC
 *
 * Stacks.  One mapping holds a task and its stack: the guard at the lowest
 * page, the struct task at the top, the stack growing down from below it, so
 * that an idle task touches one page.  Stacks come from a last-in-first-out
 * free list; the world trims those of tasks that sleep for long.
 *
 * The guard is MADV_GUARD_INSTALL where the kernel has it (6.13), because a
 * mprotect guard splits the mapping and the kernel bounds their number.
 */
#include "rt/sched.h"

#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    PAGE = 4096,
#ifdef __SANITIZE_ADDRESS__
    STACK_SIZE = 256 * 1024,
#else
    STACK_SIZE = 64 * 1024,
#endif
    KEEP_MAX = 4096, /* free stacks beyond this are unmapped */
};

static char *stack_map(void)
{
    char *p = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE,
                   -1, 0);

    must(p != MAP_FAILED);
    if (madvise(p, PAGE, MADV_GUARD_INSTALL))
        must(mprotect(p, PAGE, PROT_NONE) == 0);
    return p;
}

/* The link of the free list lies in the top page, which was touched. */
static char **next_of(char *stack)
{
    return (char **)(void *)(stack + STACK_SIZE - sizeof(char *));
}

struct task *task_memory(struct world *w)
{
    size_t size = (sizeof(struct task) + 63) & ~(size_t)63;
    char *stack = w->stacks;
    struct task *t;

    if (stack) {
        w->stacks = *next_of(stack);
        w->n_stacks--;
    } else {
        stack = stack_map();
    }
    t = (void *)(stack + STACK_SIZE - size);
    *t = (struct task){ .world = w, .stack = stack };
    return t;
}

void task_memory_free(struct world *w, struct task *t)
{
    char *stack = t->stack;

#ifdef __SANITIZE_ADDRESS__
    /* a task that vanished left its frames as they were */
    __asan_unpoison_memory_region(stack + PAGE, STACK_SIZE - PAGE);
#endif
    if (w->n_stacks >= KEEP_MAX) {
        munmap(stack, STACK_SIZE);
        return;
    }
    *next_of(stack) = w->stacks;
    w->stacks = stack;
    w->n_stacks++;
}

void task_memory_trim(struct task *t)
{
    uintptr_t low = (uintptr_t)t->stack + PAGE;
    uintptr_t sp = (uintptr_t)t->sp & ~(uintptr_t)(PAGE - 1);

    if (sp > low)
        madvise((void *)low, sp - low, MADV_DONTNEED);
    t->trimmed = true;
}

void stacks_drop(struct world *w)
{
    while (w->stacks) {
        char *stack = w->stacks;
        w->stacks = *next_of(stack);
        munmap(stack, STACK_SIZE);
    }
    w->n_stacks = 0;
}

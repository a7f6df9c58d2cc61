/* SPDX-License-Identifier: ISC
 *
 * The context switch: saves what the calling convention says a function must
 * keep, changes the stack, restores.  About 20 ns.  Hand-written for x86-64
 * (System V) and arm64; elsewhere ucontext, which costs two system calls.
 */
#include "rt/sched.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_SIZE_FOR_ASAN = 256 * 1024 };

#if defined(__x86_64__)

void rt_switch(void **save, void *load);
void rt_switch_first(void);

__asm__(".text\n"
        ".globl rt_switch\n"
        ".type rt_switch,@function\n"
        "rt_switch:\n"
        "  pushq %rbp\n"
        "  pushq %rbx\n"
        "  pushq %r12\n"
        "  pushq %r13\n"
        "  pushq %r14\n"
        "  pushq %r15\n"
        "  subq $8, %rsp\n"
        "  stmxcsr (%rsp)\n"
        "  fnstcw 4(%rsp)\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  ldmxcsr (%rsp)\n"
        "  fldcw 4(%rsp)\n"
        "  addq $8, %rsp\n"
        "  popq %r15\n"
        "  popq %r14\n"
        "  popq %r13\n"
        "  popq %r12\n"
        "  popq %rbx\n"
        "  popq %rbp\n"
        "  ret\n"
        ".size rt_switch,.-rt_switch\n"
        ".globl rt_switch_first\n"
        ".type rt_switch_first,@function\n"
        "rt_switch_first:\n"
        "  movq %rbx, %rdi\n"
        "  callq *%r12\n"
        "  ud2\n"
        ".size rt_switch_first,.-rt_switch_first\n");

/* The frame that rt_switch finds at a task's first turn. */
struct first_frame {
    uint32_t mxcsr, x87;
    void *r15, *r14, *r13, *r12, *rbx, *rbp, *ret, *pad[2];
};

void task_switch_prepare(struct task *t, char *top,
                         void (*entry)(struct task *))
{
    struct first_frame *f = (void *)(top - sizeof(*f));

    *f = (struct first_frame){
        .mxcsr = 0x1f80,
        .x87 = 0x037f,
        .r12 = (void *)entry,
        .rbx = t,
        .ret = (void *)rt_switch_first,
    };
    t->sp = f;
}

#elif defined(__aarch64__)

void rt_switch(void **save, void *load);
void rt_switch_first(void);

__asm__(".text\n"
        ".globl rt_switch\n"
        "rt_switch:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp, #0]\n"
        "  stp x21, x22, [sp, #16]\n"
        "  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n"
        "  stp x27, x28, [sp, #64]\n"
        "  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n"
        "  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n"
        "  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n"
        "  str x9, [x0]\n"
        "  mov sp, x1\n"
        "  ldp x19, x20, [sp, #0]\n"
        "  ldp x21, x22, [sp, #16]\n"
        "  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n"
        "  ldp x27, x28, [sp, #64]\n"
        "  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n"
        "  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n"
        "  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n"
        "  ret\n"
        ".globl rt_switch_first\n"
        "rt_switch_first:\n"
        "  mov x0, x19\n"
        "  blr x20\n"
        "  brk #1\n");

void task_switch_prepare(struct task *t, char *top,
                         void (*entry)(struct task *))
{
    void **f = (void **)(void *)(top - 160);

    __builtin_memset(f, 0, 160);
    f[0] = t;
    f[1] = (void *)entry;
    f[11] = (void *)rt_switch_first;
    t->sp = f;
}

#else

#include <ucontext.h>

/* sp points to a ucontext_t that lies on the stack it describes. */
static void first(unsigned hi, unsigned lo, unsigned fn_hi, unsigned fn_lo)
{
    struct task *t = (void *)((uintptr_t)hi << 32 | lo);
    void (*entry)(struct task *) = (void (*)(struct task *))(
        (uintptr_t)fn_hi << 32 | fn_lo);

    entry(t);
}

void task_switch_prepare(struct task *t, char *top,
                         void (*entry)(struct task *))
{
    ucontext_t *u = (void *)(top - ((sizeof(*u) + 63) & ~(size_t)63));
    uintptr_t task = (uintptr_t)t, fn = (uintptr_t)entry;

    getcontext(u);
    u->uc_stack.ss_sp = t->stack;
    u->uc_stack.ss_size = (size_t)((char *)u - t->stack);
    makecontext(u, (void (*)(void))first, 4, (unsigned)(task >> 32),
                (unsigned)task, (unsigned)(fn >> 32), (unsigned)fn);
    t->sp = u;
}

static void rt_switch(void **save, void *load)
{
    ucontext_t here;

    *save = &here;
    swapcontext(&here, load);
}

#endif

#ifdef __SANITIZE_ADDRESS__

void task_switch_in(struct world *w, struct task *t)
{
    __sanitizer_start_switch_fiber(&w->fake_stack, t->stack,
                                   STACK_SIZE_FOR_ASAN);
    rt_switch(&w->sp, t->sp);
    __sanitizer_finish_switch_fiber(w->fake_stack, NULL, NULL);
}

void task_switch_started(struct task *t)
{
    __sanitizer_finish_switch_fiber(NULL, &t->world->stack_bottom,
                                    &t->world->stack_size);
}

void task_switch_out(struct task *t, bool for_ever)
{
    struct world *w = t->world;

    __sanitizer_start_switch_fiber(for_ever ? NULL : &t->fake_stack,
                                   w->stack_bottom, w->stack_size);
    rt_switch(&t->sp, w->sp);
    __sanitizer_finish_switch_fiber(t->fake_stack, &w->stack_bottom,
                                    &w->stack_size);
}

#else

void task_switch_in(struct world *w, struct task *t)
{
    rt_switch(&w->sp, t->sp);
}

void task_switch_started(struct task *t)
{
    (void)t;
    (void)STACK_SIZE_FOR_ASAN;
}

void task_switch_out(struct task *t, bool for_ever)
{
    (void)for_ever;
    rt_switch(&t->sp, t->world->sp);
}

#endif

/* SPDX-License-Identifier: ISC
 *
 * The last words of a process.
 */
#include "rt/rt.h"
#include "test/unit/check.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What was said before a process dies on a must, and why it does. */
TASK_TEST(log_panic)
{
    char text[1000];
    int pipe_fds[2], status = 0;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    check(pipe2(pipe_fds, O_CLOEXEC) == 0);
    pid = fork();
    if (pid == 0) {
        log_open(t, LOG_SINK_FILE, pipe_fds[1], S("host"), 2);
        log_name_set(t, "postfix/role");
        must_failed("x > 0", "src/x.c", 7);
    }
    close(pipe_fds[1]);
    while (n < sizeof(text)
           && (got = read(pipe_fds[0], text + n, sizeof(text) - n)) > 0)
        n += (size_t)got;
    close(pipe_fds[0]);
    check(waitpid(pid, &status, 0) == pid);
    check(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    check(str_find(str_of(text, n), S(" host postfix/role[")) != STR_NONE);
    check(str_find(str_of(text, n), S("]: panic: src/x.c:7: x > 0\n"))
          != STR_NONE);
}

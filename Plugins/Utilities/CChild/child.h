// Starting a bounded child process.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

// GNU calls, declared here: defining _GNU_SOURCE would give the headers above another shape than the Glibc module's,
// and the Swift importer refuses two shapes of one type.
extern int pipe2(int ends[2], int flags);
extern int prlimit(pid_t child, int resource, const struct rlimit *fresh, struct rlimit *old);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// Starts `program` (absolute path; `arguments` and `environment` end with NULL) with its output in a pipe, no input, no
// descriptor of this process, no blocked signal, and as the leader of its own process group. Gives the pipe's
// reading end. Returns the process id, or a negative error number. No shell, no search path.
static inline int child_start(const char *_Nonnull program, char *_Nullable const *_Nonnull arguments,
                              char *_Nullable const *_Nonnull environment, int *_Nonnull output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  pid_t child = 0;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  sigemptyset(&none);
  int code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  if (code == 0) code = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  // The host blocks its stop signals in every thread, and a child would inherit that.
  if (code == 0) code = posix_spawnattr_setsigmask(&attributes, &none);
  if (code == 0) code = posix_spawnattr_setpgroup(&attributes, 0);
  if (code == 0) code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  if (code == 0) code = posix_spawn(&child, program, &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (code != 0) {
    close(ends[0]);
    return -code;
  }
  *output = ends[0];
  return child;
}

// Bounds a running child's memory and processor time; it writes no files and leaves no core.
static inline void child_restrict(int child, uint64_t memory_bytes, uint64_t seconds) {
  const struct rlimit memory = {memory_bytes, memory_bytes}, time = {seconds, seconds}, nothing = {0, 0};
  prlimit(child, RLIMIT_AS, &memory, NULL);
  prlimit(child, RLIMIT_CPU, &time, NULL);
  prlimit(child, RLIMIT_FSIZE, &nothing, NULL);
  prlimit(child, RLIMIT_CORE, &nothing, NULL);
}

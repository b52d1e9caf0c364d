// Starting a program within control groups, with limits, that dies with the thread which started it.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// GNU calls, declared here: defining _GNU_SOURCE would give the headers above another shape than the Glibc module's,
// and the Swift importer refuses two shapes of one type.
extern int pipe2(int ends[2], int flags);
extern long syscall(long number, ...);

// What a child is given.
struct sandbox_start {
  const char *_Nonnull program;
  char *_Nullable const *_Nonnull arguments;
  char *_Nullable const *_Nonnull environment;
  // Open for writing: `cgroup.procs` of each control group that the child belongs to from before its first instruction.
  const int *_Nullable groups;
  size_t group_count;
  // Become 3 and up in the child, in this order; at most 4.
  const int *_Nullable inherited;
  size_t inherited_count;
  // The superuser's child becomes this user and group before it begins; 0 for the caller's. In its own view of the file
  // system the folders of `places` then stand at /tmp/0, /tmp/1 and so on (at most 8): the way to where they really are may
  // be closed to that user.
  uint32_t user;
  char *_Nullable const *_Nullable places;
  size_t place_count;
  // Bytes of any one file.
  uint64_t file_bytes;
  // Descriptors at once, of each process.
  uint64_t files;
};

// A descriptor that reads as `bytes`, closed in other programs; or a negative error number.
static inline int sandbox_memory_file(const void *_Nullable bytes, size_t count) {
  int fd = (int)syscall(SYS_memfd_create, "sandbox", 1U /* MFD_CLOEXEC */);
  if (fd < 0) return -errno;
  size_t done = 0;
  while (done < count) {
    ssize_t written = write(fd, (const char *)bytes + done, count - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      int code = errno;
      close(fd);
      return -code;
    }
    done += (size_t)written;
  }
  if (lseek(fd, 0, SEEK_SET) < 0) {
    int code = errno;
    close(fd);
    return -code;
  }
  return fd;
}

// Gives the child a view of the file system of its own, with `places` beneath an otherwise empty /tmp, and makes it another
// user. Returns 0 or an error number. A user's identity in the kernel decides also where no capability is asked for: the
// settings under /proc/sys are written by whoever is 0 there, whatever a namespace calls them.
static inline int sandbox_become(const struct sandbox_start *_Nonnull start) {
  if (syscall(SYS_unshare, 0x00020000 /* CLONE_NEWNS */) < 0) return errno;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return errno;
  // Opened in the new view: what is open from the old one cannot be mounted here.
  int folders[8];
  for (size_t i = 0; i < start->place_count; i++) {
    int fd = open(start->places[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno;
    folders[i] = fcntl(fd, F_DUPFD_CLOEXEC, 64);
    if (folders[i] < 0) return errno;
  }
  if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k") < 0) return errno;
  for (size_t i = 0; i < start->place_count; i++) {
    char from[] = "/proc/self/fd/000000", to[] = "/tmp/0";
    to[5] = (char)('0' + i);
    int rest = folders[i];
    for (int digit = (int)sizeof from - 2; digit > 13; digit--, rest /= 10) from[digit] = (char)('0' + rest % 10);
    // A number in /proc has no zeros before it.
    char *begin = from + 14, *number = begin;
    while (*number == '0') number++;
    while ((*begin++ = *number++) != 0) {}
    if (mkdir(to, 0755) < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0) return errno;
  }
  // The raw calls: the library's would have every thread of the process follow.
  if (syscall(SYS_setgroups, (size_t)0, NULL) < 0) return errno;
  if (syscall(SYS_setresgid, start->user, start->user, start->user) < 0) return errno;
  if (syscall(SYS_setresuid, start->user, start->user, start->user) < 0) return errno;
  return 0;
}

// Between fork and exec: only calls that are safe there (signal-safety(7)), for other threads of this process may hold
// any lock. Tells an error by `report` and ends.
static inline void sandbox_child(const struct sandbox_start *_Nonnull start, int output, int error, int report,
                                 pid_t parent) {
  // Stands above what the child's own descriptors become.
  const int reporting = 3 + (int)start->inherited_count;
  int code = 0;
  for (int signal_number = 1; signal_number < 65; signal_number++) signal(signal_number, SIG_DFL);
  if (setsid() < 0) code = errno;
  for (size_t i = 0; code == 0 && i < start->group_count; i++)
    if (write(start->groups[i], "0", 1) != 1) code = errno;
  if (code == 0 && start->user != 0) code = sandbox_become(start);
  // After the change of user, which undoes it. The gateway may have died before; then nobody is left to send the signal.
  if (code == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)) code = ESRCH;
  int nothing = code == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
  if (code == 0 && nothing < 0) code = errno;
  // All sources are above every target (see the caller), so none is overwritten before it is used.
  if (code == 0 && (dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0)) code = errno;
  for (size_t i = 0; code == 0 && i < start->inherited_count; i++)
    if (dup2(start->inherited[i], 3 + (int)i) < 0) code = errno;
  if (dup2(report, reporting) >= 0) report = reporting;
  fcntl(report, F_SETFD, FD_CLOEXEC);
  if (code == 0 && syscall(436 /* close_range */, reporting + 1, ~0U, 0) < 0)
    for (int fd = reporting + 1; fd < 65536; fd++) close(fd);
  const struct rlimit file = {start->file_bytes, start->file_bytes}, none = {0, 0}, files = {start->files, start->files};
  if (code == 0 && (setrlimit(RLIMIT_FSIZE, &file) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
                    setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) < 0))
    code = errno;
  umask(022);
  sigset_t empty;
  sigemptyset(&empty);
  sigprocmask(SIG_SETMASK, &empty, NULL);
  if (code == 0) {
    execve(start->program, start->arguments, start->environment);
    code = errno;
  }
  if (write(report, &code, sizeof code) < 0) {}
  _exit(127);
}

// Copies `fd` to a number that no child's own descriptor becomes.
static inline int sandbox_lift(int fd) {
  int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 64);
  int code = errno;
  close(fd);
  errno = code;
  return lifted;
}

// Starts a program as the leader of its own session, without input, with its output and its errors in two pipes whose
// reading ends are given, non-blocking. It is killed when the calling thread ends. All descriptors in `start` must be 64 or above.
// Returns the process id, or a negative error number.
static inline pid_t sandbox_spawn(const struct sandbox_start *_Nonnull start, int *_Nonnull output,
                                  int *_Nonnull error) {
  int out[2], err[2], report[2];
  if (pipe2(out, O_CLOEXEC) < 0) return -errno;
  if (pipe2(err, O_CLOEXEC) < 0) {
    int code = errno;
    close(out[0]), close(out[1]);
    return -code;
  }
  if (pipe2(report, O_CLOEXEC) < 0) {
    int code = errno;
    close(out[0]), close(out[1]), close(err[0]), close(err[1]);
    return -code;
  }
  int failure = 0;
  pid_t child = -1;
  out[1] = sandbox_lift(out[1]);
  err[1] = sandbox_lift(err[1]);
  report[1] = sandbox_lift(report[1]);
  if (out[1] < 0 || err[1] < 0 || report[1] < 0) failure = EMFILE;
  if (failure == 0) {
    // No handler of the host may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    child = fork();
    if (child == 0) sandbox_child(start, out[1], err[1], report[1], parent);
    failure = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  if (out[1] >= 0) close(out[1]);
  if (err[1] >= 0) close(err[1]);
  if (report[1] >= 0) close(report[1]);
  if (failure == 0) {
    // Closed without a word when the program runs.
    ssize_t count;
    do count = read(report[0], &failure, sizeof failure);
    while (count < 0 && errno == EINTR);
    if (count <= 0) failure = 0;
    if (failure != 0)
      while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
  }
  close(report[0]);
  if (failure != 0) {
    close(out[0]), close(err[0]);
    return -failure;
  }
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  *output = out[0];
  *error = err[0];
  return child;
}

// Linux calls the Glibc module does not export, or whose C form Swift cannot call. Those that can fail return a
// negative error number, the kernel's own convention, so that Swift never reads errno after the fact.
#pragma once
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Declared here, not by _GNU_SOURCE: that macro also changes members of types which Swift's Glibc module has too
// (fd_set), and a file that imports both modules would no longer compile.
#ifndef __USE_GNU
extern int accept4(int fd, struct sockaddr *_Nullable peer, socklen_t *_Nullable size, int flags);
extern int pthread_setname_np(pthread_t thread, const char *_Nonnull name);
#endif

// One ready descriptor: what linux_watch was given, and EPOLLIN | ...
struct linux_ready {
  uint64_t token;
  uint32_t events;
};

static inline int linux_epoll(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static inline int linux_eventfd(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

// An eventfd whose reader sleeps until it is rung.
static inline int linux_blocking_eventfd(void) {
  int fd = eventfd(0, EFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static inline int linux_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

// Begins to report `events` of `fd` with `token`.
static inline int linux_watch(int epoll, int fd, uint32_t events, uint64_t token) {
  return linux_epoll_control(epoll, EPOLL_CTL_ADD, fd, events, token);
}

// Replaces what is reported of `fd`.
static inline int linux_rewatch(int epoll, int fd, uint32_t events, uint64_t token) {
  return linux_epoll_control(epoll, EPOLL_CTL_MOD, fd, events, token);
}

static inline int linux_unwatch(int epoll, int fd) {
  return linux_epoll_control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
}

// Waits up to `timeout` milliseconds (-1: no limit). Returns how many of `out` (at most 64) it filled.
static inline int linux_wait(int epoll, struct linux_ready *_Nonnull out, int capacity, int timeout) {
  struct epoll_event raw[64];
  int n = epoll_wait(epoll, raw, capacity < 64 ? capacity : 64, timeout);
  if (n < 0) return -errno;
  for (int i = 0; i < n; i++) out[i] = (struct linux_ready){raw[i].data.u64, raw[i].events};
  return n;
}

// Nanoseconds of the monotonic clock.
static inline int64_t linux_monotonic(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Nanoseconds since 1970, UTC.
static inline int64_t linux_realtime(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline ssize_t linux_read(int fd, void *_Nonnull into, size_t count) {
  ssize_t n = read(fd, into, count);
  return n < 0 ? -errno : n;
}

// A socket write that never raises SIGPIPE.
static inline ssize_t linux_send(int fd, const void *_Nonnull from, size_t count) {
  ssize_t n = send(fd, from, count, MSG_NOSIGNAL);
  return n < 0 ? -errno : n;
}

static inline ssize_t linux_write(int fd, const void *_Nonnull from, size_t count) {
  ssize_t n = write(fd, from, count);
  return n < 0 ? -errno : n;
}

// The next connection of `listener`, non-blocking, with its peer's address.
static inline int linux_accept(int listener, struct sockaddr_storage *_Nonnull peer) {
  socklen_t size = sizeof *peer;
  int fd = accept4(listener, (struct sockaddr *)peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static inline void linux_no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Numeric text of a peer's address, without port; IPv4 mapped into IPv6 is written as IPv4.
// `out` has room for INET6_ADDRSTRLEN bytes. Returns the length, 0 when the family is unknown.
static inline int linux_address_text(const struct sockaddr_storage *_Nonnull peer, char *_Nonnull out) {
  const char *done = NULL;
  if (peer->ss_family == AF_INET) {
    done = inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, out, INET6_ADDRSTRLEN);
  } else if (peer->ss_family == AF_INET6) {
    const struct in6_addr *six = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    done = IN6_IS_ADDR_V4MAPPED(six) ? inet_ntop(AF_INET, &six->s6_addr[12], out, INET6_ADDRSTRLEN)
                                     : inet_ntop(AF_INET6, six, out, INET6_ADDRSTRLEN);
  }
  return done ? (int)strlen(out) : 0;
}

// A listening TCP socket on numeric or named `host`, SO_REUSEADDR, non-blocking. With `shared` others of the same
// user may listen there too (SO_REUSEPORT) and the kernel spreads connections over them.
// Returns a negative errno, or -1000 minus a getaddrinfo code when the name does not resolve.
static inline int linux_listen(const char *_Nonnull host, const char *_Nonnull port, int backlog, int shared) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
  int code = getaddrinfo(host, port, &hints, &list);
  if (code != 0) return -1000 - (code < 0 ? -code : code);
  int result = -EADDRNOTAVAIL;
  for (struct addrinfo *a = list; a; a = a->ai_next) {
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) { result = -errno; continue; }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, backlog) == 0) { result = fd; break; }
    result = -errno;
    close(fd);
  }
  freeaddrinfo(list);
  return result;
}

// The port a socket is bound to, in host order.
static inline int linux_bound_port(int fd) {
  struct sockaddr_storage at;
  socklen_t size = sizeof at;
  if (getsockname(fd, (struct sockaddr *)&at, &size) < 0) return -errno;
  return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                        : ((struct sockaddr_in *)&at)->sin_port);
}

// Blocks the stop signals in this thread and all made after it, and gives a descriptor that reports them.
static inline int linux_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (code != 0) return -code;
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

// The next pending signal of such a descriptor, 0 when there is none.
static inline int linux_next_signal(int fd) {
  struct signalfd_siginfo info;
  ssize_t n = read(fd, &info, sizeof info);
  if (n == (ssize_t)sizeof info) return (int)info.ssi_signo;
  return n < 0 && errno != EAGAIN ? -errno : 0;
}

// Gives the calling thread a name of at most 15 bytes.
static inline void linux_name_thread(const char *_Nonnull name) { pthread_setname_np(pthread_self(), name); }

// The variable at `index` of the environment as "NAME=value", NULL past the last.
static inline const char *_Nullable linux_environment(long index) {
  extern char **environ;
  return environ ? environ[index] : NULL;
}

// The kernel's number of the calling thread, as in /proc/self/task.
static inline int linux_thread_number(void) { return (int)syscall(SYS_gettid); }

// The user at the other end of a connected Unix socket.
static inline int64_t linux_peer_user(int fd) {
  struct { pid_t pid; uid_t uid; gid_t gid; } peer;  // struct ucred, which _GNU_SOURCE would declare
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? -errno : (int64_t)peer.uid;
}

// A Unix socket bound to `path` and listening, or connected to it; -ENAMETOOLONG when the path does not fit.
static inline int linux_unix_socket(const char *_Nonnull path, int backlog) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof at.sun_path) return -ENAMETOOLONG;
  strcpy(at.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int done = backlog > 0 ? bind(fd, (struct sockaddr *)&at, sizeof at) : connect(fd, (struct sockaddr *)&at, sizeof at);
  if (done == 0 && backlog > 0 && (chmod(path, 0600) < 0 || listen(fd, backlog) < 0)) done = -1;
  if (done == 0) return fd;
  int code = errno;
  close(fd);
  return -code;
}

// Reads and writes of `fd` fail with EAGAIN after `milliseconds` without progress.
static inline int linux_socket_timeout(int fd, int milliseconds) {
  struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) return -errno;
  return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ? -errno : 0;
}

// Starts `path` with exactly this environment (NULL: this process's), `descriptor` as its number 3, `errors` as its
// number 2 (below 0: this process's), nothing on 0 and 1, no signal blocked or ignored, and a process group of its own, so
// that it can be killed with all it starts. One that is to die with its parent dies with the calling thread: the kernel
// takes that thread for the parent.
static inline int linux_spawn(const char *_Nonnull path, char *_Nullable const *_Nonnull arguments,
                              char *_Nullable const *_Nullable environment, int descriptor, int errors) {
  extern char **environ;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  pid_t child = 0;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (errors >= 0) posix_spawn_file_actions_adddup2(&actions, errors, 2);
  posix_spawn_file_actions_adddup2(&actions, descriptor, 3);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  int code = posix_spawn(&child, path, &actions, &attributes, arguments, environment ? environment : environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return code != 0 ? -code : (int)child;
}

// Has the calling process killed when its parent ends, and no core dumped when it crashes.
static inline void linux_live_with_parent(void) {
  struct rlimit none = {0, 0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setrlimit(RLIMIT_CORE, &none);
}

// A pipe whose ends are closed in other programs. Returns 0 or a negative errno.
static inline int linux_pipe(int *_Nonnull ends) {
  if (pipe(ends) < 0) return -errno;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return 0;
}

// What a child ended with: its exit code, or minus the number of the signal that ended it; -1000 while it runs.
static inline int linux_child_end(int child) {
  int status = 0;
  pid_t ended = waitpid(child, &status, WNOHANG);
  if (ended == 0) return -1000;
  if (ended < 0) return 255;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// What `child` ended with, as linux_child_end says it; its number stays its own until that is called.
static inline int linux_child_ended(int child) {
  siginfo_t info = {0};
  if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0) return errno == EINTR ? -1000 : 255;
  if (info.si_pid == 0) return -1000;
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

// A descriptor that reports changes of directories; reads of it never wait.
static inline int linux_inotify(void) {
  int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

// Reports what is renamed into, out of, or removed from `directory`, and directories and links that are made in it.
// Gives the watch's number: the one it has already, where it is watched.
static inline int linux_inotify_watch(int fd, const char *_Nonnull directory) {
  int watch = inotify_add_watch(fd, directory, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR);
  return watch < 0 ? -errno : watch;
}

// Ends a watch.
static inline void linux_inotify_unwatch(int fd, int watch) { inotify_rm_watch(fd, watch); }

// One change that linux_inotify's descriptor reported; with is_overflow set, some were lost and the rest says nothing.
struct linux_change {
  // Renamed into the directory; made in it, and perhaps not finished; the directory itself is gone, and the watch.
  int watch, is_arrival, is_creation, is_end, is_overflow;
  char name[256];
};

// Reads the change at `offset` of `count` bytes. Returns its size, 0 when there is none.
static inline int linux_next_change(const uint8_t *_Nonnull bytes, int offset, int count,
                                    struct linux_change *_Nonnull out) {
  struct inotify_event event;
  if (count - offset < (int)sizeof event) return 0;
  memcpy(&event, bytes + offset, sizeof event);
  int size = (int)(sizeof event + event.len);
  if (count - offset < size) return 0;
  out->watch = event.wd;
  out->is_arrival = (event.mask & IN_MOVED_TO) != 0;
  out->is_creation = (event.mask & IN_CREATE) != 0;
  out->is_end = (event.mask & IN_IGNORED) != 0;
  out->is_overflow = (event.mask & IN_Q_OVERFLOW) != 0;
  size_t length = event.len < sizeof out->name - 1 ? event.len : sizeof out->name - 1;
  memcpy(out->name, bytes + offset + sizeof event, length);
  out->name[length] = 0;
  return size;
}

#include "marks.h"

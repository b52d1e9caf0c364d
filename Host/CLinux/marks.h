// Which plugin's code each thread is in, kept in memory that a process shares with the one that watches it: what stands
// there outlives a crash. And the calls with which one process watches another.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  LINUX_MARK_LAYOUT = 1,
  LINUX_MARK_THREADS = 1024,
  LINUX_MARK_SITES = 8192,
  // Room for a handler's frame beside the largest register state there is (AVX-512, AMX: 11 KiB).
  LINUX_ALTERNATE_STACK = 64 * 1024,
};

// One thread of the host; a cache line of its own, since each request writes there.
struct linux_thread_mark {
  // The code it is in: a site's number in the low half, the step in the high one; 0: none of a plugin's.
  uint64_t mark;
  // The kernel's number of the thread; 0 while the slot is free.
  int32_t thread;
  int32_t reserved;
  // When the turn began that its event loop is in, in nanoseconds of the monotonic clock; 0 while that waits for events,
  // and of a thread without a loop.
  int64_t turn;
  uint8_t padding[40];
};

// Something of a plugin that the host calls: a route, a check, a life.
struct linux_site {
  uint32_t is_used, generation;
  char plugin[40];
  char label[80];
};

// What both processes see.
struct linux_marks {
  // LINUX_MARK_LAYOUT; another build of the gateway may look at this.
  uint32_t layout;
  // The first thread that crashed or ended the process: the kernel's number, 0 while there is none; its signal, 0 for
  // exit(); and where it was.
  int32_t thread, signal, reserved;
  uint64_t mark;
  struct linux_thread_mark threads[LINUX_MARK_THREADS];
  struct linux_site sites[LINUX_MARK_SITES];
};

// Weak: every object file that includes this has a copy, and the linker keeps one.
__attribute__((weak)) struct linux_marks *_Nullable linux_shared_marks = NULL;
__attribute__((weak)) pid_t linux_marked_process = 0;
__attribute__((weak)) __thread struct linux_thread_mark *_Nullable linux_own_slot = NULL;
__attribute__((weak)) __thread void *_Nullable linux_own_stack = NULL;

// Says that this thread enters the code `mark`; gives what to hand to linux_leave_code.
static inline uint64_t linux_enter_code(uint64_t mark) {
  volatile struct linux_thread_mark *slot = linux_own_slot;
  if (!slot) return 0;
  uint64_t before = slot->mark;
  slot->mark = mark;
  return before;
}

static inline void linux_leave_code(uint64_t before) {
  volatile struct linux_thread_mark *slot = linux_own_slot;
  if (slot) slot->mark = before;
}

// Says that this thread's event loop begins a turn at `now`, or that it waits: 0.
static inline void linux_note_turn(int64_t now) {
  struct linux_thread_mark *slot = linux_own_slot;
  if (slot) __atomic_store_n(&slot->turn, now, __ATOMIC_RELAXED);
}

// Takes a slot and an alternate stack for this thread, while marks are kept at all; a thread that finds no slot free
// goes without.
static inline void linux_claim_slot(void) {
  struct linux_marks *marks = linux_shared_marks;
  if (!marks || linux_own_slot) return;
  int32_t own = (int32_t)syscall(SYS_gettid);
  for (int i = 0; i < LINUX_MARK_THREADS && !linux_own_slot; i++) {
    int32_t none = 0;
    if (__atomic_compare_exchange_n(&marks->threads[i].thread, &none, own, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      linux_own_slot = &marks->threads[i];
  }
  stack_t stack = {.ss_size = LINUX_ALTERNATE_STACK};
  stack.ss_sp = linux_own_stack = malloc(LINUX_ALTERNATE_STACK);
  if (stack.ss_sp) sigaltstack(&stack, NULL);
}

// Gives back what linux_claim_slot took; the thread's last act.
static inline void linux_release_slot(void) {
  struct linux_thread_mark *slot = linux_own_slot;
  linux_own_slot = NULL;
  if (slot) {
    slot->mark = 0;
    slot->turn = 0;
    __atomic_store_n(&slot->thread, 0, __ATOMIC_RELEASE);
  }
  if (!linux_own_stack) return;
  stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  free(linux_own_stack);
  linux_own_stack = NULL;
}

// Notes that this thread ends the process, unless another one does already. The memory is shared with what a plugin
// forks too, whose end is not the gateway's.
static inline void linux_note_end(int signal) {
  struct linux_marks *marks = linux_shared_marks;
  struct linux_thread_mark *slot = linux_own_slot;
  int32_t none = 0, own = (int32_t)syscall(SYS_gettid);
  if (!marks || getpid() != linux_marked_process) return;
  if (!__atomic_compare_exchange_n(&marks->thread, &none, own, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
  marks->mark = slot ? slot->mark : 0;
  marks->signal = signal;
}

// Async-signal-safe: stores and system calls.
static inline void linux_on_crash(int number) {
  linux_note_end(number);
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(number, &standard, NULL);
  // Blocked in here, so it comes as this returns, with what the kernel does by default: a trap would not come again.
  syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number);
}

static inline void linux_on_exit(void) { linux_note_end(0); }

// Keeps marks in `memory` from here on, and notes there which thread crashes or calls exit().
static inline void linux_keep_marks(struct linux_marks *_Nonnull memory) {
  static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
  struct sigaction noted = {.sa_handler = linux_on_crash, .sa_flags = SA_ONSTACK};
  memory->layout = LINUX_MARK_LAYOUT;
  linux_marked_process = getpid();
  linux_shared_marks = memory;
  linux_claim_slot();
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) sigaction(crashes[i], &noted, NULL);
  atexit(linux_on_exit);
}

// Gives a site a number, 1 or more; 0 when marks are not kept or there is no room.
static inline uint32_t linux_add_site(const char *_Nonnull plugin, uint32_t generation, const char *_Nonnull label) {
  struct linux_marks *marks = linux_shared_marks;
  if (!marks) return 0;
  for (uint32_t i = 1; i < LINUX_MARK_SITES; i++) {
    struct linux_site *site = &marks->sites[i];
    uint32_t none = 0;
    if (site->is_used) continue;
    if (!__atomic_compare_exchange_n(&site->is_used, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
    site->generation = generation;
    strncpy(site->plugin, plugin, sizeof site->plugin - 1);
    strncpy(site->label, label, sizeof site->label - 1);
    return i;
  }
  return 0;
}

static inline void linux_remove_site(uint32_t number) {
  if (!linux_shared_marks || number == 0) return;
  struct linux_site *site = &linux_shared_marks->sites[number];
  memset(site->plugin, 0, sizeof site->plugin);
  memset(site->label, 0, sizeof site->label);
  __atomic_store_n(&site->is_used, 0, __ATOMIC_RELEASE);
}

// Memory that a process and its child see; closed in other programs. A negative errno when there is none.
static inline int linux_make_marks(void) {
  int fd = (int)syscall(SYS_memfd_create, "gateway-marks", 1u);  // MFD_CLOEXEC, which _GNU_SOURCE would declare
  if (fd < 0) return -errno;
  if (ftruncate(fd, sizeof(struct linux_marks)) == 0) return fd;
  int code = errno;
  close(fd);
  return -code;
}

static inline const struct linux_site *_Nonnull linux_site_at(const struct linux_marks *_Nonnull marks, uint32_t at) {
  return &marks->sites[at < LINUX_MARK_SITES ? at : 0];
}

static inline const char *_Nonnull linux_site_plugin(const struct linux_site *_Nonnull site) { return site->plugin; }
static inline const char *_Nonnull linux_site_label(const struct linux_site *_Nonnull site) { return site->label; }

// The one mark that any thread was in when its process ended; 0 for none, or more than one.
static inline uint64_t linux_only_mark(const struct linux_marks *_Nonnull marks) {
  uint64_t only = 0;
  for (int i = 0; i < LINUX_MARK_THREADS; i++) {
    uint64_t mark = marks->threads[i].mark;
    if (mark == 0 || mark == only) continue;
    if (only != 0) return 0;
    only = mark;
  }
  return only;
}

// What a slot says of its thread.
static inline struct linux_thread_mark linux_thread_at(const struct linux_marks *_Nonnull marks, int at) {
  const struct linux_thread_mark *slot = &marks->threads[at];
  struct linux_thread_mark seen = {.mark = __atomic_load_n(&slot->mark, __ATOMIC_RELAXED)};
  seen.thread = __atomic_load_n(&slot->thread, __ATOMIC_RELAXED);
  seen.turn = __atomic_load_n(&slot->turn, __ATOMIC_RELAXED);
  return seen;
}

// Whether a thread of another process is stopped, by a signal or a debugger; 0 too when it is gone.
static inline int linux_is_stopped(int process, int thread) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  if (count <= 0) return 0;
  text[count] = 0;
  const char *name = strrchr(text, ')');  // which may hold any character, also this one
  return name && name[1] == ' ' && (name[2] == 'T' || name[2] == 't');
}

// Has one thread of another process handle SIGABRT; a negative errno when there is none such.
static inline int linux_abort_thread(int process, int thread) {
  return syscall(SYS_tgkill, process, thread, SIGABRT) < 0 ? -errno : 0;
}

// Two connected sockets that keep the bounds of messages, closed in other programs. Returns 0 or a negative errno.
static inline int linux_message_pair(int *_Nonnull ends) {
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

// Starts `path` in a child with the descriptors `kept` and the stop signals blocked: one that comes before the child
// hears them waits. Returns its number or a negative errno.
static inline int linux_start_child(const char *_Nonnull path, char *_Nullable const *_Nonnull arguments,
                                    char *_Nullable const *_Nonnull environment, const int *_Nonnull kept, int count) {
  int ends[2], code = 0;
  int piped = linux_pipe(ends);
  if (piped < 0) return piped;
  pid_t child = fork();
  if (child == 0) {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGHUP);
    for (int i = 0; i < count; i++) fcntl(kept[i], F_SETFD, 0);
    signal(SIGUSR2, SIG_IGN);  // meant for the parent, also where every process of a name is told
    sigprocmask(SIG_SETMASK, &stops, NULL);
    execve(path, arguments, environment);
    code = errno;
    if (write(ends[1], &code, sizeof code) < 0) _exit(126);
    _exit(127);
  }
  int failed = child < 0 ? errno : 0;
  close(ends[1]);
  // Ends without a word when the child's program has begun.
  if (child > 0 && read(ends[0], &code, sizeof code) == (ssize_t)sizeof code) {
    waitpid(child, NULL, 0);
    failed = code;
  }
  close(ends[0]);
  return failed ? -failed : (int)child;
}

// Puts another program in this process's place, with the descriptors `kept`; returns only on failure: a negative errno.
static inline int linux_become(const char *_Nonnull path, char *_Nullable const *_Nonnull arguments,
                               char *_Nullable const *_Nonnull environment, const int *_Nonnull kept, int count) {
  for (int i = 0; i < count; i++) fcntl(kept[i], F_SETFD, 0);
  execve(path, arguments, environment);
  int code = errno;
  for (int i = 0; i < count; i++) fcntl(kept[i], F_SETFD, FD_CLOEXEC);
  return -code;
}

// Has the kernel kill this process when the one that started it ends; -ESRCH when that has ended already.
static inline int linux_end_with(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return -errno;
  return getppid() == parent ? 0 : -ESRCH;
}

// Blocks the signals that a supervisor hears, and gives a descriptor that reports them. SIGPIPE is blocked too: a log
// without a reader must not end it.
static inline int linux_supervisor_signals(void) {
  static const int heard[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGCHLD};
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) sigaddset(&set, heard[i]);
  sigset_t blocked = set;
  sigaddset(&blocked, SIGPIPE);
  if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0) return -errno;
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

// How a child ended: its exit code, or minus the number of the signal; `child` is 0 when none has ended.
struct linux_end {
  int child, how;
};

static inline struct linux_end linux_next_end(void) {
  int status = 0;
  pid_t child = waitpid(-1, &status, WNOHANG);
  if (child <= 0) return (struct linux_end){0, 0};
  return (struct linux_end){child, WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status)};
}

// The path that this program was started by, as it was written.
static inline const char *_Nullable linux_program_path(void) {
  extern unsigned long getauxval(unsigned long type);  // sys/auxv.h drags half of the kernel's headers in
  return (const char *)getauxval(31);                  // AT_EXECFN
}

// Whether `fd` is a TCP socket that listens.
static inline int linux_is_listener(int fd) {
  int listens = 0, type = 0, domain = 0;
  socklen_t size = sizeof(int);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens) return 0;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) return 0;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}

// Makes `fd` one that is closed in other programs and never waits.
static inline void linux_adopt(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

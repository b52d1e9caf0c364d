// What the kernel keeps a plugin's own process from. As in linux.h, what can fail returns a negative error number.
#pragma once
#include "linux.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>

// A connected pair of stream sockets, non-blocking and closed in other programs.
static inline int linux_socket_pair(int *_Nonnull ends) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ? -errno : 0;
}

// Lowers both limits of a resource to `most`; never raises one.
static inline int linux_lower_limit(int resource, uint64_t most) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) < 0) return -errno;
  if (limit.rlim_max > most) limit.rlim_max = most;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

// Closes every descriptor from `first` on.
static inline void linux_close_from(int first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
  for (int fd = first; fd < 1024; fd++) close(fd);
}

// No program that this process starts has more rights than it has (set-user-id is without effect).
static inline int linux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0; }

// Gives up all capabilities of this thread, and of those it makes: the superuser's process has the rights of the files'
// owner and no more. Some of them would open what Landlock closes (/proc of other processes).
static inline int linux_drop_capabilities(void) {
  struct { uint32_t version; int pid; } header = {0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0};
  struct { uint32_t effective, permitted, inheritable; } none[2] = {{0, 0, 0}, {0, 0, 0}};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

// The kernel's Landlock version; negative when it has none.
static inline int linux_landlock_version(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1U /* LANDLOCK_CREATE_RULESET_VERSION */);
  return version < 0 ? -errno : (int)version;
}

// Rights of Landlock over files, by the number of the version that brought them.
#define LINUX_LANDLOCK_VERSION_1 ((1ULL << 13) - 1)
#define LINUX_LANDLOCK_REFER (1ULL << 13)
#define LINUX_LANDLOCK_TRUNCATE (1ULL << 14)
#define LINUX_LANDLOCK_OF_FILES (1ULL << 0 | 1ULL << 1 | 1ULL << 2 | 1ULL << 14)

// Every right over files that `version` knows but ioctl on devices.
static inline uint64_t linux_landlock_rights(int version) {
  uint64_t rights = LINUX_LANDLOCK_VERSION_1;
  if (version >= 2) rights |= LINUX_LANDLOCK_REFER;
  if (version >= 3) rights |= LINUX_LANDLOCK_TRUNCATE;
  return rights;
}

// A ruleset that denies all rights over files where no rule gives them, and, from version 6 on, signals to processes
// outside and connections to their abstract sockets.
static inline int linux_landlock_ruleset(int version) {
  struct { uint64_t files, network, scoped; } attributes = {.files = linux_landlock_rights(version)};
  size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  if (version >= 6) attributes.scoped = 3;
  long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, size, 0U);
  return ruleset < 0 ? -errno : (int)ruleset;
}

// Gives `rights` beneath `path`; on a file those that files have.
static inline int linux_landlock_allow(int ruleset, const char *_Nonnull path, uint64_t rights) {
  struct stat status;
  int fd = open(path, 010000000 /* O_PATH */ | O_CLOEXEC), code = 0;
  if (fd < 0) return -errno;
  if (fstat(fd, &status) < 0) code = -errno;
  if (code == 0) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    if (!S_ISDIR(status.st_mode)) rule.allowed_access &= LINUX_LANDLOCK_OF_FILES;
    if (syscall(SYS_landlock_add_rule, ruleset, 1 /* LANDLOCK_RULE_PATH_BENEATH */, &rule, 0U) < 0) code = -errno;
  }
  close(fd);
  return code;
}

// From here on the ruleset binds this thread, and all threads and processes it makes.
static inline int linux_landlock_enter(int ruleset) {
  return syscall(SYS_landlock_restrict_self, ruleset, 0U) < 0 ? -errno : 0;
}

#if defined(__x86_64__)
#define LINUX_AUDIT_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define LINUX_AUDIT_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// Numbers that older headers have no name for; the same on all architectures.
#define LINUX_SYS_OPEN_TREE 428
#define LINUX_SYS_MOVE_MOUNT 429
#define LINUX_SYS_FSOPEN 430
#define LINUX_SYS_FSMOUNT 432
#define LINUX_SYS_IO_URING_SETUP 425
#define LINUX_SYS_PIDFD_SEND_SIGNAL 424
#define LINUX_SYS_PIDFD_OPEN 434
#define LINUX_SYS_CLONE3 435
#define LINUX_SYS_PIDFD_GETFD 438
#define LINUX_SYS_MOUNT_SETATTR 442

// Has the kernel refuse with EPERM what no service needs; without `network` every socket but a connected local pair,
// without `spawn` the start of programs, and of processes, so that what dies dies whole. Sockets of the file system and all
// but the internet's are refused in any case: the gateway's own control socket is one, and a pair of datagram sockets could
// be connected to any other. io_uring is refused because it would do the same unseen. Priorities and shared memory of the
// user's other processes cannot be touched, nor, without `spawn`, their limits. Nor can the process have itself spared when
// its parent dies.
// Call it before there are other threads. -ENOSYS: this architecture or kernel has no such filters.
static inline int linux_seccomp_filter(int network, int spawn) {
#ifndef LINUX_AUDIT_ARCHITECTURE
  (void)network, (void)spawn;
  return -ENOSYS;
#else
  static const uint32_t never[] = {
      SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, LINUX_SYS_PIDFD_OPEN, LINUX_SYS_PIDFD_GETFD,
      SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, LINUX_SYS_OPEN_TREE, LINUX_SYS_MOVE_MOUNT, LINUX_SYS_FSOPEN,
      LINUX_SYS_FSMOUNT, LINUX_SYS_MOUNT_SETATTR, SYS_unshare, SYS_setns, SYS_init_module, SYS_finit_module,
      SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
      LINUX_SYS_IO_URING_SETUP, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct,
      SYS_quotactl, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname,
      SYS_setdomainname, SYS_syslog, SYS_vhangup, SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_lookup_dcookie,
      SYS_personality, SYS_nfsservctl, LINUX_SYS_PIDFD_SEND_SIGNAL, SYS_setpriority, SYS_ioprio_set,
      SYS_shmget, SYS_semget, SYS_msgget, SYS_mq_open,
#ifdef __x86_64__
      SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS__sysctl, SYS_create_module,
#endif
  };
  // Their first argument is a process, any of the same user; 0 is the caller. The first is for what it has started, too.
  static const uint32_t own[] = {SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam,
                                 SYS_sched_setattr};
  struct sock_filter code[2 * sizeof never / sizeof *never + 5 * sizeof own / sizeof *own + 64];
  unsigned short n = 0;
#define LINUX_BPF(...) code[n++] = (struct sock_filter)__VA_ARGS__
#define LINUX_REFUSE LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM))
  LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LINUX_AUDIT_ARCHITECTURE, 1, 0));
  LINUX_REFUSE;
  LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
  // Calls of the x32 interface have numbers of their own, which would pass all that follows.
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
  LINUX_REFUSE;
  for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, never[i], 0, 1));
    LINUX_REFUSE;
  }
  for (size_t i = spawn ? 1 : 0; i < sizeof own / sizeof *own; i++) {
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own[i], 0, 4));
    LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    LINUX_REFUSE;
    LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  if (!spawn) {
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 3, 0));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsid, 2, 0));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpgid, 1, 0));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1));
    LINUX_REFUSE;
#ifdef __x86_64__
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 1, 0));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 0, 1));
    LINUX_REFUSE;
#endif
    // Its flags are in memory, where a filter cannot look: callers then use clone.
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LINUX_SYS_CLONE3, 0, 1));
    LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
    LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x00010000 /* CLONE_THREAD */, 1, 0));
    LINUX_REFUSE;
    LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 6));
  LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)));
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PDEATHSIG, 0, 3));
  LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])));
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGKILL, 1, 0));
  LINUX_REFUSE;
  LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socketpair, 0, 5));
  LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])));
  LINUX_BPF(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xF));
  LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 1, 0));
  LINUX_REFUSE;
  LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  if (network) {
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5));
    LINUX_BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 3, 0));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 2, 0));
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 1, 0));
  } else {
    LINUX_BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1));
  }
  LINUX_REFUSE;
  LINUX_BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#undef LINUX_REFUSE
#undef LINUX_BPF
  struct sock_fprog program = {.len = n, .filter = code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
#endif
}

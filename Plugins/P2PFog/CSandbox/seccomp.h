// What the kernel refuses to the programs of jobs, as a filter that bubblewrap loads (seccomp(2), SECCOMP_MODE_FILTER).
#pragma once
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define SANDBOX_ARCHITECTURE AUDIT_ARCH_X86_64
#define SANDBOX_SYS_KEXEC_FILE_LOAD 320
#elif defined(__aarch64__)
#define SANDBOX_ARCHITECTURE AUDIT_ARCH_AARCH64
#define SANDBOX_SYS_KEXEC_FILE_LOAD 294
#endif

// Instructions at most; the kernel takes 4096.
#define SANDBOX_FILTER_LIMIT 512

// Writes the filter to `code` and gives its length in bytes; 0 on an architecture that has none here.
//
// A list of refusals, as flatpak's and Docker's are: an unknown program must run, so what is refused is what reaches past
// a process's own work. Refused with EPERM: other processes' memory (ptrace, process_vm, pidfd_getfd), mounts and
// namespaces (also by flags of clone), modules, kexec, bpf, perf, userfaultfd, io_uring (does the rest unseen), keyrings,
// clocks, swap, reboot, file handles, hardware ports, NUMA policy (kernel bugs lived there), other personalities (they
// weaken address randomisation), keystrokes put into a terminal (TIOCSTI, TIOCLINUX). Sockets are local or of the empty
// network namespace; others, above all VSOCK, which no network namespace holds, get EAFNOSUPPORT. clone3 gets ENOSYS: its
// flags are in memory, where no filter can look, and libraries then use clone. Calls of other architectures and of x32
// are killed or refused: their numbers would pass by the list.
static inline size_t sandbox_filter(struct sock_filter *_Nonnull code) {
#ifndef SANDBOX_ARCHITECTURE
  (void)code;
  return 0;
#else
  static const uint32_t never[] = {
      SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, 438 /* pidfd_getfd */, 440 /* process_madvise */,
      SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, 428 /* open_tree */, 429 /* move_mount */, 430 /* fsopen */,
      431 /* fsconfig */, 432 /* fsmount */, 433 /* fspick */, 442 /* mount_setattr */, 467 /* open_tree_attr */,
      SYS_unshare, SYS_setns, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SANDBOX_SYS_KEXEC_FILE_LOAD, SYS_bpf,
      SYS_perf_event_open, SYS_userfaultfd, 425, 426, 427 /* io_uring */, SYS_keyctl, SYS_add_key, SYS_request_key,
      SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, 443 /* quotactl_fd */, SYS_settimeofday,
      SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_syslog, SYS_vhangup,
      SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_lookup_dcookie, SYS_nfsservctl, SYS_fanotify_init,
      SYS_move_pages, SYS_migrate_pages, SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy,
#ifdef __x86_64__
      SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS__sysctl,
      SYS_create_module, SYS_get_kernel_syms, SYS_query_module, SYS_sysfs,
#endif
  };
  size_t n = 0;
#define BPF(...) code[n++] = (struct sock_filter)__VA_ARGS__
#define REFUSE(error) BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error)))
#define ALLOW BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW))
#define WORD(member) BPF(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member)))
#define EQUAL(value, then, otherwise) BPF(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise))
  WORD(arch);
  EQUAL(SANDBOX_ARCHITECTURE, 1, 0);
  BPF(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  WORD(nr);
  BPF(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
  REFUSE(EPERM);
  for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
    EQUAL(never[i], 0, 1);
    REFUSE(EPERM);
  }
  EQUAL(435 /* clone3 */, 0, 1);
  REFUSE(ENOSYS);
  // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; the flags are the first argument on both
  // architectures.
  EQUAL(SYS_clone, 0, 4);
  WORD(args[0]);
  BPF(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7E020000, 0, 1));
  REFUSE(EPERM);
  ALLOW;
  // The terminal layer looks at 32 bits of the request only, so the upper ones must not matter here.
  EQUAL(SYS_ioctl, 0, 5);
  WORD(args[1]);
  EQUAL(0x5412 /* TIOCSTI */, 1, 0);
  EQUAL(0x541C /* TIOCLINUX */, 0, 1);
  REFUSE(EPERM);
  ALLOW;
  EQUAL(SYS_personality, 0, 5);
  WORD(args[0]);
  EQUAL(0, 2, 0);
  EQUAL(0xFFFFFFFF, 1, 0);
  REFUSE(EPERM);
  ALLOW;
  EQUAL(SYS_socket, 0, 6);
  WORD(args[0]);
  EQUAL(AF_UNIX, 3, 0);
  EQUAL(AF_INET, 2, 0);
  EQUAL(AF_INET6, 1, 0);
  REFUSE(EAFNOSUPPORT);
  ALLOW;
  ALLOW;
#undef EQUAL
#undef WORD
#undef ALLOW
#undef REFUSE
#undef BPF
  return n * sizeof *code;
#endif
}

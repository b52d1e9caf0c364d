import Foundation
import PluginStorage
import TestSupport

@testable import P2PFog

/// A program that asks the kernel for what a job must not have, and says what it got; compiled where the tests run.
enum SandboxProbe {
  /// Each line of its output is `NAME ERRNO`, 0 for what was done.
  static let source = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/ioctl.h>
    #include <sys/mount.h>
    #include <sys/personality.h>
    #include <sys/ptrace.h>
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <netinet/in.h>
    #include <arpa/inet.h>
    #include <unistd.h>
    static void tell(const char *name, long result) { printf("%s %d\n", name, result < 0 ? errno : 0); fflush(stdout); }
    #define TRY(name, ...) tell(#name, syscall(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0))
    int main(void) {
      TRY(ptrace, PTRACE_TRACEME);
      TRY(unshare, CLONE_NEWUSER);
      TRY(mount, "none", "/tmp", "tmpfs");
      TRY(umount2, "/work");
      TRY(pivot_root, "/", "/");
      TRY(chroot, "/work");
      TRY(keyctl, 0);
      TRY(add_key, "user", "x");
      TRY(bpf, 0);
      TRY(perf_event_open, 0);
      TRY(userfaultfd, 0);
      TRY(init_module, 0);
      TRY(finit_module, 0);
      TRY(delete_module, "x");
      TRY(kexec_load, 0);
      TRY(reboot, 0);
      TRY(swapon, "/work");
      TRY(setns, 0);
      TRY(open_by_handle_at, -1);
      TRY(name_to_handle_at, AT_FDCWD, "/work");
      TRY(process_vm_readv, 1);
      TRY(syslog, 3);
      TRY(acct, 0);
      TRY(settimeofday, 0);
      tell("io_uring_setup", syscall(425, 1, 0));
      tell("clone3", syscall(435, 0, 0));
      tell("pidfd_getfd", syscall(438, 0, 0, 0));
      tell("open_tree", syscall(428, AT_FDCWD, "/work", 0));
      tell("clone_newuser", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
      tell("clone_newnet", syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
      char key = 'x';
      tell("tiocsti", ioctl(0, TIOCSTI, &key));
      tell("tiocsti_high", syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSTI, &key));
      tell("personality", personality(ADDR_NO_RANDOMIZE));
      tell("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
      tell("packet", socket(AF_PACKET, SOCK_RAW, 0));
      tell("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
      tell("alg", socket(38, SOCK_SEQPACKET, 0));
      int inet = socket(AF_INET, SOCK_STREAM, 0);
      tell("inet", inet);
      struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(80)};
      inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
      tell("connect_far", connect(inet, (struct sockaddr *)&far, sizeof far));
    #ifdef __x86_64__
      tell("x32_getpid", syscall(0x40000000 + 39));
    #endif
      return 0;
    }
    """#

  /// A bundle with the program as `probe`; `nil` where there is no compiler.
  static let bundle: [UInt8]? = {
    let folder = WorkerFolder()
    folder.write("probe.c", Array(source.utf8))
    for compiler in ["cc", "clang", "gcc"] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = [
        compiler, "-O1", "-w", "-o", folder.path + "/probe", folder.path + "/probe.c",
      ]
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { continue }
      process.waitUntilExit()
      guard process.terminationStatus == 0, let bytes = folder.read("probe") else { continue }
      return TarBuilder.gzip(
        TarBuilder.header("probe", size: bytes.count, mode: "0000755") + bytes
          + Tar.padding(bytes.count) + Tar.end
      )
    }
    return nil
  }()
}

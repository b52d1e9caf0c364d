// Tries what a service should not be able to do, each at a route of its own, and answers with the error number; 0: done.
#define _GNU_SOURCE
#include "fixture.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char directory[512];

static gw_status number(const gw_request_v1 *request, long value) {
  char data[32];
  int count = snprintf(data, sizeof data, "%ld", value);
  return TABLE(gw_http_v1, GW_HTTP_1)
      ->reply(CTX, request->handle, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}
static int opened(const char *path, int flags) {
  int fd = open(path, flags, 0600);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}
// The query of a request as text.
static const char *query(const gw_request_v1 *request) {
  static _Thread_local char text[1024];
  size_t count = request->query.count < sizeof text - 1 ? request->query.count : sizeof text - 1;
  memcpy(text, request->query.start, count);
  text[count] = 0;
  return text;
}
static gw_status reads(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, opened(query(request), O_RDONLY));
}
static gw_status writes(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, opened(query(request), O_WRONLY | O_CREAT));
}
static gw_status own(void *user, const gw_request_v1 *request, void **state) {
  char path[600];
  (void)user, (void)state;
  snprintf(path, sizeof path, "%s/own", directory);
  return number(request, opened(path, O_WRONLY | O_CREAT));
}
static gw_status connects(void *user, const gw_request_v1 *request, void **state) {
  int fd = socket(strcmp(query(request), "unix") ? AF_INET : AF_UNIX, SOCK_STREAM, 0), code = errno;
  (void)user, (void)state;
  if (fd >= 0) close(fd);
  return number(request, fd < 0 ? code : 0);
}
static gw_status spawns(void *user, const gw_request_v1 *request, void **state) {
  int status = 0;
  (void)user, (void)state;
  pid_t child = vfork();
  if (child < 0) return number(request, errno);
  if (child == 0) {
    execl("/bin/true", "true", (char *)NULL);
    _exit(errno);
  }
  waitpid(child, &status, 0);
  return number(request, WEXITSTATUS(status));
}
static gw_status signals(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, kill(getppid(), 0) < 0 ? errno : 0);
}
static gw_status traces(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 ? errno : 0);
}
// Sets a limit of the gateway to what it is.
static gw_status limits(void *user, const gw_request_v1 *request, void **state) {
  struct rlimit limit;
  (void)user, (void)state;
  if (prlimit(getppid(), RLIMIT_STACK, NULL, &limit) < 0) return number(request, errno);
  return number(request, prlimit(getppid(), RLIMIT_STACK, &limit, NULL) < 0 ? errno : 0);
}
static gw_status slows(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, setpriority(PRIO_PROCESS, (id_t)getppid(), 0) < 0 ? errno : 0);
}
// Memory that would stay when the process has ended.
static gw_status stays(void *user, const gw_request_v1 *request, void **state) {
  int segment = shmget(IPC_PRIVATE, 4096, 0600);
  (void)user, (void)state;
  if (segment < 0) return number(request, errno);
  shmctl(segment, IPC_RMID, NULL);
  return number(request, 0);
}
static gw_status mounts(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, mount("none", "/mnt", "tmpfs", 0, NULL) < 0 ? errno : 0);
}
static gw_status core(void *user, const gw_request_v1 *request, void **state) {
  struct rlimit limit;
  (void)user, (void)state;
  getrlimit(RLIMIT_CORE, &limit);
  return number(request, (long)limit.rlim_max);
}
// Takes as many MiB as the query says; 12 (ENOMEM) when they are not to be had.
static gw_status takes(void *user, const gw_request_v1 *request, void **state) {
  size_t count = strtoul(query(request), NULL, 10) << 20;
  (void)user, (void)state;
  volatile char *bytes = malloc(count);
  if (!bytes) return number(request, ENOMEM);
  for (size_t i = 0; i < count; i += 4096) bytes[i] = 1;
  free((void *)bytes);
  return number(request, 0);
}

// Speaks to the gateway past the host: what it says makes no sense.
static gw_status babbles(void *user, const gw_request_v1 *request, void **state) {
  static const uint8_t nonsense[64] = {[0 ... 63] = 0xA5};
  (void)user, (void)state;
  for (int fd = 3; fd < 10; fd++) send(fd, nonsense, sizeof nonsense, MSG_DONTWAIT | MSG_NOSIGNAL);
  return number(request, 0);
}
// Says to the gateway, past the host, what the query has in hexadecimal digits, as often as its first eight say.
static gw_status says(void *user, const gw_request_v1 *request, void **state) {
  const char *digits = query(request);
  uint8_t bytes[512];
  unsigned times = 0, byte = 0;
  size_t count = 0;
  (void)user, (void)state;
  sscanf(digits, "%8x", &times);
  for (digits += 8; count < sizeof bytes && sscanf(digits, "%2x", &byte) == 1; digits += 2)
    bytes[count++] = (uint8_t)byte;
  while (times--)
    for (size_t sent = 0; sent < count;) {
      ssize_t taken = send(3, bytes + sent, count - sent, MSG_NOSIGNAL);
      if (taken > 0) sent += (size_t)taken;
      else if (errno == EAGAIN) poll(&(struct pollfd){.fd = 3, .events = POLLOUT}, 1, -1);
      else return GW_E_INTERNAL;
    }
  return number(request, 0);
}
// Tries to leave the process group, by which it is ended.
static gw_status leaves(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, setpgid(0, getpgid(getppid())) < 0 ? errno : 0);
}
// Tries to live on when the gateway has died.
static gw_status outlives(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return number(request, prctl(PR_SET_PDEATHSIG, 0) < 0 ? errno : 0);
}
// Writes the query to its standard error, and tries to cut what that is.
static gw_status complains(void *user, const gw_request_v1 *request, void **state) {
  const char *line = query(request);
  (void)user, (void)state;
  if (write(2, line, strlen(line)) < 0 || write(2, "\n", 1) < 0) return GW_E_INTERNAL;
  return number(request, ftruncate(2, 0) < 0 ? errno : 0);
}
static gw_status forks(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  pid_t child = fork();
  if (child == 0) {
    setsid();
    for (;;) pause();
  }
  return number(request, child < 0 ? errno : 0);
}
// A pair of sockets, of which one could be connected to any other of the machine.
static gw_status pairs(void *user, const gw_request_v1 *request, void **state) {
  int ends[2], code = socketpair(AF_UNIX, strcmp(query(request), "stream") ? SOCK_DGRAM : SOCK_STREAM, 0, ends);
  (void)user, (void)state;
  if (code < 0) return number(request, errno);
  close(ends[0]);
  close(ends[1]);
  return number(request, 0);
}
static gw_status exits(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  _exit(3);
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const gw_http_handler_v1 floods = {.request = says};
  static const struct { const char *path; gw_http_handler_v1 handler; } routes[] = {
      {"/v1/prober/reads", {.request = reads}},     {"/v1/prober/writes", {.request = writes}},
      {"/v1/prober/own", {.request = own}},         {"/v1/prober/connects", {.request = connects}},
      {"/v1/prober/spawns", {.request = spawns}},   {"/v1/prober/signals", {.request = signals}},
      {"/v1/prober/traces", {.request = traces}},   {"/v1/prober/mounts", {.request = mounts}},
      {"/v1/prober/core", {.request = core}},       {"/v1/prober/takes", {.request = takes}},
      {"/v1/prober/babbles", {.request = babbles}}, {"/v1/prober/exits", {.request = exits}},
      {"/v1/prober/says", {.request = says}},       {"/v1/prober/leaves", {.request = leaves}},
      {"/v1/prober/forks", {.request = forks}},     {"/v1/prober/pairs", {.request = pairs}},
      {"/v1/prober/outlives", {.request = outlives}}, {"/v1/prober/complains", {.request = complains}},
      {"/v1/prober/limits", {.request = limits}},     {"/v1/prober/slows", {.request = slows}},
      {"/v1/prober/stays", {.request = stays}}};
  char more[600];
  host = given;
  (void)settings;
  *self = NULL;
  gw_bytes path = TABLE(gw_core_v1, GW_CORE_1)->data_directory(CTX);
  snprintf(directory, sizeof directory, "%.*s", (int)path.count, (const char *)path.start);
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route("GET", routes[i].path, GW_ROUTE_PUBLIC, &routes[i].handler) < 0) return GW_E_INTERNAL;
  // Another plugin than at first, once the file "more" is there.
  // On the loop, which reads nothing meanwhile.
  if (add_route("GET", "/v1/prober/floods", GW_ROUTE_PUBLIC | GW_ROUTE_INLINE, &floods) < 0) return GW_E_INTERNAL;
  snprintf(more, sizeof more, "%s/more", directory);
  return access(more, F_OK) ? GW_OK : add_route("GET", "/v1/prober/more", GW_ROUTE_PUBLIC, &routes[0].handler);
}
PLUGIN("prober", create)

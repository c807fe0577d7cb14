// What code in a sandbox may try, and must not get. Each attempt is one that
// succeeds on the host, or is shown to run into the defence that is meant.
#include "runtime/base/fd.hpp"
#include "runtime/sandbox/assets.hpp"
#include "tests/runtime/sandbox/sandbox_session.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

using namespace greenroom;
using namespace greenroom::test;
using Catch::Contains;

namespace {

// What a system call answers in the sandbox: "ok" or the name of its error.
std::string call(const sandbox_session& s, long number,
                 const std::string& arguments) {
  auto result = s.run(s.program(
    {"/usr/bin/perl", "-MErrno", "-e",
     "my $r = syscall(" + std::to_string(number) + ", " + arguments
       + "); if ($r >= 0) { print 'ok' } else { for (keys %!) { "
         "print if $!{$_} && $_ ne 'EWOULDBLOCK' && $_ ne 'ENOTSUP' } }"}));
  INFO(result.err);
  CHECK(result.ok());
  return result.out;
}

} // namespace

TEST_CASE("a program has no capability, no way to more, and a filter") {
  sandbox_session s;
  auto status = s.shell("cat /proc/self/status").out;
  for (auto set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    CHECK_THAT(status, Contains(std::string{set} + ":\t0000000000000000\n"));
  CHECK_THAT(status, Contains("NoNewPrivs:\t1\n"));
  CHECK_THAT(status, Contains("Seccomp:\t2\n"));
  CHECK(s.shell("id").out
        == "uid=1000(greenroom) gid=1000(greenroom) groups=1000(greenroom)\n");
}

TEST_CASE("nothing of the node's data but the session's own is seen") {
  sandbox_session s;
  // The attempt would read these if they were there.
  REQUIRE(content(s.data_dir() / "admin.key") == "the admin key");
  for (auto file :
       {s.data_dir() / "admin.key", s.theirs() / "checkout/theirs.txt",
        s.checkout() / "../../theirs/checkout/theirs.txt",
        std::filesystem::path{"/proc/1/root"} / s.theirs().relative_path()
          / "checkout/theirs.txt"}) {
    auto result = s.shell("cat " + file.string());
    CHECK(result.out == "");
    // Of bwrap's own process, where that is another user's, nothing is seen.
    CHECK_THAT(result.err, Contains("No such file or directory")
                             || Contains("/proc/1/root/"));
  }
  CHECK(s.shell("ls -A " + s.data_dir().string()).out == "repos\n");
  CHECK(s.shell("ls -A " + s.mirror().string()).out == "objects\n");
}

TEST_CASE("a link in the checkout leads nowhere outside") {
  sandbox_session s;
  std::filesystem::create_symlink(s.data_dir() / "admin.key",
                                  s.checkout() / "link");
  auto result = s.shell("cat link");
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains("No such file or directory"));
}

TEST_CASE("only checkout, home and what is in memory can be written") {
  sandbox_session s;
  auto object = (s.mirror() / "objects/ab/cdef").string();
  CHECK(s.shell("cat " + object).out == "an object");
  for (const auto& path :
       {object, (s.mirror() / "objects/new").string(), std::string{"/usr/new"},
        std::string{"/new"}, std::string{"/etc/new"}, std::string{"/dev/new"},
        std::string{"/etc/passwd"}, std::string{"/run/new"},
        std::string{"/proc/sys/kernel/hostname"},
        std::string{"/proc/sys/kernel/core_pattern"}}) {
    auto result = s.shell("echo x >> " + path);
    // A node that is no root is refused earlier in some.
    CHECK_THAT(result.err, Contains("Read-only file system")
                             || Contains("Permission denied"));
  }
  // A program that runs somewhere is refused as busy before that, so not by
  // writing to it.
  CHECK_THAT(s.shell("chmod 700 /run/greenroom/greenroom-runner").err,
             Contains("Read-only file system"));
  auto result = s.shell("for f in /workspace/a ~/b /tmp/c /dev/shm/d "
                        "/var/tmp/e; do echo x > $f || exit 1; done");
  CHECK(result.err == "");
  CHECK(std::filesystem::exists(s.mine() / "home/b"));
  // /tmp is the session's alone.
  CHECK_FALSE(std::filesystem::exists("/tmp/c"));
}

TEST_CASE("devices work, and are not the session's to change") {
  sandbox_session s;
  auto result = s.shell("echo x > /dev/null && head -c 3 /dev/zero | wc -c && "
                        "head -c 3 /dev/urandom | wc -c");
  CHECK(result.out == "3\n3\n");
  CHECK(result.err == "");
  if (::geteuid() == 0 && !sandbox::has_devices(s.host.files)) {
    WARN("not tested: devices cannot be made here");
    return;
  }
  for (auto name : sandbox::device_names)
    // The mode that it has, lest a failure break the host.
    CHECK_THAT(s.shell(std::string{"chmod 666 /dev/"} + name).err,
               Contains("Operation not permitted"));
}

TEST_CASE("what the kernel tells root alone is not told") {
  sandbox_session s;
  for (auto name : {"keys", "kpagecount", "kpageflags", "kcore"})
    CHECK(s.shell(std::string{"head -c 8 /proc/"} + name).out == "");
}

TEST_CASE("what is in memory does not grow beyond its size") {
  sandbox_session s;
  auto result = s.shell("head -c 100M /dev/zero > /dev/shm/big; "
                        "stat -c %s /dev/shm/big");
  CHECK_THAT(result.err, Contains("No space left on device"));
  CHECK(std::stoull(result.out) <= s.host.config.memory / 2);
  CHECK(std::stoull(result.out) > s.host.config.memory / 4);
}

TEST_CASE("no mount, no namespace, no way into another's") {
  sandbox_session s;
  CHECK(call(s, SYS_getpid, "") == "ok"); // the probe itself works
  CHECK(call(s, SYS_mount, "0, 0, 0, 0, 0") == "EPERM");
  CHECK(call(s, SYS_umount2, "0, 0") == "EPERM");
  CHECK(call(s, SYS_pivot_root, "0, 0") == "EPERM");
  CHECK(call(s, SYS_setns, "-1, 0") == "EPERM");
  CHECK(call(s, SYS_open_by_handle_at, "-1, 0, 0") == "EPERM");
  for (auto flags : {"0x10000000", "0x00020000", "0x40000000", "0"})
    CHECK(call(s, SYS_unshare, flags) == "EPERM");
#ifdef __x86_64__
  // CLONE_NEWUSER, and the same with bits that the kernel does not look at.
  for (auto flags : {"0x10000011", "0x110000011"})
    CHECK(call(s, SYS_clone, std::string{flags} + ", 0, 0, 0, 0") == "EPERM");
#endif
  for (auto number : {SYS_clone3, SYS_open_tree, SYS_move_mount, SYS_fsopen,
                      SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr})
    CHECK(call(s, number, "-1, 0, 0, 0, 0") == "ENOSYS");
}

TEST_CASE("user namespaces are refused by the kernel's own limit too") {
  sandbox_session s;
  // The filter aside: bwrap leaves one, its own, and none below it.
  auto argv = sandbox::bwrap_argv(s.host, s.paths(), network_mode::none, {});
  argv.insert(argv.end(), {"--", "/usr/bin/unshare", "-U", "true"});
  auto result = run_command(s.program(argv));
  CHECK_FALSE(result.ok());
  CHECK_THAT(result.err, Contains("No space left on device"));
}

TEST_CASE("the kernel's keys, bpf and their like are closed") {
  sandbox_session s;
  for (auto number :
       {SYS_keyctl, SYS_add_key, SYS_request_key, SYS_perf_event_open, SYS_bpf,
        SYS_userfaultfd, SYS_kexec_load})
    CHECK(call(s, number, "0, 0, 0, 0, 0") == "EPERM");
}

TEST_CASE("only sockets of the usual families can be made") {
  sandbox_session s;
  // AF_UNSPEC passes the filter and is none; then UNIX, INET, INET6, NETLINK.
  CHECK(call(s, SYS_socket, "0, 1, 0") == "EAFNOSUPPORT");
  for (auto family : {"1", "2", "10", "16"})
    CHECK(call(s, SYS_socket, std::string{family} + ", 3, 0")
          != "EAFNOSUPPORT");
  CHECK(call(s, SYS_socket, "1, 1, 0") == "ok");
  // AX25, PACKET, TIPC, CAN, ALG, VSOCK, and what is no family; also with bits
  // that the kernel does not look at.
  for (auto family : {"3", "9", "11", "15", "17", "30", "29", "38", "40",
                      "1000", "-1", "0x100000028", "0x100000003"})
    for (auto number : {SYS_socket, SYS_socketpair})
      CHECK(call(s, number, std::string{family} + ", 1, 0, 0")
            == "EAFNOSUPPORT");
}

TEST_CASE("there is no io_uring, which would go past the filter") {
  sandbox_session s;
  for (auto number :
       {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register})
    CHECK(call(s, number, "-1, 0, 0, 0, 0") == "ENOSYS");
}

TEST_CASE("nothing can be typed into a terminal") {
  sandbox_session s;
  // TIOCSTI and TIOCLINUX, also with bits that the kernel does not look at;
  // TIOCGWINSZ passes the filter and finds no terminal.
  for (auto request : {"0x5412", "0x541c", "0x100005412"})
    CHECK(call(s, SYS_ioctl, std::string{"0, "} + request + ", 0") == "EPERM");
  CHECK(call(s, SYS_ioctl, "0, 0x5413, 0") == "ENOTTY");
}

#ifdef __x86_64__
namespace {

// A kernel may be built or booted without 32-bit system calls: then they are a
// segmentation fault.
bool has_32_bit_calls() {
  auto child = ::fork();
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(20L)
                     : "memory", "r8", "r9", "r10", "r11");
    ::_exit(result > 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace

TEST_CASE("32-bit system calls have the same rules, x32 has none at all") {
  sandbox_session s;
  write(s.checkout() / "calls.c", R"(
    #include <stdio.h>
    static long call32(long number, long first) {
      long result;
      __asm__ volatile("int $0x80" : "=a"(result)
                       : "a"(number), "b"(first), "c"(0L), "d"(0L), "S"(0L),
                         "D"(0L) : "memory", "r8", "r9", "r10", "r11");
      return result;
    }
    static long call_x32(long number) {
      long result;
      __asm__ volatile("syscall" : "=a"(result) : "a"(number | 0x40000000)
                       : "memory", "rcx", "r11");
      return result;
    }
    int main(int argc, char** argv) {
      printf("%ld\n", call_x32(39));
      if (argc == 1)
        return 0;
      printf("%ld %ld %d\n", call32(310, 0x10000000), call32(21, 0),
             call32(20, 0) > 0);
      printf("%ld %ld %ld %ld\n", call32(359, 40), call32(360, 40),
             call32(102, 1), call32(425, 1));
    })");
  auto both = has_32_bit_calls();
  auto result =
    s.shell("gcc -o calls calls.c && ./calls" + std::string{both ? " 32" : ""});
  CHECK(result.err == "");
  // x32's getpid; unshare, mount, getpid; socket and socketpair of AF_VSOCK,
  // socketcall, io_uring_setup.
  CHECK(result.out == (both ? "-38\n-1 -1 1\n-97 -97 -38 -38\n" : "-38\n"));
}
#endif

TEST_CASE("debuggers still work") {
  sandbox_session s;
  // PTRACE_TRACEME
  CHECK(call(s, SYS_ptrace, "0, 0, 0, 0") == "ok");
}

TEST_CASE("processes outside are neither seen nor reached") {
  sandbox_session s;
  auto self = std::to_string(::getpid());
  // In its own namespace the numbers begin anew: bwrap's init and the shell.
  CHECK(s.shell("cd /proc; echo [0-9]*").out == "1 2\n");
  auto result = s.shell("kill -0 " + self + " && echo reached");
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains("No such process"));
}

TEST_CASE("without a network the host's own services are not reached") {
  sandbox_session s;
  unique_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener.get(), raw, size) == 0);
  REQUIRE(::listen(listener.get(), 8) == 0);
  REQUIRE(::getsockname(listener.get(), raw, &size) == 0);
  auto script = "exec 3<>/dev/tcp/127.0.0.1/"
                + std::to_string(ntohs(address.sin_port)) + " && echo reached";

  // On the host the same words get through.
  auto outside = s.program({"/bin/bash", "-c", script});
  REQUIRE(run_command(outside).out == "reached\n");
  auto result = s.shell(script);
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains("Connection refused"));
  // But for the loopback, which is up and its own, there is no interface.
  CHECK_THAT(s.shell("cat /proc/net/dev").out,
             Contains("lo:") && !Contains("eth0:"));
}

TEST_CASE("the host's people, its name and its keys are not told") {
  sandbox_session s;
  CHECK(s.shell("uname -n").out == "greenroom\n");
  CHECK(s.shell("awk -F: '$3 == 0 || $3 > 999 { print $1 }' /etc/passwd").out
        == "root\ngreenroom\nnobody\n");
  CHECK(s.shell("awk -F: '$3 == 0 || $3 > 999 { print $1 }' /etc/group").out
        == "root\ngreenroom\nnogroup\n");
  // Passwords, comments and members name people, or more.
  CHECK(s.shell("awk -F: '$2 != \"x\"' /etc/passwd /etc/group").out == "");
  CHECK(s.shell("awk -F: '$4 != \"\"' /etc/group").out == "");
  CHECK(s.shell("cut -d: -f5 /etc/passwd | sort -u").out
        == "\nnobody\nroot\nsession\n");
  CHECK(s.shell("ls -A /etc/ssl/private").out == "");
  CHECK_FALSE(s.shell("cat /etc/shadow").ok());
  CHECK(s.shell("ls /sys").out == "devices\nfs\n");
  CHECK(s.shell("ls /sys/devices").out == "system\n");
}

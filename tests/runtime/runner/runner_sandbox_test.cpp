// The runner's inner half as pid 1 of a sandbox that bubblewrap makes.
#include "tests/runtime/runner/sandboxed.hpp"
#include "tests/support/eventually.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <fstream>

using namespace greenroom;
using test::can_sandbox;
using test::ends;
using test::plan;
using test::runner_inside;
using test::sandboxed_init;
using test::session;

namespace {

std::uint64_t proportional_kib(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
  std::string word;
  while (file >> word)
    if (std::uint64_t result = 0; word == "Pss:" && file >> result)
      return result;
  FAIL("no memory of process " << pid);
  return 0;
}

} // namespace

TEST_CASE("a command runs in the sandbox, below our own pid 1") {
  if (!can_sandbox())
    return;
  session s{plan()};
  s.run("x", "pwd; tr '\\0' ' ' </proc/1/cmdline; echo; hostname; id -u; "
             "[ -e "
               + s.dir().string() + " ] || echo hidden; echo err >&2");
  CHECK(s.output("x")
        == "/workspace\n" + std::string{runner_inside}
             + " --init /workspace \nsandbox\n1000\nhidden\n");
  CHECK(s.output("x", output_stream::err) == "err\n");
  auto record = s.run("y", "exit 9");
  CHECK(record.status == exit_status::exited);
  CHECK(record.exit_code == 9);
}

TEST_CASE("commands of a session share its processes, files and localhost") {
  if (!can_sandbox())
    return;
  session s{plan()};
  auto record = s.run(
    "server",
    "echo content >file; "
    "setsid python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\","
    " 8000)); open(\"up\", \"w\"); c, _ = s.accept(); c.sendall(b\"hi\\n\")' "
    ">/dev/null 2>&1 & until [ -e up ]; do :; done");
  CHECK(record.exit_code == 0);
  s.run("client", "cat file; exec 3<>/dev/tcp/127.0.0.1/8000; cat <&3");
  CHECK(s.output("client") == "content\nhi\n");
}

TEST_CASE("a command's directory in the sandbox is below its checkout") {
  if (!can_sandbox())
    return;
  session s{plan()};
  s.run("make", "mkdir -p a/b; ln -s / out");
  auto spec = s.shell("pwd");
  spec.cwd = "a/b";
  s.run("deep", spec);
  CHECK(s.output("deep") == "/workspace/a/b\n");
  for (std::string cwd : {"..", "out/usr", "/usr"}) {
    spec.cwd = cwd;
    CHECK(s.refusal("r" + std::to_string(cwd.size()), spec)
          == "cwd \"" + cwd + "\" leads out of the checkout");
  }
}

TEST_CASE("init cannot be traced or ended from inside") {
  if (!can_sandbox())
    return;
  session s{plan()};
  auto record = s.run("x", "kill -KILL 1; kill -TERM 1; "
                           "cat /proc/1/environ /proc/1/maps && echo read; "
                           "readlink /proc/1/fd/3 && echo followed; "
                           "readlink /proc/$PPID/fd/3 && echo supervisor; "
                           "readlink /proc/1/root && echo root; "
                           "echo alive");
  CHECK(record.exit_code == 0);
  CHECK(s.output("x") == "alive\n");
}

TEST_CASE("a cancel reaches all that left the command's session inside") {
  if (!can_sandbox())
    return;
  session s{plan(), 50};
  s.start("x", s.shell("trap '' TERM; setsid bash -c 'echo 0; sleep 1000' & "
                       "(setsid bash -c 'echo 0; sleep 1000' &); wait"));
  s.printed_pids("x", 2);
  std::vector<pid_t> all;
  for (auto pid : test::descendants_of(s.runner_pid))
    if (auto name = read_file("/proc/" + std::to_string(pid) + "/comm");
        name == "bash\n" || name == "sleep\n")
      all.push_back(pid);
  CHECK(all.size() >= 3);
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  for (auto pid : all)
    CHECK(ends(pid));
  CHECK(s.run("y", "true").exit_code == 0);
}

TEST_CASE("kill -9 of the runner ends everything in the sandbox") {
  if (!can_sandbox())
    return;
  session s{plan()};
  s.start("x", s.shell("trap '' TERM HUP; setsid sleep 1000 & "
                       "(setsid sleep 1000 &); echo 0; wait"));
  s.printed_pids("x", 1);
  auto below = test::descendants_of(s.runner_pid);
  CHECK(below.size() >= 6); // bwrap, init, two supervisors, bash, sleep
  ::kill(s.runner_pid, SIGKILL);
  for (auto pid : below)
    CHECK(ends(pid));
}

TEST_CASE("when a sandbox's init is killed its execs are lost") {
  if (!can_sandbox())
    return;
  session s{plan()};
  s.start("x", s.shell("echo 0; sleep 1000"));
  s.printed_pids("x", 1);
  auto below = test::descendants_of(s.runner_pid);
  ::kill(sandboxed_init(s), SIGKILL);
  CHECK(s.end_of("x").status == exit_status::lost);
  for (auto pid : below)
    CHECK(ends(pid));
  CHECK(s.run("y", "echo fine").exit_code == 0);
  CHECK(s.output("y") == "fine\n");
}

TEST_CASE("a terminal in the sandbox is the sandbox's own") {
  if (!can_sandbox())
    return;
  session s{plan()};
  auto spec = s.shell("tty; stty size; echo ready; sleep 1000");
  spec.rows = 30;
  spec.cols = 100;
  s.start("x", spec);
  s.printed("x", "ready\r\n", output_stream::tty); // it may come in pieces
  CHECK(s.output("x", output_stream::tty)
        == "/dev/pts/0\r\n30 100\r\nready\r\n");
  REQUIRE(::write(s.node->input_of("x").get(), "\x03", 1) == 1);
  CHECK(s.end_of("x").signal == SIGINT);
}

TEST_CASE("resource limits hold for every command") {
  if (!can_sandbox())
    return;
  auto limited = plan();
  limited.rlimits = {{"nofile", 100}, {"core", 0}};
  session s{limited};
  s.run("x", "ulimit -n; ulimit -Hn; ulimit -c");
  CHECK(s.output("x") == "100\n100\n0\n");
}

TEST_CASE("the filter of system calls is in force for every command") {
  if (!can_sandbox())
    return;
  test::temp_dir place;
  // All calls are allowed but one, which fails with EPERM.
  const std::array<sock_filter, 4> program{
    {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 1),
     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  auto filtered = plan();
  filtered.seccomp_file = (place.path() / "filter").string();
  write_file_atomic(
    filtered.seccomp_file,
    {reinterpret_cast<const char*>(program.data()), sizeof program}, 0600,
    false);
  session s{filtered};
  s.run("x", "sed -n 's/^Seccomp:\t//p; s/^NoNewPrivs:\t//p' "
             "/proc/self/status; setarch -R true || echo refused; "
             "ls /proc/self/fd | wc -l");
  CHECK(s.output("x") == "1\n2\nrefused\n4\n");
}

TEST_CASE("a sandbox that cannot be made refuses the command and says why") {
  if (!can_sandbox())
    return;
  auto refusal = [](const runner::sandbox_plan& bad) {
    session s{bad};
    auto result = s.refusal("x", s.shell("true"));
    // And again, not only once.
    CHECK(s.refusal("y", s.shell("true")) == result);
    test::await("nothing of it is left",
                [&s] { return test::descendants_of(s.runner_pid).empty(); });
    return result;
  };
  auto bad = plan();
  bad.argv.insert(bad.argv.end(), {"--ro-bind", "/no/such", "/x"});
  CHECK(refusal(bad)
        == "the sandbox cannot be made: bwrap: Can't find source path "
           "/no/such: No such file or directory");
  bad = plan();
  bad.argv[0] = "/no/such/bwrap";
  CHECK(refusal(bad)
        == "the sandbox cannot be made: /no/such/bwrap cannot be run: No such "
           "file or directory");
  bad = plan();
  bad.seccomp_file = "/no/such.bpf";
  CHECK(refusal(bad)
        == "the sandbox cannot be made: cannot open \"/no/such.bpf\": No such "
           "file or directory");
  bad = plan();
  bad.rlimits = {{"wishes", 3}};
  CHECK(refusal(bad)
        == "the sandbox cannot be made: there is no resource limit \"wishes\"");
  bad = plan();
  bad.cgroups = {"/no/such/group"};
  CHECK(refusal(bad)
        == "the sandbox cannot be made: cannot enter \"/no/such/group\": No "
           "such file or directory");
}

TEST_CASE("a session's runner is small") {
  if (!can_sandbox())
    return;
  session s{plan()};
  s.run("x", "true");
  test::await("only what always stands there is left",
              [&s] { return test::descendants_of(s.runner_pid).size() == 3; });
  auto init = sandboxed_init(s);
  auto supervisors = test::children_of(init);
  REQUIRE(supervisors.size() == 1);
  auto total = proportional_kib(s.runner_pid) + proportional_kib(init)
               + proportional_kib(supervisors[0]);
  INFO("KiB: " << total);
#ifdef __SANITIZE_ADDRESS__
  CHECK(total > 0); // the sanitizer's own memory is many times that
#else
  CHECK(total < 3 * 1024);
#endif
}

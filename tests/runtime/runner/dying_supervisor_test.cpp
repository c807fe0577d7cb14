// A supervisor that is killed at any step of its next job: what it has not
// begun is done by another one, and nothing is done twice.
#include "tests/runtime/runner/session_fixture.hpp"
#include "tests/support/eventually.hpp"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

using namespace greenroom;
using test::session;

namespace {

/// False of a command whose supervisor is gone: init has it then.
bool is_ours(pid_t pid) {
  std::error_code gone;
  auto program = std::filesystem::read_symlink(
    "/proc/" + std::to_string(pid) + "/exe", gone);
  return !gone && program.filename() == "greenroom-runner";
}

/// Those of init's children that have none of their own.
std::vector<pid_t> idle_supervisors(const session& s) {
  std::vector<pid_t> result;
  for (auto init : test::children_of(s.runner_pid))
    for (auto one : test::children_of(init))
      if (test::lives(one) && is_ours(one) && test::children_of(one).empty())
        result.push_back(one);
  return result;
}

pid_t waiting_supervisor(const session& s) {
  std::vector<pid_t> all; // as they were seen: they may be others by now
  test::await("one supervisor waits", [&] {
    all = idle_supervisors(s);
    return all.size() == 1;
  });
  return all[0];
}

long request(int what, pid_t pid, long data = 0) {
  return ::ptrace(static_cast<__ptrace_request>(what), pid, 0, data);
}

/// A process whose system calls are gone through one by one.
class traced_process {
public:
  /// The supervisor that waits, as it is about to take its next job.
  explicit traced_process(const session& s) {
    do
      pid_ = waiting_supervisor(s);
    while (!attach());
  }

  bool may_trace() const {
    return may_trace_;
  }

  /// The next system call that begins (or, `ended`, has ended), or nothing.
  long next(bool ended = false) {
    for (;;) {
      REQUIRE(request(PTRACE_SYSCALL, pid_) == 0);
      int status = 0;
      REQUIRE(::waitpid(pid_, &status, __WALL) == pid_);
      if (!WIFSTOPPED(status))
        return -1;
      if (WSTOPSIG(status) != (SIGTRAP | 0x80))
        continue;
      __ptrace_syscall_info info{};
      REQUIRE(::ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info) > 0);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        number_ = static_cast<long>(info.entry.nr);
      if ((info.op == PTRACE_SYSCALL_INFO_EXIT) == ended
          && (!ended || info.exit.rval >= 0))
        return number_;
    }
  }

  void kill() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, __WALL) == pid_ && WIFSTOPPED(status))
      request(PTRACE_CONT, pid_);
  }

private:
  // False of one that has done its job and ends, for another one waits.
  bool attach() {
    may_trace_ = request(PTRACE_SEIZE, pid_, PTRACE_O_TRACESYSGOOD) == 0;
    // One that is dead and not reaped yet is refused as if it were forbidden.
    if (!may_trace_)
      return errno != ESRCH && test::lives(pid_);
    int status = 0;
    if (request(PTRACE_INTERRUPT, pid_) != 0 && errno != ESRCH)
      FAIL("cannot stop " << pid_);
    REQUIRE(::waitpid(pid_, &status, __WALL) == pid_);
    if (!WIFSTOPPED(status))
      return false;
    long number = -1;
    do
      number = next();
    while (number >= 0 && number != SYS_recvmsg);
    return number == SYS_recvmsg;
  }

  pid_t pid_ = -1;
  bool may_trace_ = false;
  long number_ = -1;
};

struct killing {
  bool begun = false; // it may have begun before: that order is taken then
  bool over = false;  // the job was done before
};

/// Kills it when it has taken its job and is about to make its `steps`th system
/// call after that; `last` is the one by which it is done.
killing kill_at(traced_process& supervisor, int steps, long last) {
  while (supervisor.next(true) != SYS_recvmsg) {
  }
  killing result;
  for (int i = 0; i < steps && !result.over; ++i) {
    auto number = supervisor.next();
    result.over = number == last || number < 0;
    result.begun = result.begun || number == SYS_recvfrom;
  }
  supervisor.kill();
  return result;
}

/// The first message that is one of these.
template <class... Wanted>
runner::runner_message first_of(session& s) {
  for (;;) {
    auto message = s.node->next();
    REQUIRE(message);
    if ((std::holds_alternative<Wanted>(*message) || ...))
      return std::move(*message);
  }
}

std::string text_of(const std::filesystem::path& file) {
  return read_file(file).value_or("");
}

bool can_trace(const session& s) {
  traced_process one{s};
  if (one.may_trace())
    one.kill();
  else
    WARN("no other process may be traced here");
  return one.may_trace();
}

} // namespace

TEST_CASE("a command that a dying supervisor has taken is given to the next "
          "one, and never to two") {
  session s;
  s.run("first", "true");
  if (!can_trace(s))
    return;
  for (int steps = 0, over = 0; over == 0; ++steps) {
    CAPTURE(steps);
    const auto id = "x" + std::to_string(steps);
    traced_process supervisor{s};
    s.spawn(id, s.shell("echo ran >>" + id));
    const auto how = kill_at(supervisor, steps, SYS_poll);
    const auto end = first_of<runner::refused, runner::exited>(s);
    const auto* exited = std::get_if<runner::exited>(&end);
    const auto ran = text_of(s.dir() / "checkout" / id);
    if (!how.begun) {
      REQUIRE(exited);
      CHECK(exited->record.status == exit_status::exited);
      CHECK(exited->record.exit_code == 0);
      CHECK(ran == "ran\n");
    }
    CHECK((ran.empty() || ran == "ran\n"));
    over = how.over ? 1 : 0;
  }
}

TEST_CASE("a connection that a dying supervisor was to make is made by the "
          "next one") {
  session s;
  s.run("first", "true");
  if (!can_trace(s))
    return;
  s.start("server", s.shell(R"(exec perl -MIO::Socket::IP -e '
    $| = 1;
    my $s = IO::Socket::IP->new(LocalHost => "127.0.0.1", LocalPort => 0,
                                Listen => 99) or die $@;
    print $s->sockport, "\n";
    while (my $c = $s->accept) { close $c }')"));
  const auto port = static_cast<std::uint16_t>(s.printed_pids("server", 1)[0]);
  for (int steps = 0, over = 0; over == 0; ++steps) {
    CAPTURE(steps);
    traced_process supervisor{s};
    const auto ask = static_cast<std::uint64_t>(steps) + 1;
    s.node->say(runner::connect{ask, port});
    over = kill_at(supervisor, steps, SYS_sendmsg).over ? 1 : 0;
    const auto answer = first_of<runner::connected, runner::not_connected>(s);
    const auto* made = std::get_if<runner::connected>(&answer);
    REQUIRE(made);
    CHECK(made->ask == ask);
    CHECK(s.node->take_fd());
  }
}

TEST_CASE("a command whose supervisors are all killed is refused in the end") {
  session s;
  s.run("first", "true");
  if (!can_trace(s))
    return;
  traced_process first{s};
  s.spawn("x", s.shell("touch ran"));
  kill_at(first, 0, SYS_poll);
  for (bool refused = false; !refused;) {
    for (auto one : idle_supervisors(s))
      ::kill(one, SIGKILL);
    while (!refused && test::becomes_readable(s.node->fd(), 0)) {
      auto message = s.node->next();
      REQUIRE(message);
      // One of them may have been quicker than we.
      refused = std::holds_alternative<runner::refused>(*message)
                || std::holds_alternative<runner::exited>(*message);
    }
  }
  CHECK(s.run("y", "echo fine").status == exit_status::exited);
}

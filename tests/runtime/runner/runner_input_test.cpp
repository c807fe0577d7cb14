// What a command reads: nothing, a pipe, or a terminal.
#include "tests/runtime/runner/session_fixture.hpp"
#include "tests/support/eventually.hpp"

#include <sys/ioctl.h>

using namespace greenroom;
using test::session;

namespace {

constexpr auto tty = output_stream::tty;

void type(const unique_fd& to, std::string_view text) {
  REQUIRE(::write(to.get(), text.data(), text.size())
          == static_cast<ssize_t>(text.size()));
}

runner::command_spec with_input(runner::command_spec spec) {
  spec.stdin_open = true;
  return spec;
}

runner::command_spec with_tty(runner::command_spec spec) {
  spec.rows = 24;
  spec.cols = 80;
  return spec;
}

// Which the runner is to feed it at first, and nothing more if that `ends`.
void put_input(const session& s, const std::string& exec,
               runner::command_spec& spec, std::string_view text, bool ends) {
  spec.stdin_open = spec.rows == 0;
  spec.first_input = true;
  spec.input_ends = ends;
  ensure_dir(s.exec_dir(exec));
  write_file_atomic(s.exec_dir(exec) / runner::input_file, text, 0600, false);
}

void let_go(const session& s) {
  write_file_atomic(s.dir() / "checkout/go", "", 0600, false);
}

const std::string until_go = "until [ -e go ]; do sleep 0.01; done; ";

std::string why_no_input(session& s, const std::string& exec) {
  s.node->say(runner::open_input{exec});
  return s.node->wait_for<runner::no_input>().reason;
}

} // namespace

TEST_CASE("bytes for an open input arrive, and its end ends the reader") {
  session s;
  s.start("x", with_input(s.shell("cat; echo end")));
  auto input = s.node->input_of("x");
  type(input, "one\n");
  s.printed("x", "one\n");
  type(input, "two");
  input.reset();
  s.node->say(runner::close_input{"x"});
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x") == "one\ntwoend\n");
}

TEST_CASE("an open input stays open when the node that had it is gone") {
  session s;
  s.start("x", with_input(s.shell("cat")));
  type(s.node->input_of("x"), "one\n");
  s.node.emplace(s.dir(), s.nonce);
  CHECK(s.node->greet().execs.size() == 1);
  type(s.node->input_of("x"), "two\n");
  s.node->say(runner::close_input{"x"});
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x") == "one\ntwo\n");
}

TEST_CASE("an input that nobody reads never blocks who writes") {
  session s;
  s.start("x", with_input(s.shell("sleep 1000")));
  auto input = s.node->input_of("x");
  std::string much(1 << 20, 'x');
  CHECK(::write(input.get(), much.data(), much.size()) < 1 << 20);
  CHECK(::write(input.get(), much.data(), much.size()) == -1);
  CHECK(errno == EAGAIN);
}

TEST_CASE("where there is no input the reason is told") {
  session s;
  CHECK(why_no_input(s, "none") == "exec none does not run");
  s.start("x", s.shell("sleep 1000"));
  CHECK(why_no_input(s, "x") == "exec x was started with its stdin closed");
  s.start("y", with_input(s.shell("sleep 1000")));
  s.node->say(runner::close_input{"y"});
  CHECK(why_no_input(s, "y") == "the stdin of exec y has been closed");
  s.run("z", with_input(s.shell("true")));
  CHECK(why_no_input(s, "z") == "exec z does not run");
}

TEST_CASE("a terminal is one, of the size and kind that were asked for") {
  session s;
  auto record =
    s.run("x", with_tty(s.shell("test -t 0 && test -t 1 && test -t 2 && "
                                "stty size && echo $TERM; : </dev/tty && "
                                "echo controls; echo to stderr >&2")));
  CHECK(record.exit_code == 0);
  CHECK(s.output("x", tty)
        == "24 80\r\nxterm-256color\r\ncontrols\r\nto stderr\r\n");
  CHECK(record.stdout_bytes == s.output("x", tty).size());
  CHECK(record.stderr_bytes == 0);
  CHECK_FALSE(std::filesystem::exists(s.exec_dir("x") / "stdout"));
  auto spec = with_tty(s.shell("echo $TERM"));
  spec.env["TERM"] = "dumb";
  s.run("y", spec);
  CHECK(s.output("y", tty) == "dumb\r\n");
}

TEST_CASE("what a terminal's command prints last is not lost") {
  session s;
  auto record = s.run("x", with_tty(s.shell("seq 5000; printf end")));
  auto text = s.output("x", tty);
  CHECK(text.size() == 23'893 + 5'000 + 3); // digits and ends, CRs, "end"
  CHECK(text.ends_with("\r\n5000\r\nend"));
  CHECK(record.stdout_bytes == text.size());
}

TEST_CASE("control-C at the terminal interrupts the command") {
  session s;
  s.start("x", with_tty(s.shell("echo ready; sleep 1000")));
  s.printed("x", "ready", tty);
  type(s.node->input_of("x"), "\x03");
  auto record = s.end_of("x");
  CHECK(record.status == exit_status::signaled);
  CHECK(record.signal == SIGINT);
}

TEST_CASE("an interactive shell controls its jobs") {
  session s;
  auto spec = with_tty(s.shell(""));
  spec.argv = {"/bin/bash", "--norc", "--noprofile", "-i"};
  spec.env["PS1"] = "$?> ";
  s.start("x", spec);
  auto input = s.node->input_of("x");
  // What is typed is echoed, so the output must not look the same. The job
  // itself prints: from then on it is in the foreground.
  type(input, "bash -c 'echo g\"\"o; exec sleep 1000'\n");
  s.printed("x", "\rgo\r", tty);
  type(input, "\x03");
  s.printed("x", "130> ", tty);
  type(input, "exit 7\n");
  auto record = s.end_of("x");
  CHECK(record.status == exit_status::exited);
  CHECK(record.exit_code == 7);
  CHECK(s.output("x", tty).find("no job control") == std::string::npos);
}

TEST_CASE("a command sees that its terminal is resized") {
  session s;
  s.start("x", with_tty(s.shell("trap 'stty size; exit 0' WINCH; echo ready; "
                                "while :; do sleep 1000 & wait; done")));
  s.printed("x", "ready", tty);
  auto input = s.node->input_of("x");
  winsize size{50, 132, 0, 0};
  REQUIRE(::ioctl(input.get(), TIOCSWINSZ, &size) == 0);
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x", tty) == "ready\r\n50 132\r\n");
}

TEST_CASE("the end of a terminal's input is typed") {
  session s;
  s.start("x", with_tty(s.shell("stty -echo; echo ready; cat; echo end")));
  s.printed("x", "ready", tty);
  type(s.node->input_of("x"), "one\n");
  s.printed("x", "one", tty);
  s.node->say(runner::close_input{"x"});
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x", tty) == "ready\r\none\r\nend\r\n");
}

TEST_CASE("a terminal's session ends with its first process") {
  session s;
  auto record = s.run("x", with_tty(s.shell("sleep 1000 & echo $!")));
  CHECK(record.status == exit_status::exited);
  CHECK(test::ends(std::stoi(s.output("x", tty))));
}

TEST_CASE("a first input is fed with the start, and not kept") {
  session s;
  auto spec = s.shell("cat; echo end");
  put_input(s, "x", spec, "one\ntwo", true);
  CHECK(s.run("x", spec).exit_code == 0);
  CHECK(s.output("x") == "one\ntwoend\n");
  CHECK_FALSE(std::filesystem::exists(s.exec_dir("x") / runner::input_file));
  s.node->say(runner::spawn{"x"});
  CHECK(s.node->wait_for<runner::refused>().reason == "exec x has run before");
}

TEST_CASE("a long first input is written as it is read, whoever listens") {
  session s;
  auto spec = s.shell(until_go + "cat");
  std::string text;
  while (text.size() < std::size_t{8} << 20)
    text += std::to_string(text.size()) + '\n';
  put_input(s, "x", spec, text, true);
  s.start("x", spec);
  s.node->say(runner::open_input{"x"});
  s.node.emplace(s.dir(), s.nonce);
  CHECK(s.node->greet().execs.size() == 1);
  let_go(s);
  // Who has asked is answered, also where another one has.
  CHECK(s.node->wait_for<runner::no_input>().reason
        == "the stdin of exec x has been closed");
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x") == text);
}

TEST_CASE("what comes behind a first input is written behind it") {
  session s;
  auto spec = s.shell(until_go + "head -c 1000000 >/dev/null; cat");
  put_input(s, "x", spec, std::string(1'000'000, 'x'), false);
  s.start("x", spec);
  s.node->say(runner::open_input{"x"});
  let_go(s);
  CHECK(s.node->wait_for<runner::input>().exec == "x");
  auto input = s.node->take_fd();
  type(input, "behind");
  input.reset();
  s.node->say(runner::close_input{"x"});
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x") == "behind");
}

TEST_CASE("a first input that is not read is no obstacle") {
  session s;
  auto spec = s.shell(until_go + "exit 3");
  put_input(s, "x", spec, std::string(1'000'000, 'x'), false);
  s.start("x", spec);
  s.node->say(runner::open_input{"x"});
  // The end of an input that is being fed comes behind that.
  s.node->say(runner::close_input{"x"});
  let_go(s);
  // That nobody reads may be seen before the command's end, or after.
  CHECK(s.node->wait_for<runner::no_input>().exec == "x");
  CHECK(s.end_of("x").exit_code == 3);
  // Nor is one that is closed unread.
  auto deaf = s.shell("exec <&-; echo closed; sleep 1000");
  put_input(s, "y", deaf, std::string(1'000'000, 'x'), true);
  s.start("y", deaf);
  s.printed("y", "closed");
  CHECK(why_no_input(s, "y") == "the stdin of exec y has been closed");
}

TEST_CASE("a first input is typed at a terminal, which stays open") {
  session s;
  auto spec = with_tty(s.shell("stty -echo; read x; echo got $x; read y; "
                               "echo more $y"));
  put_input(s, "x", spec, "one\n", false);
  s.start("x", spec);
  s.printed("x", "got one", tty);
  type(s.node->input_of("x"), "two\n");
  CHECK(s.end_of("x").exit_code == 0);
  CHECK(s.output("x", tty).ends_with("got one\r\nmore two\r\n"));
}

TEST_CASE("a command whose first input is gone does not start") {
  session s;
  auto spec = s.shell("cat");
  put_input(s, "x", spec, "text", true);
  std::filesystem::remove(s.exec_dir("x") / runner::input_file);
  CHECK(s.refusal("x", spec) == "what the command was to be fed is gone");
}

TEST_CASE("execs leave no descriptor behind") {
  session s;
  auto count = [&s] {
    auto fds = "/proc/" + std::to_string(s.runner_pid) + "/fd";
    return std::distance(std::filesystem::directory_iterator{fds}, {});
  };
  s.run("first", "true");
  auto before = count();
  for (int i = 0; i < 10; ++i) {
    auto number = std::to_string(i);
    s.start("t" + number, with_tty(s.shell("cat")));
    s.node->input_of("t" + number);
    s.node->say(runner::close_input{"t" + number});
    s.end_of("t" + number);
    s.start("p" + number, with_input(s.shell("cat")));
    s.node->input_of("p" + number);
    s.node->say(runner::close_input{"p" + number});
    s.end_of("p" + number);
    auto fed = s.shell("cat");
    put_input(s, "f" + number, fed, "text", true);
    s.run("f" + number, fed);
  }
  // A supervisor's end is heard a little after its command's.
  test::await("all descriptors are closed", [&] { return count() <= before; });
}

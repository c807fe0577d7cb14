// What a command gets, what it prints, and how its end is told.
#include "runtime/exec/output/output_index.hpp"
#include "tests/runtime/runner/session_fixture.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

using namespace greenroom;
using test::session;

TEST_CASE("a command's exit code is told and recorded") {
  session s;
  CHECK(s.run("t", "true").exit_code == 0);
  CHECK(s.run("f", "false").exit_code == 1);
  auto before = now_ms();
  auto record = s.run("x", "exit 37");
  CHECK(record.status == exit_status::exited);
  CHECK(record.exit_code == 37);
  CHECK(record.signal == 0);
  CHECK(record.ended_at >= before);
  CHECK(record.records == 0);
  CHECK(read_exit_record(s.exec_dir("x")) == record);
  CHECK_FALSE(read_exit_record(s.exec_dir("unheard-of")));
}

TEST_CASE("a command that a signal kills is told as signaled") {
  session s;
  auto record = s.run("x", "kill -SEGV $$");
  CHECK(record.status == exit_status::signaled);
  CHECK(record.signal == SIGSEGV);
  CHECK(record.exit_code == 0);
}

TEST_CASE("a signal from the node reaches the command's process group") {
  session s;
  s.start("x", s.shell("trap 'echo caught; exit 5' INT; echo 0; "
                       "while :; do sleep 1000 & wait; done"));
  s.printed_pids("x", 1);
  s.node->say(runner::send_signal{"x", SIGINT});
  auto record = s.end_of("x");
  CHECK(record.status == exit_status::exited);
  CHECK(record.exit_code == 5);
  CHECK(s.output("x") == "0\ncaught\n");
}

TEST_CASE("output lies in its files, and the index keeps its order") {
  session s;
  // Each waits until the runner has written what came before.
  auto record = s.run("x", "D=$SESSION_DIR/exec/x;"
                           "size() { stat -c %s $D/$1 2>/dev/null || echo 0; };"
                           "echo one;"
                           "until [ $(size index) = 40 ]; do :; done;"
                           "echo two >&2;"
                           "until [ $(size index) = 80 ]; do :; done;"
                           "echo three");
  CHECK(s.output("x") == "one\nthree\n");
  CHECK(s.output("x", output_stream::err) == "two\n");
  CHECK(record.stdout_bytes == 10);
  CHECK(record.stderr_bytes == 4);
  CHECK_FALSE(record.truncated);
  auto records = output_log_reader{s.exec_dir("x")}.records(0, 100);
  REQUIRE(records.size() == 3);
  CHECK(record.records == 3);
  CHECK(records[0].stream == output_stream::out);
  CHECK(records[1].stream == output_stream::err);
  CHECK(records[2].stream == output_stream::out);
  CHECK(records[2].offset == 4);
  CHECK(records[2].length == 6);
  CHECK(records[0].time <= records[2].time);
}

TEST_CASE("a mebibyte of output arrives whole, each piece with its checksum") {
  session s;
  auto record = s.run("x", "seq -f %07g 131072");
  std::string expected;
  for (int i = 1; i <= 131072; ++i) {
    auto digits = std::to_string(i);
    expected.append(7 - digits.size(), '0').append(digits).append(1, '\n');
  }
  CHECK(record.stdout_bytes == 1 << 20);
  CHECK(s.output("x") == expected);
  std::uint64_t end = 0;
  auto records = output_log_reader{s.exec_dir("x")}.records(0, 1 << 20);
  CHECK(records.size() == record.records);
  for (const auto& piece : records) {
    REQUIRE(piece.offset == end);
    end += piece.length;
    REQUIRE(output_checksum({expected.data() + piece.offset, piece.length})
            == piece.data_crc);
  }
  CHECK(end == 1 << 20);
}

TEST_CASE("growth is told while the command runs") {
  session s;
  s.start("x", s.shell("echo hello; sleep 1000"));
  auto news = s.node->wait_for<runner::output_available>();
  CHECK(news.exec == "x");
  CHECK(news.records == 1);
  CHECK(s.output("x") == "hello\n");
}

TEST_CASE("output above the cap is counted and dropped") {
  session s;
  auto spec = s.shell("head -c 100000 /dev/zero; echo more >&2");
  spec.max_output = 1000;
  auto record = s.run("x", spec);
  CHECK(record.exit_code == 0);
  CHECK(record.truncated);
  CHECK(record.stdout_bytes == 100000);
  CHECK(record.stderr_bytes == 5);
  CHECK(s.output("x").size() + s.output("x", output_stream::err).size()
        == 1000);
  std::uint64_t lost = 0;
  for (const auto& piece : output_log_reader{s.exec_dir("x")}.records(0, 1000))
    lost += piece.lost;
  CHECK(lost == 100005 - 1000);
}

TEST_CASE("a command gets the environment of its spec and nothing else") {
  session s;
  auto spec = s.shell("");
  spec.argv = {"env"};
  spec.env = {{"PATH", "/usr/bin"}, {"A", "1=2"}, {"B", ""}};
  s.run("x", spec);
  auto text = s.output("x");
  CHECK(std::ranges::count(text, '\n') == 3);
  CHECK(text.find("A=1=2\n") != std::string::npos);
  CHECK(text.find("B=\n") != std::string::npos);
}

TEST_CASE("a command gets three descriptors, default signals and no terminal") {
  session s;
  auto spec = s.shell("");
  // The fourth is that of the listing itself.
  spec.argv = {"/bin/ls", "/proc/self/fd"};
  s.run("fds", spec);
  CHECK(s.output("fds") == "0\n1\n2\n3\n");
  s.run("stdin", "readlink /proc/self/fd/0; wc -c");
  CHECK(s.output("stdin") == "/dev/null\n0\n");
  spec.argv = {"/bin/sed", "-n", "s/^Sig\\(Blk\\|Ign\\):\t//p",
               "/proc/self/status"};
  s.run("signals", spec);
  auto masks = s.output("signals");
  CHECK(std::stoull(masks) == 0);
  // 32 and 33 are the C library's own, and cannot be set.
  CHECK(
    (std::stoull(masks.substr(masks.find('\n')), nullptr, 16) & ~0x180000000ull)
    == 0);
  s.run("session", "ps -o pid=,pgid=,sid= -p $$ | tr -s ' ' '\\n' | "
                   "grep . | sort -u | wc -l; [ -e /dev/tty ] && "
                   "{ : </dev/tty; } 2>/dev/null || echo no tty");
  CHECK(s.output("session") == "1\nno tty\n");
}

TEST_CASE("a command runs in its directory of the checkout") {
  session s;
  auto checkout = s.dir() / "checkout";
  std::filesystem::create_directories(checkout / "a/b");
  std::filesystem::create_directory_symlink("a/b", checkout / "inside");
  std::filesystem::create_directory_symlink("/", checkout / "outside");
  std::ofstream{checkout / "file"} << "x";
  auto in = [&s](const std::string& cwd) {
    auto spec = s.shell("pwd -P");
    spec.cwd = cwd;
    return spec;
  };
  auto real = std::filesystem::canonical(checkout).string();
  s.run("top", in(""));
  CHECK(s.output("top") == real + "\n");
  s.run("deep", in("a/../a/b"));
  CHECK(s.output("deep") == real + "/a/b\n");
  s.run("link", in("inside"));
  CHECK(s.output("link") == real + "/a/b\n");

  CHECK(s.refusal("r1", in("missing"))
        == "cwd \"missing\" does not exist in the checkout");
  CHECK(s.refusal("r2", in("file")) == "cwd \"file\" is no directory");
  for (std::string cwd : {"..", "a/../..", "outside", "outside/tmp", "/tmp"}) {
    static int count = 0;
    CHECK(s.refusal("out" + std::to_string(++count), in(cwd))
          == "cwd \"" + cwd + "\" leads out of the checkout");
  }
}

TEST_CASE("what cannot be run is refused with the reason") {
  session s;
  auto spec = s.shell("");
  spec.argv = {"no-such-command"};
  CHECK(s.refusal("r1", spec) == "command not found: no-such-command");
  spec.argv = {"./none"};
  CHECK(s.refusal("r2", spec) == "command not found: ./none");
  std::ofstream{s.dir() / "checkout/data"} << "x";
  spec.argv = {"./data"};
  CHECK(s.refusal("r3", spec) == "command is not executable: ./data");
  spec.argv = {"true", std::string(3 << 20, 'x')};
  CHECK(s.refusal("r4", spec)
        == "the command's arguments and environment are too long: one of them "
           "may have 128 KiB, all together 6 MiB");
  spec.argv = {std::string(300'000, 'x')};
  CHECK(s.refusal("r5", spec).size() < 400);
  spec.argv = {std::string{"a\0b", 3}};
  CHECK(s.refusal("r6", spec)
        == "exec r6 has a bad spec.json: argv holds a NUL byte");
  spec.argv = {};
  CHECK(s.refusal("r7", spec).find("argv") != std::string::npos);
  s.node->say(runner::spawn{"unwritten"});
  CHECK(s.node->wait_for<runner::refused>().reason
        == "exec unwritten has no spec.json");
  CHECK_FALSE(std::filesystem::exists(s.exec_dir("r1") / "exit.json"));
  CHECK(s.run("after", "echo fine").exit_code == 0);
}

TEST_CASE("a command is looked up in the spec's PATH") {
  session s;
  auto bin = s.dir() / "checkout/bin";
  std::filesystem::create_directory(bin);
  std::ofstream{bin / "mine"} << "#!/bin/sh\necho mine\n";
  ::chmod((bin / "mine").c_str(), 0755);
  auto spec = s.shell("");
  spec.argv = {"mine"};
  CHECK(s.refusal("r", spec) == "command not found: mine");
  spec.env["PATH"] = bin.string();
  s.run("x", spec);
  CHECK(s.output("x") == "mine\n");
}

TEST_CASE("an exec runs once") {
  session s;
  s.run("quiet", "true");
  CHECK(s.refusal("quiet", s.shell("true")) == "exec quiet has run before");
  s.start("busy", s.shell("sleep 1000"));
  CHECK(s.refusal("busy", s.shell("true")) == "exec busy has run before");
}

TEST_CASE("many commands run at once, and each end is told once") {
  session s;
  constexpr int count = 50;
  for (int i = 0; i < count; ++i)
    s.spawn("e" + std::to_string(i), s.shell("echo " + std::to_string(i)));
  int started = 0;
  std::map<std::string, int> ended;
  while (ended.size() < count) {
    auto message = s.node->next();
    REQUIRE(message);
    if (std::holds_alternative<runner::started>(*message))
      ++started;
    else if (auto* end = std::get_if<runner::exited>(&*message))
      ++ended[end->exec];
    else
      REQUIRE((std::holds_alternative<runner::output_available>(*message)
               || std::holds_alternative<runner::ports>(*message)));
  }
  CHECK(started == count);
  for (int i = 0; i < count; ++i) {
    auto exec = "e" + std::to_string(i);
    CHECK(ended[exec] == 1);
    CHECK(s.output(exec) == std::to_string(i) + "\n");
  }
}

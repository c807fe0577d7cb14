// The key that `greenroom login` asks for, on a terminal.
#include "runtime/base/run_command.hpp"
#include "tests/api/terminal_user.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/sockets.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom::test;
using namespace greenroom;

namespace {

// A shell of its own terminal runs the command; when that asks it gets part of
// a key and what argv[1] says: a signal's name, or keys. The shell then says
// how the terminal is, and what the command's exit code was.
constexpr const char* asked_on_terminal = R"(
import os, pty, re, signal, subprocess, sys, termios
pid, master = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, lambda *_: None) # a command's is the default
    child = subprocess.Popen(sys.argv[2:])
    os.write(1, b"pid %d\n" % child.pid) # at once: the command writes, too
    code = child.wait()
    shown = bool(termios.tcgetattr(0)[3] & termios.ECHO)
    print("shown", shown, "code", code, flush=True)
    os._exit(0)
seen = b""
acted = False
while True:
    try:
        got = os.read(master, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    of = re.search(rb"pid (\d+)\r", seen)
    if not acted and of and b"Key: " in seen:
        acted = True
        os.write(master, b"secret")
        if sys.argv[1].startswith("SIG"):
            os.kill(int(of[1]), signal.Signals[sys.argv[1]])
        else:
            os.write(master, sys.argv[1].encode())
os.waitpid(pid, 0)
sys.stdout.write(seen.decode())
)";

} // namespace

TEST_CASE("a key is typed unseen, and the terminal is as before however the "
          "question ends") {
  const auto url = "http://127.0.0.1:" + std::to_string(unused_port());
  const temp_dir home;
  struct {
    const char* end;
    int code;
  } const all[] = {{"SIGTERM", 128 + SIGTERM}, {"SIGHUP", 128 + SIGHUP},
                   {"SIGINT", 128 + SIGINT},   {"SIGQUIT", 128 + SIGQUIT},
                   {"\x03", 128 + SIGINT},     {"\n", 69}};
  for (auto& [end, code] : all) {
    auto asked = run_command(
      {.argv = {"python3", "-c", asked_on_terminal, end,
                binary_dir() / "greenroom", "login", url},
       .env = {"PATH=/usr/bin:/bin", "HOME=" + home.path().string()}});
    INFO(end << asked.out << asked.err);
    CHECK_THAT(asked.out, Catch::Contains("shown True code "
                                          + std::to_string(code) + "\r"));
    CHECK(asked.out.find("secret") == std::string::npos);
  }
}

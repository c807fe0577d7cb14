// A user of the command line: the program itself, in a home of its own.
#pragma once

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/api/demo.hpp"
#include "tests/support/build_paths.hpp"

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::test {

struct terminal_user {
  explicit terminal_user(const node_process& node)
    : terminal_user(node, node.port(), node.admin_key()) {}
  terminal_user(const node_process&, std::uint16_t port, std::string key_used)
    : terminal_user(port, std::move(key_used)) {}
  terminal_user(std::uint16_t port, std::string key_used)
    : url("http://127.0.0.1:" + std::to_string(port)),
      key(std::move(key_used)) {}

  command_result run(std::vector<std::string> words,
                     const std::string& input = {}) const {
    return run_in(home.path(), std::move(words), input);
  }
  command_result run_in(const std::filesystem::path& directory,
                        std::vector<std::string> words,
                        const std::string& input = {}) const {
    auto what = command_of(std::move(words));
    what.cwd = directory;
    unique_fd in;
    if (!input.empty()) {
      std::ofstream{home.path() / "input"} << input;
      in.reset(::open((home.path() / "input").c_str(), O_RDONLY | O_CLOEXEC));
      what.stdin_fd = in.get();
    }
    return run_command(what);
  }

  // Must succeed.
  std::string out(std::vector<std::string> words,
                  const std::string& input = {}) const {
    auto result = run(std::move(words), input);
    INFO(result.out << result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  }

  /// A word of bash for the program, and what it needs of the environment.
  command bash(const std::string& script) const {
    auto what = command_of({});
    what.argv = {"bash", "-c", script, binary_dir() / "greenroom"};
    return what;
  }

  command command_of(std::vector<std::string> words) const {
    command what;
    what.argv = {binary_dir() / "greenroom"};
    what.argv.insert(what.argv.end(), words.begin(), words.end());
    what.cwd = home.path();
    what.timeout = std::chrono::minutes{5}; // longer than any takes
    what.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
                "HOME=" + home.path().string(), "GREENROOM_URL=" + url};
    if (!key.empty())
      what.env.push_back("GREENROOM_KEY=" + key);
    return what;
  }

  std::string url;
  std::string key;
  temp_dir home;
};

inline std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// A command of a user's that goes on beside the test; what it prints goes to a
/// file.
class running_command {
public:
  running_command(const terminal_user& user, std::vector<std::string> words)
    : output_(user.home.path() / "output") {
    std::filesystem::remove(output_);
    unique_fd to{::open(output_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    unique_fd errors{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    pid_ =
      start_command(user.command_of(std::move(words)), to.get(), errors.get());
  }
  running_command(const running_command&) = delete;
  running_command& operator=(const running_command&) = delete;
  ~running_command() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }

  std::string output() const {
    return read_file(output_).value_or("");
  }
  void await_output(const std::string& part) const {
    await(part, [&] { return output().find(part) != std::string::npos; });
  }
  void signal(int number) const {
    ::kill(pid_, number);
  }
  /// Its exit code; -1 where a signal has ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

private:
  std::filesystem::path output_;
  pid_t pid_ = 0;
};

} // namespace greenroom::test

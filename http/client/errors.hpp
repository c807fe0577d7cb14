// What ends a command of the command line, and with which exit code.
#pragma once

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace greenroom::http::client {

/// Exit codes of every command but `exec` and `run`, whose code is the remote
/// command's.
namespace exit_code {
inline constexpr int done = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;
inline constexpr int not_found = 3;
inline constexpr int not_allowed = 4;
inline constexpr int conflict = 5;
inline constexpr int unavailable = 69; // as EX_UNAVAILABLE of sysexits.h
inline constexpr int timed_out = 124;  // as timeout(1)
inline constexpr int lost = 125;       // what became of a command is not known
} // namespace exit_code

/// The command line says something that cannot be meant.
class usage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The server's refusal, with its own words.
class api_error : public std::runtime_error {
public:
  api_error(int status, std::string code, const std::string& message,
            std::string remediation, std::chrono::milliseconds retry_after = {})
    : std::runtime_error(message), status_(status), code_(std::move(code)),
      remediation_(std::move(remediation)), retry_after_(retry_after) {}

  int status() const noexcept {
    return status_;
  }
  const std::string& code() const noexcept {
    return code_;
  }
  /// What would help, in one sentence; may be empty.
  const std::string& remediation() const noexcept {
    return remediation_;
  }
  /// How long the server asks to wait before a next try; 0: it does not say.
  std::chrono::milliseconds retry_after() const noexcept {
    return retry_after_;
  }
  int exit_code() const noexcept;
  /// What would help in words of the command line, where the server's own speak
  /// of routes; else empty.
  std::string_view next_step() const noexcept;

  /// The server is busy, or away behind a proxy: later it may do.
  bool worth_retrying() const noexcept {
    return status_ == 429 || status_ == 502 || status_ == 503 || status_ == 504;
  }

private:
  int status_;
  std::string code_;
  std::string remediation_;
  std::chrono::milliseconds retry_after_;
};

/// A sentence of the API's with options of the command line in the place of
/// fields of bodies and queries.
std::string in_options(std::string sentence);

/// Nothing that speaks HTTP answers there, or it stopped to.
class unreachable_server : public std::runtime_error {
public:
  explicit unreachable_server(const std::string& message,
                              std::string remediation =
                                "is the node running, and is this its address? "
                                "GREENROOM_URL or --url names another")
    : std::runtime_error(message), remediation_(std::move(remediation)) {}

  /// What would help, in one sentence.
  const std::string& remediation() const noexcept {
    return remediation_;
  }

private:
  std::string remediation_;
};

/// The user has left a terminal whose command runs on.
class left_terminal : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Something else has failed, with an exit code of its own; said in words
/// unless they are empty.
class command_failed : public std::runtime_error {
public:
  command_failed(int exit_code, const std::string& message)
    : std::runtime_error(message), exit_code_(exit_code) {}

  int exit_code() const noexcept {
    return exit_code_;
  }

private:
  int exit_code_;
};

/// Nobody reads any more what is printed, as `| head` that has seen enough. The
/// command line then ends as SIGPIPE would end it, without a word.
class unread_output : public command_failed {
public:
  unread_output() : command_failed(128 + SIGPIPE, "") {}
};

/// Our terminal is gone, or we are told to end, while it is a command's.
class terminal_lost : public command_failed {
public:
  using command_failed::command_failed;
};

} // namespace greenroom::http::client

#include "http/client/key_prompt.hpp"

#include "http/client/errors.hpp"
#include "runtime/base/fd.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <iostream>

namespace greenroom::http::client {

namespace {

/// The signals that would end us wait to be read until this goes.
class held_signals {
public:
  held_signals() {
    sigset_t ends;
    ::sigemptyset(&ends);
    for (auto one : {SIGINT, SIGQUIT, SIGTERM, SIGHUP})
      ::sigaddset(&ends, one);
    told_.reset(::signalfd(-1, &ends, SFD_CLOEXEC));
    ::pthread_sigmask(SIG_BLOCK, told_ ? &ends : nullptr, &before_);
  }
  held_signals(const held_signals&) = delete;
  held_signals& operator=(const held_signals&) = delete;
  ~held_signals() {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  int fd() const noexcept {
    return told_.get();
  }
  int take() const {
    signalfd_siginfo one{};
    return ::read(fd(), &one, sizeof one) == sizeof one
             ? static_cast<int>(one.ssi_signo)
             : SIGTERM;
  }

private:
  sigset_t before_{};
  unique_fd told_;
};

/// A terminal does not show what is typed until this goes.
class silent_terminal {
public:
  silent_terminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0)
      return;
    is_one_ = true;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_cc[VSUSP] = _POSIX_VDISABLE; // stopped, we would leave it so
    ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
    std::cerr << "Key: " << std::flush;
  }
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;
  ~silent_terminal() {
    if (!is_one_)
      return;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    std::cerr << '\n';
  }

private:
  termios before_{};
  bool is_one_ = false;
};

/// Up to the first newline, or the end.
std::string read_line(const held_signals& signals) {
  std::string line;
  while (line.find('\n') == std::string::npos) {
    pollfd ready[] = {{signals.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0 && errno != EINTR)
      break;
    if (ready[0].revents != 0)
      throw command_failed(128 + signals.take(), "no key was given");
    if (ready[1].revents == 0)
      continue;
    char bytes[4096];
    auto got = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got <= 0)
      break;
    line.append(bytes, static_cast<std::size_t>(got));
  }
  return line.substr(0, line.find('\n'));
}

} // namespace

std::string ask_key() {
  const held_signals signals; // before there is something to put right
  const silent_terminal silent;
  auto key = read_line(signals);
  key.erase(key.find_last_not_of(" \t\r") + 1);
  return key;
}

} // namespace greenroom::http::client

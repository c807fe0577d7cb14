// Who may ask an upstream for contents of Git LFS or for references now, or
// bring it some.
//
// A few at a time for one project, so that an upstream which hangs takes no
// more than a few of the threads that all projects share; the others wait in
// the order in which they came. On the loop's thread only.
#pragma once

#include "http/base/asio.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace greenroom::http::git_http {

class upstream_turns {
public:
  /// `each` at a time for one project; who waits for longer than `timeout` is
  /// told to try again.
  upstream_turns(std::size_t each, std::chrono::milliseconds timeout)
    : each_(each), timeout_(timeout) {}
  upstream_turns(const upstream_turns&) = delete;
  upstream_turns& operator=(const upstream_turns&) = delete;

  /// Is given back when it is destroyed.
  class turn {
  public:
    turn(upstream_turns& of, std::string project)
      : of_(of), project_(std::move(project)) {}
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn() {
      of_.give_back(project_);
    }

  private:
    upstream_turns& of_;
    std::string project_;
  };

  /// Waits until there is one for the project. Throws refused: overloaded where
  /// that takes too long, unavailable where the server stops.
  asio::awaitable<std::unique_ptr<turn>> wait(asio::io_context& loop,
                                              std::string project);

  /// Nobody waits any more.
  void close();

private:
  struct waiter;
  struct project_turns {
    std::size_t taken = 0;
    std::deque<waiter*> queue;
  };

  void give_back(const std::string& project);
  void drop_unused(const std::string& project);

  const std::size_t each_;
  const std::chrono::milliseconds timeout_;
  bool closed_ = false;
  std::unordered_map<std::string, project_turns> projects_;
};

} // namespace greenroom::http::git_http

// Who may ask an upstream for contents of Git LFS or for references now, or
// bring it some.
//
// A few at a time for one project, so that an upstream which hangs takes no
// more than a few of the threads that all projects share. Of its sessions those
// come first that have fewer, then who has waited for longer, and the last turn
// is for a session that has none: so many transfers of one session keep none of
// its project's others waiting. Who has waited for `timeout` is told to try
// again. On the loop's thread only.
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
  /// `each` at a time for one project, 2 or more.
  upstream_turns(std::size_t each, std::chrono::milliseconds timeout)
    : each_(each), timeout_(timeout) {}
  upstream_turns(const upstream_turns&) = delete;
  upstream_turns& operator=(const upstream_turns&) = delete;

  /// Is given back when it is destroyed.
  class turn {
  public:
    turn(upstream_turns& of, std::string project, std::string session)
      : of_(of), project_(std::move(project)), session_(std::move(session)) {}
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn() {
      of_.give_back(project_, session_);
    }

  private:
    upstream_turns& of_;
    std::string project_;
    std::string session_;
  };

  /// Waits until there is one for the project's session. Throws refused:
  /// overloaded where that takes too long, unavailable where the server stops.
  asio::awaitable<std::unique_ptr<turn>>
  wait(asio::io_context& loop, std::string project, std::string session);

  /// Nobody waits any more.
  void close();

private:
  struct waiter;
  struct project_turns {
    std::size_t taken = 0;
    std::unordered_map<std::string, std::size_t> of_session; // those of taken
    std::deque<waiter*> queue;
  };

  void grant(project_turns& its) const;
  void give_back(const std::string& project, const std::string& session);
  void drop_unused(const std::string& project);

  const std::size_t each_;
  const std::chrono::milliseconds timeout_;
  bool closed_ = false;
  std::unordered_map<std::string, project_turns> projects_;
};

} // namespace greenroom::http::git_http

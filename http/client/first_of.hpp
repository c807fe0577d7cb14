// Several coroutines side by side until the first of them ends, however it
// does.
//
// Asio's operator|| waits for one that succeeds: one that throws ends nothing,
// and its exception is lost among the others'. Here each hands in how it ended.
#pragma once

#include "http/base/asio.hpp"

#include <boost/asio/awaitable.hpp>

#include <exception>
#include <utility>

namespace greenroom::http::client {

class first_of {
public:
  /// To be combined by operator||. `stop` is called when the first has ended,
  /// for what others wait for that cannot be cancelled.
  template <class Stop>
  asio::awaitable<void> enter(asio::awaitable<void> what, Stop stop) {
    try {
      co_await std::move(what);
    } catch (...) {
      if (!over_)
        failure_ = std::current_exception();
    }
    if (!std::exchange(over_, true))
      stop();
  }

  /// How the first has ended.
  void rethrow() const {
    if (failure_)
      std::rethrow_exception(failure_);
  }

private:
  bool over_ = false;
  std::exception_ptr failure_;
};

} // namespace greenroom::http::client

// Finds out whether the client of a WebSocket is still there.
#pragma once

#include "http/base/options.hpp"
#include "http/wire/web_socket.hpp"

#include <chrono>
#include <string_view>

namespace greenroom::http {

class web_socket_heartbeat {
public:
  using clock = std::chrono::steady_clock;

  /// Why a socket is closed whose client has gone.
  static constexpr std::string_view lost = "no answer to pings";

  /// Something has come from the client, or it was accepted just now.
  void heard() noexcept {
    heard_ = clock::now();
    if (pinged_ == clock::time_point{})
      pinged_ = heard_;
  }

  /// Stops reading what the client sends, or goes on: meanwhile nothing can be
  /// heard of it.
  void pause(web_socket& to, bool stop) {
    if (paused_ && !stop)
      heard();
    paused_ = stop;
    to.pause(stop);
  }

  /// Pings the client each options::heartbeat. False: nothing has come from it
  /// for options::write_timeout.
  bool beat(web_socket& to, const options& bounds, clock::time_point now) {
    if (!paused_ && now - heard_ >= bounds.write_timeout)
      return false;
    if (now - pinged_ >= bounds.heartbeat) {
      pinged_ = now;
      to.ping();
    }
    return true;
  }

private:
  clock::time_point heard_{};
  clock::time_point pinged_{};
  bool paused_ = false;
};

} // namespace greenroom::http

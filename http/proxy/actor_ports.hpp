// Sessions as the proxy sees them, by asking their actors.
#pragma once

#include "http/edge/bridge.hpp"
#include "http/proxy/session_ports.hpp"
#include "messages/directory.hpp"

#include <chrono>
#include <string>
#include <unordered_map>

namespace greenroom::http::proxy {

class actor_ports final : public session_ports {
public:
  actor_ports(http::bridge& bridge, directory_actor directory)
    : bridge_(bridge), directory_(std::move(directory)) {}

  asio::awaitable<session_info> look_up(std::string session_id) override;
  asio::awaitable<unique_fd> connect(std::string session_id,
                                     std::uint16_t port) override;

private:
  struct known_session {
    session_actor handle;
    session_info info;
    std::chrono::steady_clock::time_point asked;
  };

  asio::awaitable<session_actor> find(std::string session_id);

  http::bridge& bridge_;
  directory_actor directory_;
  std::unordered_map<std::string, known_session> known_;
};

} // namespace greenroom::http::proxy

// Sessions as the proxy sees them, by asking their actors.
#pragma once

#include "http/edge/bridge.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/peers.hpp"
#include "http/proxy/session_ports.hpp"
#include "messages/directory.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace greenroom::http::proxy {

class preview_settings;

/// Runs a job on a thread that may wait for the disk. The job does not throw.
using disk_thread = std::function<void(std::function<void()> job)>;

class actor_ports final : public session_ports {
public:
  /// Loads the settings of sessions that it finds.
  actor_ports(http::bridge& bridge, std::shared_ptr<http::loop> loop,
              directory_actor directory, preview_settings& settings,
              std::filesystem::path data_dir, disk_thread elsewhere,
              std::shared_ptr<const http::peers> peers = nullptr)
    : bridge_(bridge), loop_(std::move(loop)), directory_(std::move(directory)),
      settings_(settings), data_dir_(std::move(data_dir)),
      elsewhere_(std::move(elsewhere)), peers_(std::move(peers)) {}

  asio::awaitable<session_info> look_up(std::string session_id,
                                        std::uint64_t epoch) override;
  const session_info* known(const std::string& session_id,
                            std::uint64_t epoch) override;
  asio::awaitable<project_rules> rules_of_projects() override;
  asio::awaitable<unique_fd> connect(std::string session_id,
                                     std::uint16_t port) override;
  asio::awaitable<printed_last> last_output(std::string session_id,
                                            std::uint16_t port) override;

private:
  struct known_session {
    session_actor handle;
    session_info info;
    std::chrono::steady_clock::time_point asked;
  };

  asio::awaitable<session_info> look_up_anew(std::string session_id);
  asio::awaitable<session_actor> find(std::string session_id);
  asio::awaitable<std::string> exec_of(session_actor session,
                                       std::uint16_t port);
  asio::awaitable<std::string> on_disk(std::function<std::string()> work);

  http::bridge& bridge_;
  std::weak_ptr<http::loop> loop_;
  directory_actor directory_;
  preview_settings& settings_;
  const std::filesystem::path data_dir_;
  disk_thread elsewhere_;
  std::shared_ptr<const http::peers> peers_; // null: this node is alone
  std::unordered_map<std::string, known_session> known_;
};

} // namespace greenroom::http::proxy

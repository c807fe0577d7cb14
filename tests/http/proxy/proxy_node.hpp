// The preview listener's clients on a thread of their own, with sessions that
// the test says what they are, and an app on this machine's loopback.
#pragma once

#include "http/proxy/access_watch.hpp"
#include "http/proxy/preview_client.hpp"
#include "http/wire/acceptor.hpp"
#include "messages/errors.hpp"
#include "runtime/auth/api_keys.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <spdlog/spdlog.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace greenroom::test {

inline const std::string preview_sid = "cccccccccccccccccccc";
inline const std::string preview_secret = "admin-secret-of-the-tests";

/// What an app does with a connection.
using app_script =
  std::function<asio::awaitable<void>(http::wire::server_connection&)>;

class proxy_node {
public:
  explicit proxy_node(app_script app,
                      std::function<void(http::options&)> change = {});
  proxy_node(const proxy_node&) = delete;
  proxy_node& operator=(const proxy_node&) = delete;
  ~proxy_node();

  std::uint16_t port() const noexcept {
    return port_;
  }
  /// Of the app; it is the port of the preview, too.
  std::uint16_t app_port() const noexcept {
    return app_port_;
  }
  /// The host of a port's preview.
  std::string host(std::uint16_t of = 0) const;

  /// A GET with the administrator's key.
  std::string get(const std::string& path,
                  const std::string& headers = {}) const;

  /// A link's token for the app's port.
  std::string add_link(const std::string& id = "l1", unix_ms lasts = 3'600'000,
                       const std::string& key_id = "admin");

  /// What the project says of previews from now on.
  void set_rules(preview_rules rules);

  /// The heads of the requests that reached the app, as text.
  std::vector<std::string> seen();

  temp_dir dir;
  http::proxy::preview_settings settings{dir.path()};
  key_ring keys{preview_secret};
  std::atomic<bool> over = false;
  // What is known of the session is from before its end.
  std::atomic<bool> known_live = false;
  std::atomic<bool> listening = true;
  std::atomic<bool> held = false;      // connections into the session wait
  std::atomic<int> asked_projects = 0; // what they say, how often
  std::atomic<int> connections = 0;    // that were made into the session
  std::atomic<int> clients = 0;        // that are connected

private:
  class sessions;

  void take_client(unique_fd socket);
  void take_for_app(unique_fd socket);
  asio::awaitable<void>
  run_app(std::shared_ptr<http::wire::server_connection> of);
  asio::awaitable<void> tick();
  void stop();

  http::options options_;
  asio::io_context io_{1};
  std::unique_ptr<http::proxy::session_ports> sessions_;
  std::shared_ptr<http::proxy::proxy_context> around_;
  http::acceptor acceptor_;
  http::acceptor app_acceptor_;
  std::uint16_t port_ = 0;
  std::uint16_t app_port_ = 0;
  app_script app_;
  http::proxy::access_watch::client_set clients_;
  std::unique_ptr<http::proxy::access_watch> access_;
  std::unordered_set<std::shared_ptr<http::wire::server_connection>> app_side_;
  std::mutex guard_;
  std::vector<std::string> seen_; // under guard
  preview_rules rules_;           // under guard
  std::thread thread_;
};

} // namespace greenroom::test

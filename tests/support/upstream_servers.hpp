// Real servers for upstreams: git over HTTP with a password, over ssh, and one
// that never answers.
#pragma once

#include "runtime/base/fd.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Server;
struct Request;
struct Response;
} // namespace httplib

namespace greenroom::test {

namespace fs = std::filesystem;

/// git http-backend behind basic authentication. While a request is served it
/// looks for the password in what all processes show of themselves.
class http_upstream {
public:
  http_upstream(fs::path root, std::string user, std::string password);
  http_upstream(const http_upstream&) = delete;
  http_upstream& operator=(const http_upstream&) = delete;
  ~http_upstream();

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_);
  }
  std::uint16_t port() const {
    return static_cast<std::uint16_t>(port_);
  }
  void redirect_to(std::string url) {
    std::lock_guard guard{mutex_};
    elsewhere_ = std::move(url);
  }
  int requests() const {
    return requests_;
  }
  bool was_shown_a_password() const {
    return pending_;
  }
  bool looked_for_secret() const {
    return looked_;
  }
  bool secret_was_shown() const {
    return shown_;
  }

private:
  void serve(const httplib::Request& request, httplib::Response& response);
  void look_for_secret();

  fs::path root_;
  std::string user_;
  std::string password_;
  std::mutex mutex_;
  std::string elsewhere_; // with the mutex
  std::atomic<int> requests_{0};
  std::atomic<bool> pending_{false};
  std::atomic<bool> looked_{false};
  std::atomic<bool> shown_{false};
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::thread thread_;
};

/// Accepts connections on a free port and hands each to a function's thread.
class listener {
public:
  listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  virtual ~listener();

  int port() const {
    return port_;
  }

protected:
  /// To be called by the most derived class when it is whole, and when it
  /// begins to go.
  void open();
  void close();
  virtual void take(unique_fd connection) = 0;

private:
  unique_fd socket_;
  int port_ = 0;
  std::thread thread_;
};

/// Takes connections and says nothing, until it goes.
class silent_upstream : public listener {
public:
  silent_upstream() {
    open();
  }
  ~silent_upstream() override {
    close();
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port());
  }
  int visits() const {
    return visits_;
  }

private:
  void take(unique_fd connection) override {
    held_.push_back(std::move(connection));
    ++visits_;
  }
  std::atomic<int> visits_ = 0;
  std::vector<unique_fd> held_;
};

/// sshd with one user, the one who runs the test, and one key.
class ssh_upstream : public listener {
public:
  explicit ssh_upstream(fs::path directory);
  ~ssh_upstream() override {
    close();
    for (auto& one : threads_)
      one.join();
  }
  std::string url() const;
  fs::path key() const {
    return directory_ / "client key";
  }
  void change_host_key();

private:
  void take(unique_fd connection) override;
  fs::path directory_;
  std::vector<std::thread> threads_;
};

} // namespace greenroom::test

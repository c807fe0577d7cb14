// A runner that speaks the protocol as it was in version 1, to the letter: it
// closes on any other version and any request that it does not know.
//
// It runs nothing: a spawn is answered by `started`, `grown` and, once it is
// told to cancel, by `exited`; what is written to its input the test reads. On
// a thread of its own.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"
#include "runtime/runner/protocol/session_socket.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace greenroom::test {

class first_version_runner {
public:
  explicit first_version_runner(const std::filesystem::path& session_dir) {
    write_runner_config(session_dir, {"id", "nonce"});
    unique_fd dir{
      ::open(session_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    listener_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    auto address = runner::socket_address(dir.get());
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                   sizeof address)
            == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    thread_ = std::thread{[this] { run(); }};
  }

  ~first_version_runner() {
    stopped_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    ::shutdown(node_, SHUT_RDWR);
    thread_.join();
  }

  /// As a node has asked for that is gone.
  void start(const std::string& exec) {
    std::lock_guard guard{mutex_};
    begin(exec);
  }

  /// All that the exec is fed, up to the end of its input.
  std::string fed(const std::string& exec) {
    int reader = -1;
    {
      std::lock_guard guard{mutex_};
      reader = running_.at(exec).reader.get();
    }
    std::string result;
    for (char buffer[4096];;) {
      pollfd item{reader, POLLIN, 0};
      REQUIRE(::poll(&item, 1, 10'000) == 1);
      auto size = ::read(reader, buffer, sizeof buffer);
      REQUIRE(size >= 0);
      if (size == 0)
        return result;
      result.append(buffer, static_cast<std::size_t>(size));
    }
  }

private:
  struct pipe {
    unique_fd reader;
    unique_fd writer;
  };

  using json = nlohmann::json;

  void run() {
    for (;;) {
      unique_fd node{
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      node_ = node.get();
      if (!node || stopped_)
        return;
      std::vector<char> buffer(runner::max_message);
      bool goes_on = true;
      while (goes_on) {
        auto size = ::recv(node.get(), buffer.data(), buffer.size(), 0);
        goes_on =
          size > 0
          && obey(node.get(), json::parse(buffer.data(), buffer.data() + size));
      }
    }
  }

  void begin(const std::string& exec) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
    running_[exec] = {unique_fd{ends[0]}, unique_fd{ends[1]}};
  }

  bool obey(int node, const json& message) {
    std::lock_guard guard{mutex_};
    std::string op = message.at("op");
    if (op == "hello") {
      if (message.at("version") != 1) {
        say(node,
            {{"op", "error"}, {"reason", "this runner speaks version 1 only"}});
        return false;
      }
      auto execs = json::array();
      for (auto& [exec, input] : running_)
        execs.push_back({{"exec", exec}, {"time", 1}, {"records", 1}});
      say(node, {{"op", "hello"},
                 {"version", 1},
                 {"pid", 1},
                 {"nonce", message.at("nonce")},
                 {"execs", execs}});
    } else if (op == "spawn") {
      std::string exec = message.at("exec");
      begin(exec);
      say(node, {{"op", "started"}, {"exec", exec}, {"time", 1}});
      say(node, {{"op", "grown"}, {"exec", exec}, {"records", 1}});
    } else if (op == "cancel") {
      std::string exec = message.at("exec");
      if (running_.erase(exec) > 0)
        say(node, {{"op", "exited"},
                   {"exec", exec},
                   {"status", "canceled"},
                   {"exit_code", 0},
                   {"signal", 15},
                   {"ended_at", 2},
                   {"stdout_bytes", 0},
                   {"stderr_bytes", 0},
                   {"truncated", false},
                   {"records", 1}});
    } else if (op == "open_input") {
      auto writer = running_.at(message.at("exec")).writer.get();
      auto text = json{{"op", "input"}, {"exec", message.at("exec")}}.dump();
      runner::send_with_fds(node, {text.data(), text.size()}, {&writer, 1},
                            MSG_NOSIGNAL);
    } else if (op == "close_input") {
      running_.at(message.at("exec")).writer.reset();
    } else {
      say(node, {{"op", "error"}, {"reason", "op is unknown: " + op}});
      return false;
    }
    return true;
  }

  static void say(int node, const json& message) {
    auto text = message.dump();
    ::send(node, text.data(), text.size(), MSG_NOSIGNAL);
  }

  unique_fd listener_;
  std::mutex mutex_;
  std::map<std::string, pipe> running_; // by exec; under mutex_
  std::atomic<int> node_ = -1;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

} // namespace greenroom::test

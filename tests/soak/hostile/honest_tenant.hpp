// Works in one session of the project `other`, and expects an answer to all
// that it asks.
//
// It has a thread of its own; what it has seen is read after stop().
#pragma once

#include "tests/support/node_process.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace greenroom::test {

class honest_tenant {
public:
  /// Has run something by then.
  explicit honest_tenant(const node_process& node);
  honest_tenant(const honest_tenant&) = delete;
  honest_tenant& operator=(const honest_tenant&) = delete;
  ~honest_tenant() {
    stop();
  }

  void stop();

  const std::string& session_id() const noexcept {
    return id_;
  }
  /// Fails the test where something had no answer, or a late one.
  void check_answers() const;
  /// The 99th of a hundred of its looks.
  double p99_ms() const;
  std::size_t asked() const noexcept {
    return times_.size();
  }

private:
  void work();
  void ask(const std::function<http_reply()>& request);
  void run(const std::string& command);

  http_client client_;
  std::string id_;
  std::string path_;
  std::atomic<bool> stopped_ = false;
  std::vector<std::string> failures_; // with the thread
  std::vector<double> times_;         // with the thread
  std::thread thread_;
};

} // namespace greenroom::test

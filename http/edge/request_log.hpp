// The log lines of one HTTP thread's requests.
//
// Those of some milliseconds are handed to the logger together: then its thread
// is woken once for all of them. Each keeps its own time, so lines of several
// threads may lie in another order. Belongs to the HTTP thread.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::http {

class loop;

class request_log {
public:
  request_log(std::shared_ptr<spdlog::logger> to, loop& home)
    : to_(std::move(to)), home_(home) {}
  request_log(const request_log&) = delete;
  request_log& operator=(const request_log&) = delete;
  ~request_log() {
    flush();
  }

  /// False where lines would go nowhere.
  bool wanted() const {
    return to_->should_log(spdlog::level::info);
  }

  void add(std::string line);

private:
  void flush() noexcept;

  struct entry {
    spdlog::log_clock::time_point time;
    std::string line;
  };

  std::shared_ptr<spdlog::logger> to_;
  loop& home_;
  std::vector<entry> waiting_;
};

} // namespace greenroom::http

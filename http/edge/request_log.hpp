// The log lines of one HTTP thread's requests.
//
// Those of some milliseconds are handed to the logger as one message: then its
// thread is woken, and writes, once for all of them. They are lines of their
// own in the log, see runtime/node/logging.cpp; all have the time at which they
// were handed over. Belongs to the HTTP thread.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

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

  void add(std::string_view line);

private:
  void flush() noexcept;

  std::shared_ptr<spdlog::logger> to_;
  loop& home_;
  std::string waiting_; // lines with '\n' between them
  bool timed_ = false;  // a flush is to come
};

} // namespace greenroom::http

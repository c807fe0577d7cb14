#include "http/edge/request_log.hpp"

#include "http/edge/loop.hpp"

#include <chrono>

namespace greenroom::http {

namespace {

/// Not to be felt by who reads along, and long enough for many lines.
constexpr std::chrono::milliseconds pause{5};
constexpr std::size_t most = 32 * 1024;

} // namespace

void request_log::add(std::string_view line) {
  if (!waiting_.empty())
    waiting_.push_back('\n');
  waiting_.append(line);
  if (waiting_.size() >= most)
    flush();
  else if (!std::exchange(timed_, true))
    home_.after(pause, [this] {
      timed_ = false;
      flush();
    });
}

void request_log::flush() noexcept {
  if (waiting_.empty())
    return;
  to_->log(spdlog::level::info, spdlog::string_view_t{waiting_});
  waiting_.clear();
}

} // namespace greenroom::http

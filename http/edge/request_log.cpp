#include "http/edge/request_log.hpp"

#include "http/edge/loop.hpp"

#include <chrono>

namespace greenroom::http {

namespace {

/// Not to be felt by who reads along, and long enough for many lines.
constexpr std::chrono::milliseconds pause{5};

} // namespace

void request_log::add(std::string line) {
  waiting_.push_back({spdlog::log_clock::now(), std::move(line)});
  if (waiting_.size() == 1)
    home_.after(pause, [this] { flush(); });
}

void request_log::flush() noexcept {
  for (auto& one : waiting_)
    to_->log(one.time, spdlog::source_loc{}, spdlog::level::info,
             spdlog::string_view_t{one.line});
  waiting_.clear();
}

} // namespace greenroom::http

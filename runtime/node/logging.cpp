#include "runtime/node/logging.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

namespace greenroom {

namespace {

// One JSON object a line. A pattern could not escape the message.
class json_formatter final : public spdlog::formatter {
public:
  void format(const spdlog::details::log_msg& line,
              spdlog::memory_buf_t& out) override {
    using namespace std::chrono;
    auto level = spdlog::level::to_string_view(line.level);
    nlohmann::ordered_json json{
      {"time",
       format_rfc3339(
         duration_cast<milliseconds>(line.time.time_since_epoch()).count())},
      {"level", std::string{level.data(), level.size()}},
      {"message", std::string{line.payload.data(), line.payload.size()}}};
    auto text =
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    text.push_back('\n');
    out.append(text.data(), text.data() + text.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<json_formatter>();
  }
};

constexpr std::size_t waiting_lines = 8192;

// Standard error where it is no terminal. Lines that wait together are written
// together: a busy server's log is many short lines. It is the pool's thread
// that calls, so the pool is there.
class stderr_lines final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit stderr_lines(spdlog::details::thread_pool& pool) : pool_(pool) {}

  ~stderr_lines() override {
    flush_();
  }

protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    formatter_->format(line, text_);
    if (text_.size() >= most || pool_.queue_size() == 0)
      flush_();
  }

  void flush_() override {
    auto from = text_.data();
    auto end = from + text_.size();
    while (from < end) {
      auto written =
        ::write(STDERR_FILENO, from, static_cast<std::size_t>(end - from));
      if (written < 0 && errno != EINTR)
        break; // there is nowhere to say so
      from += written < 0 ? 0 : written;
    }
    text_.clear();
  }

private:
  static constexpr std::size_t most = 64 * 1024;

  spdlog::details::thread_pool& pool_;
  spdlog::memory_buf_t text_;
};

spdlog::level::level_enum level_of(log_level level) {
  switch (level) {
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warn:
      return spdlog::level::warn;
    case log_level::error:
      break;
  }
  return spdlog::level::err;
}

} // namespace

void start_logging(const log_config& rules) {
  spdlog::init_thread_pool(waiting_lines, 1);
  spdlog::sink_ptr sink;
  if (::isatty(STDERR_FILENO) != 0)
    sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  else
    sink = std::make_shared<stderr_lines>(*spdlog::thread_pool());
  auto logger = std::make_shared<spdlog::async_logger>(
    "greenroom", std::move(sink), spdlog::thread_pool(),
    spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(level_of(rules.level));
  logger->flush_on(spdlog::level::warn);
  if (rules.format == log_format::json)
    logger->set_formatter(std::make_unique<json_formatter>());
  else
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v",
                        spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
}

void set_log_level(log_level level) {
  spdlog::set_level(level_of(level));
}

void stop_logging() {
  spdlog::shutdown();
}

void drain_logging() {
  constexpr unsigned timeout = 2;
  ::alarm(timeout); // SIGALRM ends the process
  // The old pool writes what it has before it goes; the logger stays, for
  // those who still use it.
  spdlog::init_thread_pool(1, 1);
  for (auto& sink : spdlog::default_logger()->sinks())
    sink->flush();
}

} // namespace greenroom

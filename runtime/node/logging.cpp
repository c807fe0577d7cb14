#include "runtime/node/logging.hpp"

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
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

// Formats each line of a message apart, all with the message's time and level:
// what was handed over together, to wake the log's thread once, reads as if it
// had been logged line by line, and nothing that a message cites can pass for
// another line.
class line_by_line final : public spdlog::formatter {
public:
  explicit line_by_line(std::unique_ptr<spdlog::formatter> line)
    : line_(std::move(line)) {}

  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& out) override {
    std::string_view left{message.payload.data(), message.payload.size()};
    auto one = message;
    for (;;) {
      auto end = left.find('\n');
      auto text = left.substr(0, end);
      one.payload = {text.data(), text.size()};
      line_->format(one, out);
      if (end == std::string_view::npos)
        return;
      left.remove_prefix(end + 1);
    }
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<line_by_line>(line_->clone());
  }

private:
  std::unique_ptr<spdlog::formatter> line_;
};

// A line's level, coloured on a terminal.
class level_word final : public spdlog::custom_flag_formatter {
public:
  explicit level_word(bool coloured) : coloured_(coloured) {}

  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    auto add = [&](std::string_view text) {
      out.append(text.data(), text.data() + text.size());
    };
    auto word = spdlog::level::to_string_view(line.level);
    if (coloured_)
      add(colour_of(line.level));
    add({word.data(), word.size()});
    if (coloured_)
      add("\033[0m");
  }

  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<level_word>(coloured_);
  }

private:
  static std::string_view colour_of(spdlog::level::level_enum level) {
    if (level >= spdlog::level::err)
      return "\033[31m";
    if (level == spdlog::level::warn)
      return "\033[33m";
    return level == spdlog::level::info ? "\033[32m" : "\033[36m";
  }

  bool coloured_;
};

std::unique_ptr<spdlog::formatter> text_formatter(bool coloured) {
  auto result =
    std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  result->add_flag<level_word>('*', coloured);
  result->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %* %v");
  return result;
}

constexpr std::size_t waiting_messages = 8192;

// Standard error. Lines that wait together are written
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
  spdlog::init_thread_pool(waiting_messages, 1);
  spdlog::sink_ptr sink =
    std::make_shared<stderr_lines>(*spdlog::thread_pool());
  auto logger = std::make_shared<spdlog::async_logger>(
    "greenroom", std::move(sink), spdlog::thread_pool(),
    spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(level_of(rules.level));
  logger->flush_on(spdlog::level::warn);
  std::unique_ptr<spdlog::formatter> line;
  if (rules.format == log_format::json)
    line = std::make_unique<json_formatter>();
  else
    line = text_formatter(::isatty(STDERR_FILENO) != 0
                          && std::getenv("NO_COLOR") == nullptr);
  logger->set_formatter(std::make_unique<line_by_line>(std::move(line)));
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

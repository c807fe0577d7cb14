// Heads of HTTP/1.1 messages, and what can be wrong with one.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::wire {

bool equal_caseless(std::string_view a, std::string_view b) noexcept;

struct header {
  std::string name;
  std::string value;
};

/// Headers in the order they came, each as it was written.
class header_list {
public:
  void add(std::string_view name, std::string_view value) {
    if (all_.empty())
      all_.reserve(usual);
    auto& added = all_.emplace_back();
    added.name = name;
    added.value = value;
  }

  /// The value of the first of that name; empty where there is none.
  std::string_view get(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;
  void remove(std::string_view name);

  /// True where `token` is one of the comma-separated values of `name`.
  bool has_token(std::string_view name, std::string_view token) const noexcept;

  bool empty() const noexcept {
    return all_.empty();
  }
  auto begin() const noexcept {
    return all_.begin();
  }
  auto end() const noexcept {
    return all_.end();
  }
  auto begin() noexcept {
    return all_.begin();
  }
  auto end() noexcept {
    return all_.end();
  }

private:
  static constexpr std::size_t usual = 12;
  std::vector<header> all_;
};

/// Of a request: method and target. Of a response: status and reason. The rest
/// is read from the headers, and only set in heads that were received.
struct message_head {
  std::string method;
  std::string target;
  int status = 0;
  std::string reason;
  header_list headers;

  bool old = false; // HTTP/1.0
  bool keep_alive = true;
  bool chunked = false;
  std::optional<std::uint64_t> content_length;

  bool expects_continue() const noexcept {
    return !old && equal_caseless(headers.get("Expect"), "100-continue");
  }

  /// The protocol that an upgrade is asked for, or answered with; empty: none.
  std::string_view upgrade() const noexcept;
};

/// The usual reason phrase of a status.
std::string_view reason_of(int status) noexcept;

/// Bytes that are no HTTP, or more of it than we take.
class bad_message : public std::runtime_error {
public:
  bad_message(int status, const std::string& sentence)
    : std::runtime_error(sentence), status_(status) {}

  /// To answer a client with.
  int status() const noexcept {
    return status_;
  }

private:
  int status_;
};

/// The other side is gone, or took longer than it may.
class lost : public std::exception {
public:
  explicit lost(bool late = false) noexcept : late_(late) {}

  bool late() const noexcept {
    return late_;
  }

  const char* what() const noexcept override {
    return late_ ? "the other side is too slow" : "the other side is gone";
  }

private:
  bool late_;
};

} // namespace greenroom::http::wire

// Refuses by the head of a connection's first request what RESTinio would
// buffer whole, or close without a word.
//
// RESTinio reads a body before a handler sees its head, so anybody could have
// this server hold bodies; and it closes silently where a request exceeds its
// limits. So the first head is read here, too, as it comes in: who has no key
// and sends a body gets 401, what is too long, malformed or unknown gets its
// status, and what follows is read to nowhere for a while, so that the answer
// arrives. One per connection, only until its first head is complete; later
// requests come from a client that was served. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace greenroom::http {

/// A status and a sentence; 0: nothing to refuse.
struct head_refusal {
  int status = 0;
  std::string message;
};

/// What a first head must keep to.
struct head_rules {
  /// True for the secret of a key that may do anything at all, and for a login.
  /// Empty: none is asked for.
  std::function<bool(std::string_view secret)> knows;
  std::uint64_t max_body = ~std::uint64_t{0};
};

class first_head {
public:
  static constexpr std::size_t max_target = 16 * 1024;
  static constexpr std::size_t max_line = 16 * 1024;
  static constexpr std::size_t max_fields = 96;
  static constexpr std::size_t max_size = 64 * 1024;

  /// Takes what was read next. A refusal comes as soon as it is sure; after
  /// one, and once `done`, it is not to be called any more.
  head_refusal add(std::string_view bytes, const head_rules& rules);

  /// The head was complete, and is fine.
  bool done() const noexcept {
    return done_;
  }

  /// Its body comes in chunks, which cost RESTinio several times their size.
  bool chunked() const noexcept {
    return chunked_;
  }

  /// What has come after the head, once `done`; valid as long as this.
  std::string_view rest() const noexcept {
    return std::string_view{text_}.substr(seen_);
  }

  /// The request line, or what has come of it; valid as long as this.
  std::string_view request_line() const noexcept;

  /// The X-Request-Id that was sent, valid as long as this.
  std::string_view request_id() const noexcept {
    return request_id_;
  }

private:
  head_refusal check_line(std::string_view line);
  head_refusal check_request_line(std::string_view line) const;
  head_refusal check_field(std::string_view line);
  head_refusal check_whole(const head_rules& rules) const;

  std::string text_;      // the head so far
  std::size_t seen_ = 0;  // of it, in whole lines
  std::size_t lines_ = 0; // the request line and fields
  bool done_ = false;
  bool chunked_ = false;
  std::string length_; // of Content-Length; empty: none was sent
  std::string secret_;
  std::string login_; // of the web console, where no key is sent
  std::string request_id_;
};

/// The answer on the wire; the connection ends with it. `id` is echoed.
std::string refusal_text(const head_refusal& what, std::string_view id);

} // namespace greenroom::http

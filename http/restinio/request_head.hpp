// Refuses by a request's head what RESTinio would buffer whole, or close
// without a word.
//
// RESTinio reads a body before a handler sees its head, so anybody could have
// this server hold bodies; and it closes silently where a request exceeds its
// limits. So each head is read here, too, as it comes in: who has no key and
// sends a body gets 401, what is too long, malformed or unknown gets its
// status. One per connection, used for one head after the other. One thread.
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

/// What a head must keep to.
struct head_rules {
  /// True for the secret of a key that may do anything at all, and for a login.
  /// Empty: none is asked for.
  std::function<bool(std::string_view secret)> knows;
  std::uint64_t max_body = ~std::uint64_t{0};
};

class request_head {
public:
  static constexpr std::size_t max_target = 16 * 1024;
  static constexpr std::size_t max_line = 16 * 1024;
  static constexpr std::size_t max_fields = 96;
  static constexpr std::size_t max_size = 64 * 1024;

  /// How much of what was read next belongs to the head, and why it is refused,
  /// which is said as soon as it is sure.
  struct result {
    std::size_t taken = 0;
    head_refusal refused;
  };

  /// Not to be called once it is `done` or was refused, before `start`.
  result add(std::string_view bytes, const head_rules& rules);

  /// The next head begins.
  void start();

  /// The head was complete, and is fine.
  bool done() const noexcept {
    return done_;
  }

  /// Something of it has come.
  bool begun() const noexcept {
    return begun_;
  }

  // Once it is done, of the body.
  bool chunked() const noexcept {
    return chunked_;
  }
  std::uint64_t length() const noexcept {
    return length_;
  }
  /// The client waits to be told to send it.
  bool expects_continue() const noexcept {
    return expects_continue_;
  }

  /// What was shown to be let in, a key's secret or a login; empty: nothing.
  const std::string& credential() const noexcept {
    return secret_.empty() ? login_ : secret_;
  }

  /// The X-Request-Id that was sent.
  const std::string& request_id() const noexcept {
    return request_id_;
  }

  /// The request line, or what has come of it. Until the next call, and only as
  /// long as the bytes that were given last.
  std::string_view request_line() const noexcept;

private:
  head_refusal parse(const head_rules& rules);
  head_refusal check_unfinished(std::string_view line) const;
  head_refusal check_line(std::string_view line);
  head_refusal check_method(std::string_view method) const;
  head_refusal check_request_line(std::string_view line) const;
  head_refusal check_name(std::string_view name) const;
  head_refusal check_field(std::string_view line);
  head_refusal note_field(std::string_view name, std::string_view value);
  head_refusal check_whole(const head_rules& rules) const;

  std::string kept_;      // of a head that comes in pieces, what has come
  std::string_view text_; // the head so far, there or where it was read
  std::size_t seen_ = 0;  // of it, in whole lines
  std::size_t lines_ = 0; // the request line and fields
  bool begun_ = false;
  bool done_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  bool expects_continue_ = false;
  bool tunnels_ = false; // CONNECT, after which there is no body
  std::uint64_t length_ = 0;
  std::string secret_;
  std::string login_; // of the web console, where no key is sent
  std::string request_id_;
};

/// The answer on the wire; the connection ends with it. `id` is echoed.
std::string refusal_text(const head_refusal& what, std::string_view id);

} // namespace greenroom::http

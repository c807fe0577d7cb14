// Follows a connection's requests as they come in: where each begins and ends,
// and what of them is not to be read.
//
// RESTinio must see the same requests in the same bytes: what could be read in
// two ways is refused. One thread.
#pragma once

#include "http/restinio/chunk_scan.hpp"
#include "http/restinio/request_head.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom::http {

class request_scan {
public:
  struct result {
    std::size_t fine = 0; // bytes before the request that is refused; all
    head_refusal refused;
  };

  /// Takes what was read next. Not to be called once one was refused.
  result add(std::string_view bytes, const head_rules& rules);

  /// Requests that have come whole.
  std::uint64_t whole() const noexcept {
    return whole_;
  }

  /// Heads that have come whole; and whether one of them has shown a key.
  std::uint64_t heads() const noexcept {
    return heads_;
  }
  bool known() const noexcept {
    return known_;
  }

  /// What comes next is a head, or the rest of one.
  bool in_head() const noexcept {
    return at_ == part::head;
  }

  /// A part of another one has come.
  bool within() const noexcept {
    return at_ != part::head || (head_.begun() && !head_.done());
  }

  /// What comes next is a body in chunks, which cost RESTinio several times
  /// their size.
  bool in_chunks() const noexcept {
    return at_ == part::chunks;
  }

  /// True once for each request whose client waits to be told to send the body.
  bool must_go_ahead() noexcept;

  /// The request at hand, or the one that was refused; see request_head.
  const request_head& head() const noexcept {
    return head_;
  }
  std::string_view request_line() const noexcept {
    return at_ == part::head ? head_.request_line() : line_;
  }

private:
  enum class part : std::uint8_t { head, length, chunks };

  std::size_t take(std::string_view bytes, const head_rules& rules,
                   head_refusal& refused);
  void head_ends(const head_rules& rules);
  void body_begins();
  void request_ends();

  part at_ = part::head;
  bool waits_ = false; // for 100 Continue
  request_head head_;
  std::string line_; // of a request whose body is being read
  chunk_scan chunks_;
  std::uint64_t left_ = 0; // of a body of known length
  std::uint64_t whole_ = 0;
  std::uint64_t heads_ = 0;
  bool known_ = false;
};

} // namespace greenroom::http

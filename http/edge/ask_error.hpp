// Why an actor did not answer as it was asked to, without CAF's types: what
// handlers get from the bridge.
//
// A value; made in http/edge only.
#pragma once

#include "messages/errors.hpp"

#include <utility>

namespace greenroom::http {

class ask_error {
public:
  /// Of what CAF, or the actor itself, has answered.
  explicit ask_error(const caf::error& from);

  /// Of a question that is not even asked.
  explicit ask_error(refusal why) : why_(std::move(why)) {}

  /// The actor is gone: this says nothing of what it thinks.
  bool is_gone() const noexcept {
    return gone_;
  }

  /// The message lay in the mailbox of an actor that ended, or came after: it
  /// has not been seen. Then is_gone, too.
  bool is_unread() const noexcept {
    return unread_;
  }

  /// The actor does not know the message: its node is of an older release.
  bool is_unknown() const noexcept {
    return unknown_;
  }

  /// As clients are told. Found by its argument, beside the one for caf::error.
  friend const refusal& to_refusal(const ask_error& error) noexcept {
    return error.why_;
  }

private:
  refusal why_;
  bool gone_ = false;
  bool unread_ = false;
  bool unknown_ = false;
};

} // namespace greenroom::http

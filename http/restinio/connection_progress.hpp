// What the socket of a connection and the exchanges of its requests tell each
// other, past RESTinio: how many answers have begun and ended, that one cannot
// be completed, and that the client sends nothing more.
//
// Shared by both; used on the connection's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace greenroom::http {

/// An answer without a known end, which is of use only to who reads it now.
enum class answer_kind : bool { whole, stream };

class connection_progress {
public:
  class listener {
  public:
    virtual void progressed() = 0;
    /// The connection is to end now, for an answer must not look whole.
    virtual void cut() = 0;

  protected:
    ~listener() = default;
  };

  /// Another node has made the connection.
  bool of_peer = false;
  /// It has one of the last places: it ends with its first answer.
  bool in_spare_place = false;

  /// Null where the socket is gone, or has become something else.
  void listen(listener* who) noexcept {
    listener_ = who;
  }
  bool is_heard_by(const listener* who) const noexcept {
    return listener_ == who;
  }

  void answer_begins(answer_kind kind) {
    ++begun_;
    streams_ += kind == answer_kind::stream;
    tell();
  }
  void answer_ends(answer_kind kind) {
    ++ended_;
    streams_ -= kind == answer_kind::stream;
    tell();
  }
  void cut() {
    if (listener_ != nullptr)
      listener_->cut();
  }

  std::uint64_t begun() const noexcept {
    return begun_;
  }
  std::uint64_t ended() const noexcept {
    return ended_;
  }
  bool streams() const noexcept {
    return streams_ > 0;
  }

  /// Calls `told`, if it is still there, when the client has ended its input;
  /// at once where it has.
  void await_input_end(const std::shared_ptr<std::function<void()>>& told) {
    if (input_ended_) {
      (*told)();
      return;
    }
    // One for each request that is under way.
    std::erase_if(at_input_end_, [](auto& one) { return one.expired(); });
    at_input_end_.push_back(told);
  }
  void input_ends() {
    input_ended_ = true;
    for (auto& one : std::exchange(at_input_end_, {}))
      if (auto told = one.lock())
        (*told)();
  }

  /// While it lives, requests that RESTinio hands out on this thread are of
  /// that connection.
  class scope {
  public:
    explicit scope(const std::shared_ptr<connection_progress>& of) noexcept
      : before_(std::exchange(current_, &of)) {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() {
      current_ = before_;
    }

  private:
    const std::shared_ptr<connection_progress>* before_;
  };

  /// Of the connection whose request is being handed out.
  static std::shared_ptr<connection_progress> current() {
    return current_ == nullptr ? std::make_shared<connection_progress>()
                               : *current_;
  }

private:
  void tell() {
    if (listener_ != nullptr)
      listener_->progressed();
  }

  inline static thread_local const std::shared_ptr<connection_progress>*
    current_ = nullptr;

  listener* listener_ = nullptr;
  std::uint64_t begun_ = 0;
  std::uint64_t ended_ = 0;
  int streams_ = 0;
  bool input_ended_ = false;
  std::vector<std::weak_ptr<std::function<void()>>> at_input_end_;
};

} // namespace greenroom::http

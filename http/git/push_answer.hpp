// What git answers to a push, on its way to the client: passed on as it is,
// and listened to, since it says whether the branch has moved.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

class push_answer {
public:
  /// `side_band`: the client gets the report framed in one.
  push_answer(std::string ref, bool side_band)
    : ref_(std::move(ref)), side_band_(side_band) {}

  /// What the client gets for these bytes of git's. Where git refuses because
  /// the checkout is not clean, or because the push would drop commits, a
  /// sentence of what to do is added.
  std::string pass(std::string_view bytes);

  /// What is left at the end.
  std::string rest();

  /// True once git has said that the branch is where the push wants it.
  bool moved() const noexcept {
    return moved_;
  }

private:
  void hear(std::string_view payload);
  void hear_report(std::string_view line);

  std::string ref_;
  bool side_band_;
  bool foreign_ = false; // it is not framed, so nothing is heard any more
  std::string pending_;  // part of a packet
  std::string report_;   // of the side band, as far as not heard yet
  bool moved_ = false;
  std::string_view advice_; // to be given when the report is over
};

} // namespace greenroom::http::git_http

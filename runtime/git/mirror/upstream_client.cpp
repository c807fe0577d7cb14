#include "runtime/git/mirror/upstream_client.hpp"

#include "messages/errors.hpp"

#include <algorithm>

namespace greenroom::git {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds quick{1};
constexpr std::chrono::seconds longest_rest{15};

} // namespace

upstream_client::talk upstream_client::run(server_git call) {
  {
    std::lock_guard guard{mutex_};
    if (clock::now() < left_alone_)
      throw refused{errc::unavailable, reason_};
  }
  auto access = keys_->to(url_);
  call.env.insert(call.env.end(), access.env.begin(), access.env.end());
  auto began = clock::now();
  auto result = git::run(call);
  return {std::move(result), clock::now() - began};
}

void upstream_client::fail(const talk& lost) {
  auto why = "the upstream cannot be reached: " + reason(lost.result);
  if (lost.took > quick) {
    std::lock_guard guard{mutex_};
    left_alone_ =
      clock::now() + std::min<clock::duration>(lost.took, longest_rest);
    reason_ = why;
  }
  throw refused{errc::unavailable, why};
}

} // namespace greenroom::git

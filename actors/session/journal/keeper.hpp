// Who keeps the files of sessions, as their actors use it. The node's is
// writers.hpp; where there is no disk another one stands in its place.
#pragma once

#include "actors/session/journal/requests.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace greenroom::journal {

/// What an actor and the keeper of its files share: the results that the actor
/// is yet to take. Thread-safe.
class channel {
public:
  channel() = default;
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  virtual ~channel() = default;

  /// `notify` is called on the keeper's thread when results lie there; once,
  /// until they are taken. Where some lie there already, at once.
  void on_results(std::function<void()> notify);

  /// Takes all results, oldest first.
  std::vector<any_result> take();

  /// By the keeper only.
  void put(any_result result);

private:
  std::mutex mutex_; // guards all below
  std::vector<any_result> results_;
  std::function<void()> notify_;
};

using channel_ptr = std::shared_ptr<channel>;

/// Performs a session's requests in their order. Owned by the node; outlives
/// all actors.
class keeper {
public:
  virtual ~keeper() = default;

  virtual channel_ptr open(const std::string& session_id) = 0;

  /// `from` is of this keeper and session. False where there is too much to do
  /// and the request can be refused (may_be_refused); there is no result then.
  /// Any thread, though for one session one at a time.
  virtual bool post(const std::string& session_id, const channel_ptr& from,
                    any_request what) = 0;
};

} // namespace greenroom::journal

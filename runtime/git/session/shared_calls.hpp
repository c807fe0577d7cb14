// Calls that several may ask for at once and that need not be made for each of
// them: who asks gets the result of one that began after he had asked.
//
// So however many ask for the same, one call goes on and at most one more
// follows it. What it throws is shared like its result. Nothing is kept once
// nobody asks any more. Thread-safe; blocks for as long as two calls take.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace greenroom {

template <class Result>
class shared_calls {
public:
  using result_ptr = std::shared_ptr<const Result>;

  /// `call` has the result, or throws; `what` says whether two are the same.
  result_ptr ask(const std::string& what, const std::function<Result()>& call) {
    std::unique_lock guard{mutex_};
    const asker me{*this, what};
    auto& mine = me.of;
    const auto before = mine.begun;
    over_.wait(guard, [&] { return mine.ended > before || !mine.goes_on; });
    if (mine.ended > before)
      return outcome_of(mine);
    mine.goes_on = true;
    const auto number = ++mine.begun;
    guard.unlock();
    result_ptr result;
    std::exception_ptr fault;
    try {
      result = std::make_shared<const Result>(call());
    } catch (...) {
      fault = std::current_exception();
    }
    guard.lock();
    mine.result = std::move(result);
    mine.fault = std::move(fault);
    mine.ended = number;
    mine.goes_on = false;
    over_.notify_all();
    return outcome_of(mine);
  }

  /// How many ask for it now.
  std::size_t asking(const std::string& what) {
    std::lock_guard guard{mutex_};
    auto found = calls_.find(what);
    return found == calls_.end() ? 0 : found->second.askers;
  }

private:
  struct call_state {
    std::size_t askers = 0;
    std::uint64_t begun = 0; // calls; those that ended are as many, or one less
    std::uint64_t ended = 0;
    bool goes_on = false;
    result_ptr result; // of the last that ended, or its fault
    std::exception_ptr fault;
  };

  // Lives while the mutex is held at both its ends.
  struct asker {
    shared_calls& all;
    const std::string& what;
    call_state& of;

    asker(shared_calls& calls, const std::string& name)
      : all(calls), what(name), of(calls.calls_[name]) {
      ++of.askers;
    }
    asker(const asker&) = delete;
    asker& operator=(const asker&) = delete;
    ~asker() {
      if (--of.askers == 0)
        all.calls_.erase(what);
    }
  };

  static result_ptr outcome_of(const call_state& state) {
    if (state.fault)
      std::rethrow_exception(state.fault);
    return state.result;
  }

  std::mutex mutex_;
  std::condition_variable over_;
  std::map<std::string, call_state> calls_;
};

} // namespace greenroom

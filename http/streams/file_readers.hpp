// A few threads that read files for the HTTP threads.
//
// A read waits for the disk, and an HTTP thread that waits keeps all of its
// clients waiting. So what an exec printed is read here, a bounded step at a
// time, and the result goes back to the loop that asked. One pool for all HTTP
// threads; a stalled disk stalls it, and nothing else. A read opens what it
// needs and closes it again, so that the files that are open at a time are
// bounded by the threads, not by the clients.
#pragma once

#include "http/edge/loop.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/errors.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace greenroom::http {

class file_readers {
public:
  /// Each stream and request has one read under way, so only a flood of
  /// requests gets here; more are refused as overloaded.
  static constexpr std::size_t max_waiting = 65'536;

  explicit file_readers(unsigned threads);
  file_readers(const file_readers&) = delete;
  file_readers& operator=(const file_readers&) = delete;

  /// Waits for the reads under way; drops those that wait. To be destroyed
  /// after the HTTP threads have ended, before what they worked on goes.
  ~file_readers();

  bool full() const;

  /// `job` must not throw.
  void run(std::function<void()> job);

private:
  void work();

  mutable std::mutex mutex_; // guards the next two
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::vector<std::thread> threads_; // last: they use all of the above
};

/// Runs `read` on a reading thread, then `then(result, failure)` on the loop
/// of `env`, never from inside; `failure` is what `read` threw, or null.
template <class Read, class Then>
void read_elsewhere(edge& env, Read read, Then then) {
  using result_type = std::invoke_result_t<Read&>;
  auto& files = env.streams.files();
  if (files.full()) {
    env.loop.post([then = std::move(then)]() mutable {
      then(result_type{},
           std::make_exception_ptr(refused{errc::overloaded,
                                           "too many files are being read, try "
                                           "again"}));
    });
    return;
  }
  files.run([life = env.life, read = std::move(read),
             then = std::move(then)]() mutable {
    result_type result{};
    std::exception_ptr failure;
    try {
      result = read();
    } catch (...) {
      failure = std::current_exception();
    }
    // What `then` holds belongs to the loop's thread, and goes there.
    if (auto loop = life.lock())
      loop->post([then = std::move(then), result = std::move(result),
                  failure]() mutable { then(std::move(result), failure); });
  });
}

} // namespace greenroom::http

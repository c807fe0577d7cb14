#include "http/streams/file_readers.hpp"

#include "runtime/base/guarded.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>

namespace greenroom::http {

file_readers::file_readers(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i)
    threads_.emplace_back([this] { work(); });
}

file_readers::~file_readers() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& one : threads_)
    one.join();
}

bool file_readers::full() const {
  std::lock_guard guard{mutex_};
  return jobs_.size() >= max_waiting;
}

void file_readers::run(std::function<void()> job) {
  {
    std::lock_guard guard{mutex_};
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void file_readers::work() {
  ::pthread_setname_np(::pthread_self(), "files");
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_)
      return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    run_guarded(job, [](const char* why) {
      spdlog::error("a task of a reading thread failed: {}", why);
    });
    job = nullptr;
    lock.lock();
  }
}

} // namespace greenroom::http

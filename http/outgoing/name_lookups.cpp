#include "http/outgoing/name_lookups.hpp"

#include "runtime/base/guarded.hpp"

#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace greenroom::http {

struct name_lookups::state {
  struct job {
    std::string host;
    name_lookups::then then;
  };

  explicit state(resolver what) : ask(std::move(what)) {}

  const resolver ask;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<job> jobs;
  bool stopped = false;
};

namespace {

using info_ptr = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

name_lookups::found ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  auto failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  info_ptr owner{list, &::freeaddrinfo};
  name_lookups::found result;
  if (failed != 0) {
    result.problem =
      "the name " + host + " cannot be looked up: " + ::gai_strerror(failed);
    return result;
  }
  for (auto* one = list; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(),
                      nullptr, 0, NI_NUMERICHOST)
        == 0)
      result.addresses.emplace_back(text.data());
  }
  if (result.addresses.empty())
    result.problem = "the name " + host + " has no address";
  return result;
}

void report(const char* why) {
  spdlog::error("a look-up of a host's name: {}", why);
}

// Who asked hears of it, whatever went wrong.
name_lookups::found answer_for(const std::string& host,
                               const name_lookups::resolver& ask) {
  name_lookups::found result;
  if (!run_guarded([&] { result = ask(host); }, report))
    result.problem = "the name " + host + " cannot be looked up";
  return result;
}

} // namespace

name_lookups::name_lookups(unsigned threads, resolver ask)
  : state_(std::make_shared<state>(ask ? std::move(ask) : ask_system)) {
  for (unsigned i = 0; i < threads; ++i)
    std::thread{[s = state_] {
      std::unique_lock lock{s->mutex};
      while (true) {
        s->changed.wait(lock, [&] { return s->stopped || !s->jobs.empty(); });
        if (s->stopped)
          return;
        auto job = std::move(s->jobs.front());
        s->jobs.pop_front();
        lock.unlock();
        auto result = answer_for(job.host, s->ask);
        lock.lock();
        // With the lock, so that stop() waits for it.
        if (!s->stopped)
          run_guarded([&] { job.then(std::move(result)); }, report);
      }
    }}.detach();
}

name_lookups::~name_lookups() {
  stop();
}

void name_lookups::look_up(std::string host, then what) {
  {
    std::lock_guard guard{state_->mutex};
    if (state_->stopped)
      return;
    if (state_->jobs.size() == max_waiting)
      state_->jobs.pop_front();
    state_->jobs.push_back({std::move(host), std::move(what)});
  }
  state_->changed.notify_one();
}

void name_lookups::stop() {
  std::deque<state::job> dropped;
  {
    std::lock_guard guard{state_->mutex};
    state_->stopped = true;
    dropped.swap(state_->jobs);
  }
  state_->changed.notify_all();
}

} // namespace greenroom::http

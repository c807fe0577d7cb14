// A few threads that do blocking work for everybody else.
//
// A pool is an actor with the same interface as its workers. It hands each
// request to a worker that has nothing to do, or lets it wait in line; when
// the line is full it refuses with `overloaded`. Workers are detached actors,
// so what blocks there blocks no scheduler thread.
#pragma once

#include "messages/errors.hpp"

#include <caf/detail/type_list.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace greenroom {

struct pool_limits {
  std::size_t workers = 2;
  std::size_t queue = 256;
  std::string name;
  /// When a worker is given up and replaced. Work has its own, shorter limits;
  /// this one is for bugs.
  std::chrono::minutes timeout{15};
  /// How long a request may wait in line: who asked for it has given up then,
  /// and nothing is to be done that nobody hears of.
  std::chrono::milliseconds queue_timeout{std::chrono::minutes{5}};
};

template <class Interface>
class worker_pool {
public:
  using pointer = typename Interface::template stateful_pointer<worker_pool>;
  using spawner = std::function<Interface()>;

  worker_pool() = default;
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Workers end with their pool.
  ~worker_pool() {
    for (auto* list : {&idle_, &busy_})
      for (auto& worker : *list)
        caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
  }

  /// Called once, when the actor starts.
  void start(pointer self, pool_limits limits, spawner spawn) {
    self_ = self;
    limits_ = std::move(limits);
    spawn_ = std::move(spawn);
    name = limits_.name.c_str();
    for (std::size_t i = 0; i < limits_.workers; ++i)
      idle_.push_back(spawn_());
  }

  /// A handler that passes requests of one type on to the workers.
  template <class Reply, class Request>
  auto handler() {
    return handler<Reply, Request>(limits_.queue_timeout);
  }

  /// The same of one that may wait in line for another time.
  template <class Reply, class Request>
  auto handler(std::chrono::milliseconds queue_timeout) {
    return [this, queue_timeout](Request& request) -> caf::result<Reply> {
      if (idle_.empty() && queue_.size() >= limits_.queue)
        return make_error(errc::overloaded,
                          "the server has too much to do, try again");
      auto promise = self_->template make_response_promise<Reply>();
      queue_.push_back([this, promise, until = clock::now() + queue_timeout,
                        request =
                          std::move(request)](const Interface& worker) mutable {
        if (clock::now() <= until)
          return run<Reply>(worker, std::move(promise), std::move(request));
        promise.deliver(make_error(errc::overloaded,
                                   "the server has too much to do, try again"));
        idle_.push_back(worker);
      });
      pump();
      return promise;
    };
  }

  const char* name = "pool";

private:
  using clock = std::chrono::steady_clock;

  template <class Reply, class Promise, class Request>
  void run(const Interface& worker, Promise promise, Request request) {
    busy_.push_back(worker);
    self_->request(worker, limits_.timeout, std::move(request))
      .then(
        [this, promise, worker](Reply& reply) mutable {
          promise.deliver(std::move(reply));
          release(worker);
        },
        [this, promise, worker](caf::error& error) mutable {
          auto gone =
            error.category() != make_error(errc::internal, "").category();
          promise.deliver(std::move(error));
          if (gone) {
            caf::anon_send_exit(worker, caf::exit_reason::kill);
            forget(worker);
            idle_.push_back(spawn_());
            pump();
          } else {
            release(worker);
          }
        });
  }

  void release(const Interface& worker) {
    forget(worker);
    idle_.push_back(worker);
    pump();
  }

  void forget(const Interface& worker) {
    std::erase(busy_, worker);
  }

  void pump() {
    while (!idle_.empty() && !queue_.empty()) {
      auto worker = std::move(idle_.back());
      idle_.pop_back();
      auto job = std::move(queue_.front());
      queue_.pop_front();
      job(worker);
    }
  }

  pointer self_ = nullptr;
  pool_limits limits_;
  spawner spawn_;
  std::vector<Interface> idle_;
  std::vector<Interface> busy_;
  std::deque<std::function<void(const Interface&)>> queue_;
};

} // namespace greenroom

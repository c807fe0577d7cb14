#include "http/edge/loop.hpp"

#include "runtime/base/guarded.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <caf/actor_system.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <spdlog/spdlog.h>

#include <mutex>
#include <utility>
#include <vector>

namespace greenroom::http {

namespace {

/// Messages that a bridge handles before other work of the loop gets its turn.
constexpr std::size_t messages_per_turn = 256;

/// An io_context that can be emptied while the owners of what is in it live.
struct emptied_context : asio::io_context {
  using asio::io_context::io_context;
  void drop_handlers() {
    shutdown();
  }
};

struct ticker {
  asio::steady_timer timer;
  std::chrono::milliseconds period;
  std::function<void()> task;
};

void report(const char* why) {
  spdlog::error("a task of an HTTP thread failed: {}", why);
}

} // namespace

struct loop::state {
  emptied_context context{1};
  std::mutex guard;
  std::vector<std::function<void()>> tasks; // under guard
  bool woken = false;                       // under guard
  bool ended = false; // no actor gets a turn; written under guard
  std::vector<std::function<void()>> running;
  std::vector<std::unique_ptr<ticker>> tickers;
  std::vector<caf::resumable*> woken_actors; // on the loop's thread

  void put(std::function<void()> task, bool of_actor) {
    {
      std::lock_guard lock{guard};
      // The actors share the loop: what it kept of them would never go.
      if (of_actor && ended)
        return;
      tasks.push_back(std::move(task));
      if (std::exchange(woken, true))
        return;
    }
    asio::post(context, [this] { drain(); });
  }

  void drain() {
    {
      std::lock_guard lock{guard};
      std::swap(tasks, running);
      woken = false;
    }
    for (auto& task : running) {
      run_guarded(task, report);
      task = nullptr;
    }
    running.clear();
  }

  /// Also what their ends post: nobody would drop that before the loop goes,
  /// which its actors may keep for longer than what it refers to.
  void drop_tasks() {
    std::vector<std::function<void()>> dropped;
    do {
      dropped.clear();
      std::lock_guard lock{guard};
      std::swap(dropped, tasks);
    } while (!dropped.empty());
  }

  void arm(ticker& t) {
    t.timer.expires_after(t.period);
    t.timer.async_wait([this, &t](const error_code& error) {
      if (error)
        return;
      run_guarded(t.task, report);
      arm(t);
    });
  }
};

loop::loop(caf::actor_system& system)
  : caf::execution_unit(&system), state_(std::make_unique<state>()) {}

loop::~loop() = default;

void loop::post(std::function<void()> task) {
  state_->put(std::move(task), false);
}

void loop::every(std::chrono::milliseconds period, std::function<void()> task) {
  auto added = std::make_unique<ticker>(
    ticker{asio::steady_timer{state_->context}, period, std::move(task)});
  state_->arm(*added);
  state_->tickers.push_back(std::move(added));
}

void loop::after(std::chrono::microseconds pause, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(state_->context, pause);
  timer->async_wait([timer, task = std::move(task)](const error_code& error) {
    if (!error)
      run_guarded(task, report);
  });
}

void loop::run() {
  auto work = asio::make_work_guard(state_->context);
  run_guarded_loop([this] { state_->context.run(); }, report);
}

void loop::stop() {
  state_->context.stop();
}

void loop::drop_all() {
  {
    std::lock_guard lock{state_->guard};
    state_->ended = true;
  }
  state_->drop_tasks();
  state_->context.drop_handlers();
  state_->drop_tasks();
  wake_actors(); // whom this has told something
}

asio::io_context& loop::context() noexcept {
  return state_->context;
}

void loop::wake_actors() {
  for (auto job : std::exchange(state_->woken_actors, {}))
    system().scheduler().enqueue(job);
}

void loop::exec_later(caf::resumable* job) {
  if (job->subtype() != caf::resumable::io_actor) {
    // Nobody else would wake it. It is set once this thread has ended.
    if (state_->ended) {
      system().scheduler().enqueue(job);
      return;
    }
    state_->woken_actors.push_back(job);
    if (state_->woken_actors.size() == 1)
      asio::post(state_->context, [this] { wake_actors(); });
    return;
  }
  caf::intrusive_ptr<caf::resumable> actor{job, false};
  state_->put(
    [this, actor]() mutable {
      auto result = actor->resume(this, messages_per_turn);
      if (result == caf::resumable::resume_later)
        exec_later(actor.release());
    },
    true);
}

} // namespace greenroom::http

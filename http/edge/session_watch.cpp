#include "http/edge/session_watch.hpp"

#include "http/edge/loop.hpp"

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::http::handlers {

namespace {

/// The first pause before a lost session is looked for; each next one is twice
/// as long. Together they last about 12 s.
constexpr std::chrono::milliseconds first_pause{100};
constexpr unsigned max_tries = 7;

/// True for an error that a revived session would not give.
bool is_passing(const caf::error& why) {
  return why == caf::sec::request_receiver_down
         || why == caf::sec::request_timeout
         || why.category() == caf::atom("exit")
         || to_refusal(why).code == errc::unavailable;
}

} // namespace

session_watch_actor spawn_watch(actor_system& system,
                                std::weak_ptr<http::loop> home,
                                std::weak_ptr<session_watch_listener> listener,
                                session_watch_task task) {
  return system.spawn<session_watch>(std::move(home), std::move(listener),
                                     std::move(task));
}

void stop_watch(const session_watch_actor& watch) {
  caf::anon_send_exit(watch, caf::exit_reason::user_shutdown);
}

session_watch::session_watch(caf::actor_config& config,
                             std::weak_ptr<http::loop> home,
                             std::weak_ptr<session_watch_listener> listener,
                             session_watch_task task)
  : session_watch_actor::base(config), loop_(std::move(home)),
    listener_(std::move(listener)), task_(std::move(task)) {
  set_down_handler([this](caf::down_msg& message) {
    if (message.source == task_.session.address())
      lose();
  });
}

const char* session_watch::name() const {
  return "greenroom.http.session_watch";
}

/// The clock keeps the object until the reminders are due; what it holds goes
/// now.
void session_watch::on_exit() {
  listener_.reset();
  task_ = {};
}

session_watch::behavior_type session_watch::make_behavior() {
  monitor(task_.session);
  delayed_send(session_watch_actor{this}, task_.limit, watch_time_up{});
  ask();
  return {[this](const event_batch& events) { batch(events); },
          [this](watch_look_again) { look(); },
          [this](watch_time_up) {
            tell(&session_watch_listener::late);
            quit();
          }};
}

void session_watch::ask() {
  request(task_.session, task_.look_up,
          watch_session{watcher_actor{session_watch_actor{this}}, 0, true})
    .then(
      [this, g = generation_](const watch_reply& reply) {
        if (g != generation_)
          return;
        tries_ = 0;
        if (reply.state == watch_state::over)
          end();
        else if (reply.state == watch_state::behind)
          lose();
        else
          look_at_it();
      },
      [this, g = generation_](const caf::error& why) {
        if (g == generation_)
          fail(why);
      });
}

/// What happened before the session knew of this watch.
void session_watch::look_at_it() {
  if (!task_.exec_id.empty())
    ask_exec();
  else if (task_.port != 0)
    ask_ports();
}

void session_watch::ask_ports() {
  request(task_.session, task_.look_up, greenroom::list_ports{})
    .then(
      [this, g = generation_](const port_list& found) {
        if (g == generation_ && is_served(found.ports, task_.port))
          end();
      },
      [this, g = generation_](const caf::error& why) {
        if (g == generation_)
          fail(why);
      });
}

void session_watch::ask_exec() {
  request(task_.session, task_.look_up, greenroom::get_exec{task_.exec_id})
    .then(
      [this, g = generation_](const exec_view& view) {
        if (g != generation_)
          return;
        if (view.ended)
          end();
      },
      [this, g = generation_](const caf::error& why) {
        if (g != generation_)
          return;
        if (task_.may_be_none && to_refusal(why).code == errc::not_found)
          end();
        else
          fail(why);
      });
}

void session_watch::batch(const event_batch& events) {
  auto is_end = [&](const event_slice& one) {
    return one.kind == event_kind::exec_exited && one.exec_id == task_.exec_id;
  };
  if (events.end || std::ranges::any_of(events.slices, is_end))
    end();
  else if (task_.port != 0
           && std::ranges::find(events.slices, event_kind::port_opened,
                                &event_slice::kind)
                != events.slices.end())
    ask_ports();
}

void session_watch::lose() {
  if (std::exchange(reminded_, true))
    return;
  ++generation_;
  if (tries_ == max_tries) {
    post([](session_watch_listener& listener) {
      listener.failed(
        {errc::unavailable, "the session is restarting, try again"});
    });
    quit();
    return;
  }
  delayed_send(session_watch_actor{this}, first_pause * (1u << tries_),
               watch_look_again{});
  ++tries_;
}

void session_watch::look() {
  reminded_ = false;
  request(task_.directory, task_.look_up,
          find_session{task_.project_id, task_.session_id})
    .then(
      [this, g = generation_](const session_actor& found) {
        if (g != generation_)
          return;
        demonitor(task_.session.address());
        task_.session = found;
        monitor(found);
        ask();
      },
      [this, g = generation_](const caf::error& why) {
        if (g == generation_)
          fail(why);
      });
}

void session_watch::fail(const caf::error& why) {
  if (is_passing(why)) {
    lose();
    return;
  }
  post([what = to_refusal(why)](session_watch_listener& listener) {
    listener.failed(what);
  });
  quit();
}

void session_watch::end() {
  tell(&session_watch_listener::over);
  quit();
}

void session_watch::tell(void (session_watch_listener::*what)()) {
  post([what](session_watch_listener& listener) { (listener.*what)(); });
}

void session_watch::post(std::function<void(session_watch_listener&)> what) {
  if (auto home = loop_.lock())
    home->post([to = listener_, what = std::move(what)] {
      if (auto listener = to.lock())
        what(*listener);
    });
}

} // namespace greenroom::http::handlers

#include "tests/http/stand_ins.hpp"

#include "messages/errors.hpp"
#include "messages/type_ids.hpp"
#include "runtime/events/encode.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace greenroom::test {

namespace {

constexpr std::uint64_t epoch = 3;

using session_base = stand_in_session::base;

/// The batch of the events after `after`, up to `max_bytes` and one more.
event_batch batch_after(const script& all, std::uint64_t after,
                        const event_filter& filter, std::size_t max_bytes,
                        std::uint64_t last) {
  event_batch batch;
  batch.after = after;
  batch.last = after;
  std::string text;
  while (batch.last < last && text.size() < max_bytes) {
    auto& event = all.events[batch.last];
    ++batch.last;
    if (!filter.accepts(event.kind, event.exec_id))
      continue;
    batch.slices.push_back({batch.last, event.kind, event.exec_id,
                            static_cast<std::uint32_t>(text.size())});
    text += event_text(batch.last, event);
  }
  batch.end = all.over && batch.last == all.events.size();
  if (!text.empty())
    batch.text = shared_text{std::move(text)};
  return batch;
}

class session_stand_in : public session_base {
public:
  session_stand_in(caf::actor_config& config, script_ptr s)
    : session_base(config), script_(std::move(s)) {
    set_down_handler([this](caf::down_msg& message) {
      drop(
        [&](const watcher_actor& w) { return w.address() == message.source; });
    });
  }

protected:
  behavior_type make_behavior() override {
    return {
      [](start_session) { return unserved<session_record>(); },
      [this](get_session) -> caf::result<session_view> {
        if (script_->silent)
          return make_response_promise<session_view>();
        return session_view{shared_text{R"({"id":"aaaaaaaaaaaaaaaaaaaa"})"}};
      },
      [](const extend_session& what) {
        return session_view{shared_text{
          "{\"extended\":" + std::to_string(what.expires_in) + "}"}};
      },
      [this](const checkin_session& what) {
        std::lock_guard lock{script_->guard};
        script_->checkins.push_back(what);
        return checkin_reply{std::string{demo_session}, session_status::ended,
                             std::string(40, 'c'), "topic"};
      },
      [](const terminate_session&) {
        return terminate_reply{std::string{demo_session},
                               {"refs/greenroom/rescue/x/tree"}};
      },
      [](clock_tick) {},
      [](const project_changed&) {},
      [](crash_session) {},
      [this](const start_exec& what) -> caf::result<exec_view> {
        std::lock_guard lock{script_->guard};
        script_->execs.push_back(what);
        if (script_->silent)
          return make_response_promise<exec_view>();
        return exec_view{shared_text{R"({"exec_id":"e1"})"}, what.wait > 0};
      },
      [](const get_exec& what) -> caf::result<exec_view> {
        if (what.exec_id != "e1")
          return make_error(errc::not_found, "exec not found");
        return exec_view{shared_text{R"({"exec_id":"e1"})"}, true};
      },
      [](const list_execs&) {
        return exec_page{shared_text{R"([{"exec_id":"e1"}])"}, "more"};
      },
      [](const cancel_exec&) {
        return exec_view{shared_text{R"({"exec_id":"e1"})"}, true};
      },
      [this](const watch_session& what) { return watch(what); },
      [this](const unwatch_session& what) {
        drop([&](const watcher_actor& w) { return w == what.watcher; });
      },
      [this](const read_events& what) {
        std::lock_guard lock{script_->guard};
        ++script_->reads;
        return batch_after(*script_, what.after, what.filter, what.max_bytes,
                           script_->events.size());
      },
      [](const read_timeline& what) {
        return timeline_page{shared_text{"[" + std::to_string(what.after) + ","
                                         + std::to_string(what.limit) + "]"},
                             7};
      },
      [](const runner_up&) {},
      [](const runner_down&) {},
      [](const exec_started&) {},
      [](const exec_refused&) {},
      [](const exec_grown&) {},
      [](const exec_ended&) {},
      [this](const publish& event) {
        add([&](std::vector<publish>& events) { events.push_back(event); });
      },
      [this](const publish_many& what) {
        add([&](std::vector<publish>& events) {
          for (std::uint32_t i = 0; i < what.count; ++i)
            events.push_back({event_kind::exec_output, "e1",
                              "\"" + std::string(what.size, 'x') + "\""});
        });
      },
      [this](quit_now) { quit(caf::exit_reason::unhandled_exception); }};
  }

private:
  template <class T>
  static caf::result<T> unserved() {
    return make_error(errc::internal, "not in this test");
  }

  watch_reply watch(const watch_session& what) {
    std::lock_guard lock{script_->guard};
    auto last = script_->events.size();
    watch_reply reply{watch_state::behind, {epoch, last}};
    if (script_->over) {
      reply.state = watch_state::over;
    } else if (what.at_end || what.after >= last) {
      reply.state = watch_state::hot;
      monitor(what.watcher);
      watchers_.push_back(what.watcher);
      ++script_->watchers;
    }
    return reply;
  }

  template <class Predicate>
  void drop(Predicate matches) {
    auto gone = std::erase_if(watchers_, matches);
    script_->watchers -= static_cast<int>(gone);
  }

  template <class Change>
  void add(Change change) {
    std::lock_guard lock{script_->guard};
    auto before = script_->events.size();
    change(script_->events);
    if (script_->events.back().kind == event_kind::session_ended)
      script_->over = true;
    auto batch =
      batch_after(*script_, before, {}, SIZE_MAX, script_->events.size());
    for (auto& w : watchers_)
      send(w, batch);
  }

  script_ptr script_;
  std::vector<watcher_actor> watchers_;
};

project_actor::behavior_type project(project_actor::pointer, script_ptr s) {
  return {[s](const create_session& what) -> caf::result<session_record> {
            std::lock_guard lock{s->guard};
            s->creates.push_back(what);
            if (what.branch == "held")
              return make_error(
                errc::checkout_exists,
                "active checkout already exists for this branch");
            session_record made;
            made.id = demo_session;
            made.project_id = "demo";
            made.status = session_status::active;
            made.branch = what.branch + what.new_branch;
            return made;
          },
          [](const list_sessions& what) -> caf::result<session_page> {
            if (what.cursor == "bad")
              return make_error(errc::bad_request,
                                "cursor is not one that this server gave");
            session_page page;
            page.sessions.resize(what.limit == 0 ? 2 : what.limit);
            page.next_cursor = "more";
            return page;
          },
          [](const project_changed&) {}};
}

directory_actor::behavior_type directory(directory_actor::pointer self,
                                         script_ptr s) {
  auto demo = self->spawn(project, s);
  return {
    [demo](const find_project& what) -> caf::result<project_actor> {
      if (what.project_id != "demo")
        return make_error(errc::not_found, "project not found");
      return demo;
    },
    [s](const find_session& what) -> caf::result<session_actor> {
      std::lock_guard lock{s->guard};
      ++s->look_ups;
      auto found = s->sessions.find(what.project_id + "/" + what.session_id);
      if (found == s->sessions.end())
        return make_error(errc::not_found, "session not found");
      return found->second;
    },
    [s](list_projects) {
      std::lock_guard lock{s->guard};
      project_list all;
      for (auto& [id, one] : s->projects)
        all.projects.push_back(one);
      return all;
    },
    [s](const get_project& what) -> caf::result<project_record> {
      std::lock_guard lock{s->guard};
      auto found = s->projects.find(what.project_id);
      if (found == s->projects.end())
        return make_error(errc::not_found, "project not found");
      return found->second;
    },
    [s](const create_project& what) {
      std::lock_guard lock{s->guard};
      return s->projects[what.project.id] = what.project;
    },
    [s](const change_project& what) -> caf::result<project_record> {
      std::lock_guard lock{s->guard};
      auto result = s->projects[what.project_id];
      result.stopped = what.fields == R"({"status":"stopped"})";
      return result;
    },
    [](const delete_project& what) -> caf::result<done> {
      if (what.project_id == "busy")
        return make_error(errc::conflict, "the project has live sessions");
      return done{};
    }};
}

key_registry_actor::behavior_type registry(key_registry_actor::pointer,
                                           script_ptr s) {
  return {[](const create_key& what) {
            key_created made;
            made.key.id = "k1";
            made.key.name = what.name;
            made.key.scopes = what.scopes;
            made.key.secret_hash = "never shown";
            made.secret = "gr_secret";
            return made;
          },
          [](list_keys) {
            key_list all;
            for (auto id : {"k3", "k2", "k1"}) {
              all.keys.emplace_back();
              all.keys.back().id = id;
            }
            return all;
          },
          [s](const revoke_key& what) -> caf::result<done> {
            std::lock_guard lock{s->guard};
            s->revoked.push_back(what.key_id);
            for (auto& edge : s->edges)
              caf::anon_send(edge, key_revoked{what.key_id});
            return done{};
          },
          [s](const join_edge& what) {
            std::lock_guard lock{s->guard};
            s->edges.push_back(what.edge);
          }};
}

std::shared_ptr<spdlog::logger> no_log() {
  return std::make_shared<spdlog::logger>(
    "none", std::make_shared<spdlog::sinks::null_sink_mt>());
}

} // namespace

std::string event_text(std::uint64_t seq, const publish& event) {
  std::string result;
  append_sse(result, {epoch, seq}, event.kind, event.data);
  return result;
}

fixture::fixture(std::function<void(http::options&)> change) {
  config.add_message_types<caf::id_block::greenroom>();
  config.set("scheduler.max-threads", 2u);
  config.set("scheduler.policy", caf::atom("sharing"));
  system = std::make_unique<caf::actor_system>(config);
  script->projects["demo"].id = "demo";
  script->projects["demo"].repo = "/demo.git";
  script->projects["other"].id = "other";
  script->projects["other"].repo = "/other.git";
  session = make_session();
  http::options options;
  options.port = 0;
  options.threads = 1;
  if (change)
    change(options);
  server = std::make_unique<http::server>(
    options, http::server_parts{*system, ring, system->spawn(directory, script),
                                system->spawn(registry, script),
                                [this] {
                                  return ready
                                           ? std::vector<std::string>{}
                                           : std::vector<std::string>{
                                             "sessions are being reconciled"};
                                },
                                no_log()});
  try {
    server->start();
  } catch (...) {
    end();
    throw;
  }
}

fixture::~fixture() {
  end();
}

void fixture::end() {
  server.reset();
  // Stand-ins live for as long as the test: nobody else ends them.
  std::vector<session_actor> sessions;
  {
    std::lock_guard lock{script->guard};
    for (auto& [id, one] : script->sessions)
      sessions.push_back(one);
    script->sessions.clear();
    script->edges.clear();
  }
  caf::anon_send_exit(session, caf::exit_reason::kill);
  for (auto& one : sessions)
    caf::anon_send_exit(one, caf::exit_reason::kill);
}

stand_in_session fixture::make_session() {
  session = system->spawn<session_stand_in>(script);
  std::lock_guard lock{script->guard};
  script->sessions["demo/" + std::string{demo_session}] = session;
  return session;
}

std::string fixture::add_key(std::vector<std::string> scopes,
                             std::vector<std::string> projects,
                             unix_ms expires_at) {
  auto made =
    make_key("test", std::move(scopes), std::move(projects), expires_at);
  keys_.push_back(made.record);
  ring.replace(keys_);
  return made.secret;
}

void fixture::wait_until(const std::function<bool()>& done) {
  using namespace std::chrono;
  auto limit = steady_clock::now() + seconds{10};
  while (!done()) {
    if (steady_clock::now() > limit)
      FAIL("it did not come true in ten seconds");
    std::this_thread::yield();
  }
}

} // namespace greenroom::test

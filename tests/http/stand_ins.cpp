#include "tests/http/stand_ins.hpp"

#include "messages/errors.hpp"
#include "messages/type_ids.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/timeline/event_encoding.hpp"
#include "tests/http/stand_in_parts.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

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

/// To this machine's own loopback, as a session without a sandbox does it.
unique_fd connect_to(std::uint16_t port) {
  unique_fd result{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int small = 16 * 1024; // who does not read shows soon
  ::setsockopt(result.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(result.get(), reinterpret_cast<sockaddr*>(&there), sizeof there)
      != 0)
    result.reset();
  return result;
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

  // Who watches it has a handle to it, too.
  void on_exit() override {
    drop([](const watcher_actor&) { return true; });
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
        if (script_->checked_in)
          return *script_->checked_in;
        return checkin_reply{std::string{demo_session}, session_status::ended,
                             std::string(40, 'c'), "topic"};
      },
      [](const terminate_session&) {
        return terminate_reply{
          std::string{demo_session},
          {{"refs/greenroom/rescue/x/tree", "c1", "files"}},
          {}};
      },
      [](clock_tick) {},
      [](const project_changed&) {},
      [](const rescue_pushed&) { return greenroom::done{}; },
      [](drop_kept) { return greenroom::done{}; },
      [](crash_session) {},
      [this](const start_exec& what) -> caf::result<exec_view> {
        std::lock_guard lock{script_->guard};
        script_->execs.push_back(what);
        if (script_->silent)
          return make_response_promise<exec_view>();
        return exec_view{shared_text{R"({"exec_id":"e1"})"}, what.wait > 0};
      },
      [this](const start_fed_exec& what) -> caf::result<exec_view> {
        std::lock_guard lock{script_->guard};
        if (script_->outdated)
          return caf::make_error(caf::sec::unexpected_message);
        script_->fed.push_back(what);
        return exec_view{shared_text{R"({"exec_id":"e1"})"}, what.wait > 0};
      },
      [this](const get_exec& what) -> caf::result<exec_view> {
        std::lock_guard lock{script_->guard};
        if (what.exec_id != "e1" && script_->running.count(what.exec_id) == 0
            && script_->terminals.count(what.exec_id) == 0)
          return make_error(errc::not_found, "exec not found");
        return view_of(what.exec_id);
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
      [this](const write_input& what) { return typed(what); },
      [this](const resize_exec& what) -> caf::result<greenroom::done> {
        std::lock_guard lock{script_->guard};
        script_->resizes.push_back(what);
        return greenroom::done{};
      },
      [this](const signal_exec& what) -> caf::result<exec_view> {
        std::lock_guard lock{script_->guard};
        script_->signals.push_back(what);
        return view_of(what.exec_id);
      },
      [this](rotate_token) {
        std::lock_guard lock{script_->guard};
        return session_token{"gr_token_" + std::to_string(++script_->tokens)};
      },
      [](const open_transfer&) { return unserved<transfer_grant>(); },
      [](const open_origin&) { return unserved<transfer_grant>(); },
      [](const branch_pushed&) {},
      [this](const ask_git& what) {
        std::lock_guard lock{script_->guard};
        script_->questions.push_back(what);
        return git_answer{shared_text{what.what == git_question::diff
                                        ? "diff --git a/x b/x\n"
                                        : R"({"branch":"topic"})"}};
      },
      [](const runner_up&) {},
      [](const input_written&) {},
      [](const runner_down&) {},
      [](const exec_started&) {},
      [](const exec_refused&) {},
      [](const exec_grown&) {},
      [](const exec_ended&) {},
      [this](const connect_port& what) -> caf::result<port_connection> {
        auto socket = connect_to(what.port);
        if (!socket)
          return make_error(errc::unavailable, "nothing listens on port "
                                                 + std::to_string(what.port));
        return port_connection{passed_fd{socket.release()}};
      },
      [this](const list_ports&) {
        std::lock_guard lock{script_->guard};
        return port_list{script_->ports};
      },
      [](const ports_changed&) {},
      [](const port_connected&) {},
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

  /// Under the script's guard.
  exec_view view_of(const std::string& exec_id) const {
    auto ended = script_->running.count(exec_id) == 0;
    auto json = "{\"exec_id\":\"" + exec_id + '"';
    if (script_->terminals.count(exec_id) != 0)
      json += ended ? R"(,"tty":{},"status":"exited","exit_code":7)"
                    : R"(,"tty":{},"status":"running")";
    return {shared_text{json + '}'}, ended};
  }

  caf::result<greenroom::done> typed(const write_input& what) {
    std::lock_guard lock{script_->guard};
    if (what.exec_id == "closed")
      return make_error(errc::conflict, "the exec's input is closed");
    if (script_->no_input != errc{})
      return make_error(script_->no_input, script_->why_no_input);
    script_->inputs.push_back(what);
    if (script_->deaf)
      return make_response_promise<greenroom::done>();
    return greenroom::done{};
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

directory_actor::behavior_type directory(directory_actor::pointer self,
                                         script_ptr s) {
  auto demo = self->spawn(project_stand_in, s);
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
    [s](const create_project& what) -> caf::result<project_record> {
      std::lock_guard lock{s->guard};
      if (!s->projects.emplace(what.project.id, what.project).second)
        return make_error(errc::project_exists, "project exists already");
      return what.project;
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
            made.key.id = what.key_id.empty() ? "k1" : what.key_id;
            made.key.author = what.author;
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

fixture::fixture(const std::function<void(http::options&)>& change,
                 const std::function<void(http::server_parts&)>& adapt) {
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
  options.data_dir = files.path();
  if (change)
    change(options);
  http::server_parts parts{*system,
                           ring,
                           system->spawn(directory, script),
                           system->spawn(registry, script),
                           system->spawn(store_stand_in, script),
                           [this] {
                             return ready ? std::vector<std::string>{}
                                          : std::vector<std::string>{
                                            "sessions are being reconciled"};
                           },
                           [this] { return warnings; },
                           no_log()};
  if (adapt)
    adapt(parts);
  server = std::make_unique<http::server>(options, std::move(parts));
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

void fixture::forget(const std::string& exec_id) {
  std::lock_guard lock{script->guard};
  script->running.erase(exec_id);
}

std::filesystem::path fixture::exec_dir(const std::string& exec_id) const {
  auto dir = files.path() / "sessions" / demo_session / "exec" / exec_id;
  std::filesystem::create_directories(dir);
  return dir;
}

void fixture::wait_until(const std::function<bool()>& done) {
  using namespace std::chrono;
  auto limit = steady_clock::now() + minutes{1};
  while (!done()) {
    if (steady_clock::now() > limit)
      FAIL("it did not come true in a minute");
    std::this_thread::yield();
  }
}

} // namespace greenroom::test

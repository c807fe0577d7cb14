// Making sessions, finding them, and ending them.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/forms.hpp"
#include "http/client/live_list.hpp"
#include "http/client/plan.hpp"
#include "messages/ids.hpp"
#include "runtime/base/durations.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

struct create_options {
  std::string name;
  std::string branch;
  std::string from;
  std::string expires_in;
  std::string on_expire;
  std::string slug;
  unsigned preview_port = 0;
  std::vector<std::string> labels;
  std::vector<std::string> webhooks; // URLs
  bool use = false;
};

std::pair<std::string, std::string> split_label(const std::string& text) {
  auto at = text.find('=');
  if (at == 0 || at == std::string::npos)
    throw usage_error("a label is NAME=VALUE, not \"" + text + '"');
  return {text.substr(0, at), text.substr(at + 1)};
}

json create_body(const create_options& from) {
  json body = json::object();
  if (!from.branch.empty() && !from.name.empty())
    throw usage_error("give the name of a new branch or --branch, not both");
  if (!from.branch.empty())
    body["branch"] = from.branch;
  else
    body["new_branch"] =
      from.name.empty() ? "work-" + make_id().substr(0, 6) : from.name;
  auto set = [&](const char* field, const std::string& value) {
    if (!value.empty())
      body[field] = value;
  };
  set("from_ref", from.from);
  set("expires_in", from.expires_in);
  set("on_expire", from.on_expire);
  set("feature_slug", from.slug);
  if (from.preview_port != 0)
    body["preview_port"] = from.preview_port;
  for (auto& label : from.labels) {
    auto [name, value] = split_label(label);
    body["labels"][name] = value;
  }
  for (auto& url : from.webhooks)
    body["webhooks"].push_back({{"url", url}});
  return body;
}

void use(const invocation& now, const session_ref& session) {
  save_directory_choice(
    std::filesystem::current_path(),
    {now.api.server().at.url(), session.project, session.id});
  say("this directory stands for session " + session.id + " now (.greenroom)");
}

/// JSON has them; elsewhere they would be lost.
void tell_secrets(const invocation& now, const json& made) {
  if (now.options.how_to_print().format == output_format::as_json)
    return;
  for (auto& one : made.value("webhooks", json::array()))
    say("webhook " + one.value("id", "") + ": deliveries to "
        + one.value("url", "")
        + " are signed with this secret, shown this once:\n"
        + one.value("secret", ""));
}

asio::awaitable<int> create(invocation& now, const create_options& options) {
  auto body = create_body(options);
  auto project = co_await choose_project(now.api, now.options.project);
  auto target = "/projects/" + escaped(project) + "/sessions";
  auto made = co_await now.api.post(std::move(target), std::move(body));
  now.show(made, session_columns());
  tell_secrets(now, made);
  session_ref session{project, made.value("id", "")};
  if (options.use)
    use(now, session);
  else if (now.options.how_to_print().format == output_format::as_table)
    say("\nnext: greenroom exec " + session.id.substr(0, 6)
        + " -- ls, or greenroom shell " + session.id.substr(0, 6));
  co_return exit_code::done;
}

void add_create(command_set& set) {
  auto options = std::make_shared<create_options>();
  auto* made =
    set.add(set.root, "create", "Create a session",
            [options](invocation& now) { return create(now, *options); });
  made->add_option("name,--new-branch", options->name,
                   "The new branch; a name is made up where none is given");
  made->add_option("--branch", options->branch,
                   "A branch that is there already, instead of a new one");
  made->add_option("--from", options->from,
                   "Where the new branch begins: a branch, tag, commit or "
                   "rescue ref; else the project's default branch");
  made
    ->add_option("--expires-in", options->expires_in,
                 "When it ends by itself, e.g. 90m, 24h, 7d; else as the "
                 "server is set, 24h if it is not")
    ->check(form::duration);
  made
    ->add_option("--on-expire", options->on_expire,
                 "What becomes of the work then; else rescue")
    ->check(CLI::IsMember({"rescue", "checkin"}));
  made->add_option("--slug", options->slug, "A name for the feature");
  made
    ->add_option("--preview-port", options->preview_port,
                 "The port of the app that runs in it; else 8080")
    ->check(CLI::Range(1, 65535));
  made->add_option("-l,--label", options->labels, "NAME=VALUE; may be repeated")
    ->allow_extra_args(false);
  made
    ->add_option("--webhook", options->webhooks,
                 "Send its events to this URL, http(s)://HOST[:PORT][/PATH]; "
                 "may be repeated")
    ->allow_extra_args(false)
    ->check(form::http_url);
  made->add_flag("--use", options->use,
                 "Let this directory stand for it: commands need no session");
  made->footer("Example:\n  greenroom create fix-login --from main --use");
}

struct list_options {
  bool all = false;
  std::string status;
  std::vector<std::string> labels;
  bool watch = false;
};

/// The live ones, and a last time each that was there at the last look and is
/// over now. `before` is what that look found.
asio::awaitable<json>
live_and_gone(api_client& api, std::string target,
              std::map<std::string, session_ref>& before) {
  auto rows = co_await get_live_sessions(api, std::move(target));
  std::map<std::string, session_ref> found;
  for (auto& one : rows)
    found[one.value("id", "")] = {one.value("project_id", ""),
                                  one.value("id", "")};
  for (auto& [id, session] : before) {
    if (found.contains(id))
      continue;
    try {
      auto one = co_await api.get(session.path());
      if (is_live(one))
        found[id] = session;
      rows.push_back(std::move(one));
    } catch (const api_error& e) {
      if (e.status() != 404)
        throw;
    }
  }
  before = std::move(found);
  co_return rows;
}

asio::awaitable<int> list(invocation& now, const list_options& options) {
  std::string target = "/sessions";
  if (auto project = project_of_user(now.options.project); !project.empty())
    target = "/projects/" + escaped(project) + target;
  auto separator = '?';
  auto narrow = [&](const char* name, const std::string& value) {
    target += separator + std::string{name} + '=' + escaped(value);
    separator = '&';
  };
  if (!options.status.empty())
    narrow("status", options.status);
  for (auto& label : options.labels) {
    split_label(label); // or it is refused
    narrow("label", label);
  }
  live_list what;
  what.columns = session_columns();
  const auto only_live = !options.all && options.status.empty();
  std::map<std::string, session_ref> before;
  if (only_live) {
    what.wanted = is_live;
    what.ask = [&]() { return live_and_gone(now.api, target, before); };
  } else {
    what.ask = [&]() { return get_all(now.api, target, "sessions"); };
  }
  auto code = co_await show_list(now, std::move(what), options.watch);
  co_return code;
}

void add_list(command_set& set) {
  auto options = std::make_shared<list_options>();
  auto* made =
    set.add(set.root, "list", "List the live sessions",
            [options](invocation& now) { return list(now, *options); });
  made->alias("ls");
  made->add_flag("-a,--all", options->all, "Also those that are over");
  made->add_flag("-w,--watch", options->watch, "Go on, and show what changes");
  made->add_option("--status", options->status, "Only those of this status")
    ->check(CLI::IsMember({"creating", "active", "checking_in", "ended",
                           "expired", "terminated", "failed"}));
  made->add_option("-l,--label", options->labels, "Only those with NAME=VALUE")
    ->allow_extra_args(false);
}

asio::awaitable<int> show_session(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto one = co_await now.api.get(session.path());
  if (now.options.how_to_print().format != output_format::as_table) {
    now.show(one, {});
    co_return exit_code::done;
  }
  std::vector<std::vector<std::string>> rows;
  for (auto& [name, value] : one.items())
    if (!value.is_null() && value != "" && value != json::object())
      rows.push_back(
        {name, value.is_string() ? value.get<std::string>() : value.dump()});
  print(table(rows));
  co_return exit_code::done;
}

asio::awaitable<int> extend(invocation& now, std::string word, std::string by) {
  let_session_out(word, by, "greenroom extend [SESSION] DURATION, e.g. 8h");
  form::require("the duration", form::duration(by));
  auto session = co_await now.session(word);
  auto target = session.path() + "/extend";
  json body{{"expires_in", by}};
  auto one = co_await now.api.post(std::move(target), std::move(body));
  now.show(one, session_columns());
  co_return exit_code::done;
}

/// One that is over expires no more.
std::string expiry_text(const json& session) {
  return is_live(session) ? age_column({}, "expires_at").text(session) : "-";
}

struct end_options {
  std::string session;
  bool force = false;
  bool dry_run = false;
};

/// What an ending without a check-in would do with the work as it is now.
asio::awaitable<json> plan_of_end(invocation& now, session_ref session) {
  plan all;
  co_await plan_running(now.api, session, all);
  auto target = session.path() + "/git";
  auto state = co_await now.api.get(std::move(target));
  const auto place = "under " + rescue_place(session);
  if (auto dirty = number_field(state, "dirty_files"); dirty > 0)
    all.add("keep", counted(dirty, "changed file") + ' ' + place);
  const auto one = co_await now.api.get(session.path());
  const auto branch = text_field(one, "branch", "the session's branch");
  if (text_field(state, "branch", "") != branch) // nobody has counted its own
    all.add("keep", "what branch " + branch + " has and the upstream has not, "
                      + place);
  else if (auto ahead = number_field(state, "ahead"); ahead > 0)
    all.add("keep", counted(ahead, "commit") + " of " + branch + ' ' + place);
  plan_kept(state, session, all);
  all.add("end", "session " + session.id);
  co_return std::move(all.steps);
}

asio::awaitable<int> end(invocation& now, const end_options& options) {
  auto session = co_await now.session(options.session);
  if (options.dry_run) {
    auto steps = co_await plan_of_end(now, session);
    show_plan(now, steps);
    co_return exit_code::done;
  }
  now.confirm("Session " + session.id
              + " ends without a check-in; its work is kept under rescue refs. "
                "End it?");
  json result;
  if (options.force) {
    std::string method = "DELETE";
    json none;
    result =
      co_await now.api.call(std::move(method), session.path(), std::move(none));
  } else {
    auto target = session.path() + "/discard";
    json body = json::object();
    result = co_await now.api.post(std::move(target), std::move(body));
  }
  now.show(result,
           {field_column("SESSION", "id"), field_column("STATUS", "status"),
            field_column("MESSAGE", "message")});
  for (auto& one : result.value("rescue_refs", json::array()))
    say("kept: " + one.value("ref", "") + " (" + one.value("holds", "") + ')');
  forget_choice_here(now.api, session);
  co_return exit_code::done;
}

struct wait_options {
  std::string session;
  std::string until = "ended";
  std::string timeout = "30s";
};

/// What is to be said of a setup that has ended otherwise than it should; empty
/// where it went well, or there is none.
std::string setup_fault(const session_ref& session, const json& waited) {
  const auto exec = waited.value("exec", json::object());
  const auto status = text_field(exec, "status", "");
  if (text_field(waited, "until", "") != "setup:done" || exec.empty()
      || (status == "exited" && number_field(exec, "exit_code") == 0))
    return {};
  auto how = status == "exited"
               ? "exit code " + std::to_string(number_field(exec, "exit_code"))
               : text_field(exec, "reason", status);
  return "the setup failed (" + how + "): `greenroom logs " + session.id + ' '
         + text_field(exec, "exec_id", "setup") + "` shows what it printed";
}

// In pieces, so that no request waits for longer than a proxy lets it.
asio::awaitable<int> wait(invocation& now, const wait_options& options) {
  using std::chrono::milliseconds;
  using timer = std::chrono::steady_clock;
  constexpr milliseconds longest{50'000};
  const milliseconds timeout{parse_duration(options.timeout).value_or(0)};
  const auto end = timer::now() + timeout;
  auto session = co_await now.session(options.session);
  json result;
  auto met = false;
  auto over = false;
  do {
    auto left = std::chrono::duration_cast<milliseconds>(end - timer::now());
    left = std::clamp(left, milliseconds{0}, longest);
    auto target = session.path() + "/wait?until=" + escaped(options.until)
                  + "&timeout=" + std::to_string(left.count()) + "ms";
    result = co_await now.api.get(std::move(target));
    met = result.value("reached", false);
    if (!met) {
      auto one = co_await now.api.get(session.path());
      over = !is_live(one);
    }
  } while (!met && !over && timer::now() < end);
  const auto format = now.options.how_to_print().format;
  const auto fault = met ? setup_fault(session, result) : "";
  if (format == output_format::as_json)
    now.show(result, {});
  if (!fault.empty())
    say(fault);
  else if (format != output_format::as_json
           && (!met || format == output_format::as_table))
    say(options.until
        + (met    ? ""
           : over ? ": session " + session.id + " is over, it does not come"
                  : ": it has not come within " + options.timeout));
  co_return !fault.empty() ? exit_code::failed
  : met                    ? exit_code::done
  : over                   ? exit_code::failed
                           : exit_code::timed_out;
}

asio::awaitable<int> rescue(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto one = co_await now.api.get(session.path());
  auto refs = one.value("rescue_refs", json::array());
  now.show(refs,
           {field_column("REF", "ref"), field_column("COMMIT", "commit"),
            field_column("HOLDS", "holds")},
           "ref");
  if (refs.empty())
    say(is_live(one) ? "session " + session.id
                         + " is not over: nothing of it is kept there yet"
                     : "session " + session.id + " has left nothing there");
  else
    say("\nwork on it again: greenroom rescue restore REF NAME");
  co_return exit_code::done;
}

struct restore_options {
  std::string ref;
  std::string name;
  bool dry_run = false;
};

asio::awaitable<int> restore(invocation& now, const restore_options& options) {
  create_options wanted;
  wanted.name = options.name;
  wanted.from = options.ref;
  if (!options.dry_run) {
    auto code = co_await create(now, wanted);
    co_return code;
  }
  auto project = co_await choose_project(now.api, now.options.project);
  plan all;
  all.add("create", "a session of " + project + " on the new branch "
                      + (options.name.empty() ? "work-…" : options.name)
                      + " from " + options.ref);
  show_plan(now, all.steps);
  co_return exit_code::done;
}

CLI::Option* add_session_word(CLI::App& to, std::string& word) {
  return to.add_option("session", word,
                       "Id, a prefix of it, or branch; else the one that this "
                       "directory stands for");
}

void add_rescue(command_set& set) {
  auto* all = set.add(set.root, "rescue",
                      "The refs that keep what sessions left behind", {});
  all->require_subcommand(1);
  auto word = std::make_shared<std::string>();
  auto* made = set.add(*all, "list", "Those of a session",
                       [word](invocation& now) { return rescue(now, *word); });
  add_session_word(*made, *word);
  auto options = std::make_shared<restore_options>();
  made = set.add(*all, "restore", "A session on a new branch that begins there",
                 [options](auto& now) { return restore(now, *options); });
  made->add_option("ref", options->ref, "As the list names it")->required();
  made->add_option("name", options->name,
                   "The new branch; else one is made up");
  made->add_flag("--dry-run", options->dry_run, "Only say what it would do");
}

} // namespace

std::vector<column> session_columns() {
  return {field_column("ID", "id"),
          field_column("PROJECT", "project_id"),
          field_column("BRANCH", "branch"),
          field_column("STATUS", "status"),
          field_column("EXECS", "running_execs"),
          past_column("AGE", "created_at"),
          {"EXPIRES", expiry_text},
          key_column("BY", "created_by")};
}

void add_session_commands(command_set& set) {
  add_create(set);
  add_list(set);
  auto word = std::make_shared<std::string>();
  auto* made =
    set.add(set.root, "show", "All about a session",
            [word](invocation& now) { return show_session(now, *word); });
  add_session_word(*made, *word);

  word = std::make_shared<std::string>();
  made = set.add(
    set.root, "use", "Let this directory stand for a session",
    [word](invocation& now) -> asio::awaitable<int> {
      auto session = co_await now.session(*word);
      use(now, session);
      if (now.options.how_to_print().format != output_format::as_table)
        now.show({{"project_id", session.project}, {"session_id", session.id}},
                 {}, "session_id");
      co_return exit_code::done;
    });
  add_session_word(*made, *word)->required();

  word = std::make_shared<std::string>();
  auto by = std::make_shared<std::string>();
  made = set.add(set.root, "extend", "Let a session end later",
                 [=](auto& now) { return extend(now, *word, *by); });
  add_session_word(*made, *word);
  made->add_option("duration", *by, "From now, e.g. 8h or 7d");

  auto ends = std::make_shared<end_options>();
  made = set.add(set.root, "end", "End a session without a check-in",
                 [ends](auto& now) { return end(now, *ends); });
  add_session_word(*made, ends->session);
  made->add_flag("--force", ends->force,
                 "As an administrator, whoever made it");
  made->add_flag("--dry-run", ends->dry_run, "Only say what it would do");

  auto waits = std::make_shared<wait_options>();
  made = set.add(set.root, "wait", "Wait until something has happened",
                 [waits](auto& now) { return wait(now, *waits); });
  add_session_word(*made, waits->session);
  made->add_option("--for", waits->until,
                   "exec:ID:exited, setup:done, port:N, preview:ready, "
                   "review:finished or ended; else ended");
  made->add_option("--timeout", waits->timeout, "How long, e.g. 90s; else 30s")
    ->check(form::duration);
  made->footer(
    "Exit code 124: it did not happen in time; 1: it cannot any more, or the "
    "setup failed.\n"
    "Example:\n  greenroom wait fix-login --for port:3000 "
    "--timeout 2m");

  add_rescue(set);
}

} // namespace greenroom::http::client

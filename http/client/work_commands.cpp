// The work in a session: git, what has changed, and checking it in.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/event_types.hpp"
#include "http/client/plan.hpp"
#include <CLI/CLI.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

asio::awaitable<int> status(invocation& now, const std::string& word) {
  auto session = co_await now.session(word);
  auto target = session.path() + "/git";
  auto one = co_await now.api.get(std::move(target));
  now.show(one,
           {field_column("BRANCH", "branch"), field_column("HEAD", "head"),
            field_column("UPSTREAM", "upstream"),
            field_column("AHEAD", "ahead"), field_column("BEHIND", "behind"),
            field_column("DIRTY", "dirty_files")},
           "branch");
  co_return exit_code::done;
}

asio::awaitable<int> diff(invocation& now, const std::string& word) {
  now.refuse_json("it prints a diff; `greenroom status --json` has numbers");
  auto session = co_await now.session(word);
  auto target = session.path() + "/diff";
  auto text = co_await now.api.text(std::move(target));
  print(text);
  co_return exit_code::done;
}

struct log_options {
  std::string session;
  std::string types;
  std::size_t limit = 0; // 0: none
};

// All but what commands print, of which there may be gigabytes.
std::string types_but_output() {
  std::string result;
  for (auto type : event_types)
    if (type != "exec.output")
      result += (result.empty() ? "" : ",") + std::string{type};
  return result;
}

asio::awaitable<int> log(invocation& now, const log_options& options) {
  auto session = co_await now.session(options.session);
  auto target =
    session.path() + "/timeline?types="
    + escaped(options.types.empty() ? types_but_output() : options.types);
  auto events = co_await get_all(now.api, std::move(target), "events");
  if (options.limit != 0 && events.size() > options.limit)
    events.erase(events.begin(),
                 events.end() - static_cast<std::ptrdiff_t>(options.limit));
  auto in_data = [](column of_data) {
    of_data.text = [text = std::move(of_data.text)](const json& event) {
      return text(event.value("data", json::object()));
    };
    return of_data;
  };
  now.show(events,
           {field_column("ID", "id"), in_data(field_column("TIME", "time")),
            field_column("EVENT", "type"),
            in_data(field_column("STATUS", "status")),
            in_data(field_column("EXEC", "exec_id")),
            in_data(key_column("BY", "by"))});
  co_return exit_code::done;
}

struct checkin_options {
  std::string session;
  std::string message;
  bool skip_review = false;
  bool auto_merge = false;
  bool dry_run = false;
};

/// What a check-in would do with the work as it is now.
asio::awaitable<json> plan_of(invocation& now, session_ref session,
                              const checkin_options& options) {
  plan all;
  co_await plan_running(now.api, session, all); // before anything is looked at
  auto git_at = session.path() + "/git";
  auto state = co_await now.api.get(std::move(git_at));
  if (auto why = text_field(state, "operation", ""); !why.empty()) {
    all.add("refuse", why);
    co_return std::move(all.steps);
  }
  auto one = co_await now.api.get(session.path());
  const auto branch = text_field(one, "branch", "the session's branch");
  const auto dirty = number_field(state, "dirty_files");
  if (dirty > 0 && text_field(state, "branch", "") == branch)
    all.add("commit", counted(dirty, "changed file"));
  else if (dirty > 0) // of another branch, or of none
    all.add("keep",
            counted(dirty, "changed file") + " under " + rescue_place(session));
  plan_kept(state, session, all);
  all.add("push", branch);
  auto merge_at = session.path() + "/mergeability";
  auto merge = co_await now.api.get(std::move(merge_at));
  auto forecast =
    text_field(merge, "target", "?") + ": " + text_field(merge, "status", "?");
  for (auto& file : merge.value("files", json::array()))
    forecast += ' ' + file.get<std::string>();
  if (dirty > 0) // mergeability is of commits
    forecast += " (without what is not committed yet)";
  if (!options.skip_review)
    all.add("review", "against " + forecast);
  if (options.auto_merge)
    all.add("merge", "into " + forecast);
  all.add("end", "session " + session.id);
  co_return std::move(all.steps);
}

// What could not be merged is checked in all the same. A review that is to come
// first is no failure.
int say_how_merge_went(const json& checkin) {
  const auto merge = checkin.value("merge", json::object());
  const auto status = text_field(merge, "status", "");
  if (status != "conflict" && status != "stale" && status != "rejected"
      && status != "failed")
    return exit_code::done;
  const auto reason = text_field(merge, "reason", status);
  say("not merged: " + reason + "; the work is in branch "
      + text_field(checkin, "branch", "BRANCH")
      + ", and `greenroom create --branch "
      + text_field(checkin, "branch", "BRANCH")
      + "` makes a session to go on in");
  return exit_code::conflict;
}

asio::awaitable<int> checkin(invocation& now, const checkin_options& options) {
  auto session = co_await now.session(options.session);
  if (options.dry_run) {
    auto steps = co_await plan_of(now, session, options);
    show_plan(now, steps);
    co_return steps.back()["action"] == "refuse" ? exit_code::conflict
                                                 : exit_code::done;
  }
  auto target = session.path() + "/checkin";
  json body{{"skip_review", options.skip_review},
            {"auto_merge", options.auto_merge}};
  if (!options.message.empty())
    body["commit_message"] = options.message;
  auto result = co_await now.api.post(std::move(target), std::move(body));
  column merge{"MERGE", [](const json& one) {
                 return one.contains("merge")
                          ? one["merge"].value("status", "-")
                          : std::string{"-"};
               }};
  now.show(result,
           {field_column("BRANCH", "branch"), field_column("COMMIT", "commit"),
            field_column("REVIEW", "review_task_id"), merge},
           "commit");
  if (now.options.how_to_print().format == output_format::as_table)
    say(result.value("message", ""));
  for (auto& one : result.value("rescue_refs", json::array()))
    say("kept beside the branch: " + one.value("ref", "") + " ("
        + one.value("holds", "") + ')');
  forget_choice_here(now.api, session);
  co_return options.auto_merge ? say_how_merge_went(result) : exit_code::done;
}

} // namespace

void add_work_commands(command_set& set) {
  constexpr auto* what_session = "Id, a prefix of it, or branch; else the one "
                                 "that this directory stands for";
  auto word = std::make_shared<std::string>();
  auto* made = set.add(set.root, "status", "Where a session's checkout stands",
                       [word](auto& now) { return status(now, *word); });
  made->add_option("session", *word, what_session);

  word = std::make_shared<std::string>();
  made = set.add(set.root, "diff", "What a session has changed",
                 [word](auto& now) { return diff(now, *word); });
  made->add_option("session", *word, what_session);

  auto logged = std::make_shared<log_options>();
  made = set.add(set.root, "log", "What has happened in a session",
                 [logged](auto& now) { return log(now, *logged); });
  made->add_option("session", logged->session, what_session);
  made->add_option("--types", logged->types,
                   "Only these, as exec.exited,git.pushed; else all but "
                   "exec.output");
  made->add_option("-n,--limit", logged->limit, "Only the last so many")
    ->check(CLI::PositiveNumber);

  auto options = std::make_shared<checkin_options>();
  made = set.add(set.root, "checkin", "Commit, push and end a session",
                 [options](auto& now) { return checkin(now, *options); });
  made->add_option("session", options->session, what_session);
  made->add_option("-m,--message", options->message,
                   "Of the commit of what is not committed yet");
  made->add_flag("--skip-review", options->skip_review, "No review task");
  made->add_flag("--merge", options->auto_merge,
                 "Merge it when the review approves, or at once without one");
  made->add_flag("--dry-run", options->dry_run,
                 "Only say what it would do; exit code 5 where it would be "
                 "refused");
}

} // namespace greenroom::http::client

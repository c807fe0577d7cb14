// The nodes of a cluster, and giving away what one has.
#include "http/client/node_commands.hpp"

#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/forms.hpp"
#include "http/client/live_list.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

std::vector<column> node_columns() {
  return {field_column("NAME", "name"),
          field_column("STATE", "state"),
          field_column("REACHABLE", "reachable"),
          field_column("SESSIONS", "sessions"),
          field_column("LOAD", "load"),
          field_column("VERSION", "version")};
}

asio::awaitable<json> ask_nodes(api_client& api) {
  std::string target = "/nodes";
  auto answer = co_await api.get(std::move(target));
  co_return answer["nodes"];
}

asio::awaitable<int> list(invocation& now, bool watch) {
  live_list what;
  what.columns = node_columns();
  what.name_field = "name";
  what.ask = [&now]() { return ask_nodes(now.api); };
  auto code = co_await show_list(now, std::move(what), watch);
  co_return code;
}

std::vector<column> plan_columns() {
  return {field_column("PROJECT", "project"), field_column("TO", "to"),
          field_column("SESSION", "session"), field_column("EXECS", "execs"),
          field_column("WAITS FOR", "waits_for")};
}

// A row a session; a project without any has one of its own.
json rows_of(const json& plan) {
  auto rows = json::array();
  for (const auto& project : plan["projects"]) {
    json row{{"project", project["id"]}, {"to", project["to"]}};
    if (project["sessions"].empty())
      rows.push_back(row);
    for (const auto& session : project["sessions"]) {
      row["session"] = session["id"];
      row["execs"] = session["running_execs"];
      row["waits_for"] = session["waits_for"];
      rows.push_back(row);
    }
  }
  return rows;
}

void show_plan(const invocation& now, const json& plan) {
  if (now.options.how_to_print().format == output_format::as_json)
    return now.show(plan, {});
  now.show(rows_of(plan), plan_columns(), "project");
}

struct drain_options {
  std::string node;
  std::string deadline;
  bool dry_run = false;
};

std::string path_of(const std::string& node) {
  return "/nodes/" + escaped(node) + "/drain";
}

std::string question_for(const drain_options& options) {
  auto ends =
    options.deadline.empty()
      ? std::string{" as their sessions come to rest"}
      : ", and commands that still run in " + options.deadline + " are ended";
  return "Node " + options.node
         + " takes no new projects, and gives its own to other nodes" + ends
         + ". Drain it?";
}

asio::awaitable<int> drain(invocation& now, const drain_options& options) {
  if (!options.dry_run)
    now.confirm(question_for(options));
  json body{{"dry_run", options.dry_run}};
  if (!options.deadline.empty())
    body["deadline"] = options.deadline;
  auto target = path_of(options.node);
  auto plan = co_await now.api.post(std::move(target), std::move(body));
  show_plan(now, plan);
  if (!options.dry_run)
    say("node " + options.node
        + " gives away what it has; `greenroom nodes` "
          "tells when that is done");
  co_return exit_code::done;
}

asio::awaitable<int> resume(invocation& now, const std::string& node) {
  std::string method = "DELETE";
  auto target = path_of(node);
  json none;
  co_await now.api.call(std::move(method), std::move(target), std::move(none));
  say("node " + node + " keeps what it has, and takes new projects");
  co_return exit_code::done;
}

} // namespace

void add_node_commands(command_set& set) {
  auto watch = std::make_shared<bool>();
  auto* nodes = set.add(set.root, "nodes",
                        "The nodes (administrators): list, drain, resume",
                        [watch](invocation& now) { return list(now, *watch); });
  nodes->add_flag("-w,--watch", *watch, "Go on, and show what changes");
  set.add(*nodes, "list", "All that the cluster knows",
          [watch](invocation& now) { return list(now, *watch); });
  auto options = std::make_shared<drain_options>();
  auto* made =
    set.add(*nodes, "drain", "Have a node give away what it has",
            [options](invocation& now) { return drain(now, *options); });
  made->add_option("node", options->node, "The node's name")->required();
  made->add_flag("--dry-run", options->dry_run,
                 "Only say what would go where, and what waits for what");
  made
    ->add_option("--deadline", options->deadline,
                 "When what still runs is ended, e.g. 10m; else it is waited "
                 "for")
    ->check(form::duration);
  made->footer("Example:\n  greenroom nodes drain a --deadline 10m --yes");
  auto name = std::make_shared<std::string>();
  set
    .add(*nodes, "resume", "Have a node keep what it has",
         [name](invocation& now) { return resume(now, *name); })
    ->add_option("node", *name, "The node's name")
    ->required();
}

} // namespace greenroom::http::client

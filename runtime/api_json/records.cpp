#include "runtime/api_json/records.hpp"

#include "messages/ids.hpp"
#include "runtime/base/json_text.hpp"
#include "runtime/base/timestamps.hpp"
#include "runtime/base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <cstring>
#include <string>

namespace greenroom {

using nlohmann::ordered_json;

namespace {

void put_text(ordered_json& out, const char* name, const std::string& text) {
  if (!text.empty())
    out[name] = text;
}

void put_time(ordered_json& out, const char* name, unix_ms time) {
  if (time != 0)
    out[name] = format_rfc3339(time);
}

// As in `POST …/signal`: "INT". Real-time signals count from RTMIN.
std::string signal_name(int number) {
  if (const auto* name = ::sigabbrev_np(number); name != nullptr)
    return name;
  if (number >= SIGRTMIN && number <= SIGRTMAX)
    return "RTMIN+" + std::to_string(number - SIGRTMIN);
  return std::to_string(number);
}

int signal_number(const std::string& name) {
  for (int number = 1; number <= SIGRTMAX; ++number)
    if (signal_name(number) == name)
      return number;
  return 0;
}

} // namespace

ordered_json rescue_refs_json(const std::vector<rescue_ref>& refs) {
  auto list = ordered_json::array();
  for (const auto& one : refs)
    list.push_back(
      {{"ref", one.ref}, {"commit", one.commit}, {"holds", one.holds}});
  return list;
}

ordered_json session_json(const session_record& session,
                          std::size_t running_execs,
                          std::string_view preview_url) {
  ordered_json out;
  out["id"] = session.id;
  out["project_id"] = session.project_id;
  out["checkout_id"] = checkout_id(session.id);
  out["pod_name"] = session.node;
  out["preview_url"] = preview_url;
  out["status"] = to_string(session.status);
  put_text(out, "status_reason", session.status_reason);
  out["created_by"] = session.created_by;
  out["created_at"] = format_rfc3339(session.created_at);
  out["expires_at"] = format_rfc3339(session.expires_at);
  put_time(out, "ended_at", session.ended_at);
  out["branch"] = session.branch;
  put_text(out, "commit", session.commit);
  put_text(out, "review_id", session.review_id);
  if (!session.rescue_refs.empty())
    out["rescue_refs"] = rescue_refs_json(session.rescue_refs);
  put_text(out, "rescue_note", session.rescue_note);
  put_text(out, "feature_slug", session.feature_slug);
  out["on_expire"] = to_string(session.expiry);
  out["labels"] = ordered_json::object();
  for (const auto& [name, value] : session.labels)
    out["labels"][name] = value;
  out["running_execs"] = running_execs;
  out["preview_port"] = session.preview_port;
  return out;
}

ordered_json port_json(const listening_port& port) {
  ordered_json out{{"port", port.port},
                   {"address", port.address},
                   {"process", port.process},
                   {"exec_id", nullptr}};
  if (!port.exec_id.empty())
    out["exec_id"] = port.exec_id;
  return out;
}

namespace {

// What is longer was said by whoever asked, and is not said again with each
// event and list.
constexpr std::size_t max_shown = 64 * 1024;

std::string shown(std::string_view text, std::size_t& room) {
  auto head = text.substr(0, room);
  if (head.size() < text.size())
    head.remove_suffix(incomplete_tail(head));
  room -= head.size();
  return std::string{head};
}

// What is run, and how long it is where that is not all of it.
void put_command(ordered_json& out, const exec_spec& spec) {
  auto room = max_shown;
  auto size = spec.command.size();
  for (const auto& argument : spec.argv)
    size += argument.size();
  if (spec.argv.empty()) {
    out["command"] = shown(spec.command, room);
  } else {
    auto& list = out["argv"] = ordered_json::array();
    for (const auto& argument : spec.argv) {
      if (room == 0)
        break;
      list.push_back(shown(argument, room));
    }
  }
  if (size > max_shown)
    out["command_bytes"] = size;
}

} // namespace

ordered_json exec_json(std::string_view project_id, std::string_view session_id,
                       const exec_record& exec, const live_output& live) {
  const auto& spec = exec.spec;
  const bool over = is_over(exec.status);
  ordered_json out;
  out["exec_id"] = spec.exec_id;
  out["session_id"] = session_id;
  put_command(out, spec);
  out["status"] = to_string(exec.status);
  if (exec.status == exec_status::exited)
    out["exit_code"] = exec.outcome.exit_code;
  if (over && exec.outcome.signal != 0)
    out["signal"] = signal_name(exec.outcome.signal);
  out["created_at"] = format_rfc3339(exec.created_at);
  put_text(out, "created_by", exec.by.key_id);
  put_text(out, "created_by_name", exec.by.key_name);
  put_text(out, "request_id", exec.by.request_id);
  put_time(out, "started_at", exec.started_at);
  if (over) {
    put_time(out, "ended_at", exec.outcome.ended_at);
    put_text(out, "reason", exec.outcome.reason);
  } else if (live.queue_position != 0) {
    out["queue_position"] = live.queue_position;
  }
  out["stdout_bytes"] = over ? exec.outcome.stdout_bytes : live.stdout_bytes;
  out["stderr_bytes"] = over ? exec.outcome.stderr_bytes : live.stderr_bytes;
  out["truncated"] = over ? exec.outcome.truncated : live.truncated;
  if (spec.stdin_open)
    out["stdin"] = "open";
  if (spec.rows > 0)
    out["tty"] = {{"rows", spec.rows}, {"cols", spec.cols}};
  const auto session = "/projects/" + std::string{project_id} + "/sessions/"
                       + std::string{session_id};
  out["stream_url"] =
    session + "/events?exec_id=" + spec.exec_id + "&from=earliest";
  out["output_url"] = session + "/execs/" + spec.exec_id + "/output";
  return out;
}

ordered_json key_json(const key_record& key) {
  ordered_json out;
  out["id"] = key.id;
  out["name"] = key.name;
  put_text(out, "author", key.author);
  out["scopes"] = key.scopes;
  if (!key.projects.empty())
    out["projects"] = key.projects;
  put_time(out, "created_at", key.created_at);
  put_time(out, "expires_at", key.expires_at);
  return out;
}

std::string event_json(unix_ms time, std::string_view session_id,
                       const ordered_json& fields) {
  ordered_json out;
  out["time"] = format_rfc3339(time);
  out["session_id"] = session_id;
  for (const auto& [name, value] : fields.items())
    out[name] = value;
  return to_text(out);
}

std::string to_text(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void add_output(ordered_json& exec, std::string_view stream,
                std::string_view bytes) {
  std::string name{stream};
  if (is_utf8(bytes)) {
    exec[name] = bytes;
    return;
  }
  std::string text;
  append_base64(text, bytes);
  exec[name] = text;
  exec[name + "_encoding"] = "base64";
}

namespace {

void read_command(const nlohmann::json& json, exec_spec& spec) {
  if (!spec.command.empty() || !spec.argv.empty())
    return;
  spec.first_input = unknown_input;
  spec.command = json.value("command", "");
  if (auto argv = json.find("argv"); argv != json.end())
    spec.argv = argv->get<std::vector<std::string>>();
  spec.stdin_open = json.value("stdin", "") == "open";
  if (auto tty = json.find("tty"); tty != json.end()) {
    spec.rows = tty->value("rows", spec.rows);
    spec.cols = tty->value("cols", spec.cols);
  }
}

} // namespace

void read_exec_json(std::string_view text, exec_record& exec) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object())
    return;
  try {
    auto status = exec.status;
    if (parse(json.value("status", ""), status))
      exec.status = status;
    auto& outcome = exec.outcome;
    if (auto time = parse_rfc3339(json.value("created_at", "")))
      exec.created_at = *time;
    if (auto time = parse_rfc3339(json.value("started_at", "")))
      exec.started_at = *time;
    if (auto time = parse_rfc3339(json.value("ended_at", "")))
      outcome.ended_at = *time;
    exec.by.key_id = json.value("created_by", exec.by.key_id);
    exec.by.key_name = json.value("created_by_name", exec.by.key_name);
    exec.by.request_id = json.value("request_id", exec.by.request_id);
    outcome.status = exec.status;
    outcome.exit_code = json.value("exit_code", outcome.exit_code);
    if (auto signal = json.find("signal"); signal != json.end())
      outcome.signal = signal_number(signal->get<std::string>());
    outcome.stdout_bytes = json.value("stdout_bytes", outcome.stdout_bytes);
    outcome.stderr_bytes = json.value("stderr_bytes", outcome.stderr_bytes);
    outcome.truncated = json.value("truncated", outcome.truncated);
    outcome.reason = json.value("reason", outcome.reason);
    read_command(json, exec.spec);
  } catch (const nlohmann::json::exception&) {
    // A field of another type: what was read so far is what there is.
  }
}

} // namespace greenroom

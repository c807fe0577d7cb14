// What clients get to see of execs.
#include "actors/session/session.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/utf8.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/timeline/timeline.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace {

// As much as goes inline; what does not is said.
void add_stream(nlohmann::ordered_json& json, const std::string& name,
                const output_log_reader& log, output_stream stream) {
  auto size = log.size(stream);
  std::string text(std::min<std::uint64_t>(size, max_inline_output), '\0');
  text.resize(log.read(stream, 0, text));
  auto cut = size > max_inline_output;
  // Half a character would make bytes of all the text.
  if (cut)
    text.resize(text.size() - incomplete_tail(text));
  add_output(json, name, text);
  if (cut)
    json[name + "_cut"] = true;
}

// What a terminal shows counts as stdout.
void add_streams(nlohmann::ordered_json& json, const exec_spec& spec,
                 const output_log_reader& log) {
  add_stream(json, "stdout", log,
             spec.rows > 0 ? output_stream::tty : output_stream::out);
  add_stream(json, "stderr", log, output_stream::err);
}

} // namespace

void session_actor_state::answer_exec(
  const session::effect::answer_exec& what) {
  auto request = pending_.take<pending::exec>(what.who);
  if (!request)
    return;
  auto& promise = request->promise;
  auto& exec = machine_.execs.at(what.exec_id);
  auto json = json_of(exec);
  auto with_output = what.with_output && is_over(exec.status);
  if (with_output)
    try {
      add_streams(json, exec.spec, output_log_reader{exec_dir(what.exec_id)});
    } catch (const std::exception& e) {
      spdlog::error("session {}: output of exec {}: {}", id(), what.exec_id,
                    e.what());
      promise.deliver(make_error(
        errc::unavailable, "exec \"" + what.exec_id
                             + "\" has ended, but the server cannot read its "
                               "output right now; get it again"));
      return;
    }
  promise.deliver(exec_view{shared_text{to_text(json)}, with_output});
}

// -- what clients see ---------------------------------------------------------

nlohmann::ordered_json
session_actor_state::json_of(const exec_record& exec) const {
  live_output progress;
  auto& exec_id = exec.spec.exec_id;
  if (auto found = live_.find(exec_id);
      found != live_.end() && !is_over(exec.status)) {
    auto& printed = found->second.printed;
    progress.stdout_bytes = printed[index_of(output_stream::out)]
                            + printed[index_of(output_stream::tty)];
    progress.stderr_bytes = printed[index_of(output_stream::err)];
    progress.truncated = found->second.truncated;
  }
  if (exec.status == exec_status::queued) {
    auto place = std::ranges::find(machine_.waiting, exec_id);
    if (place != machine_.waiting.end())
      progress.queue_position =
        static_cast<std::size_t>(place - machine_.waiting.begin()) + 1;
  }
  return exec_json(record().project_id, id(), exec, progress);
}

// All execs, newest first.
std::vector<archived_exec> session_actor_state::all_execs() const {
  auto list = archive_->all();
  for (auto& exec_id : machine_.order) {
    archived_exec exec{exec_id};
    if (auto place = places_.find(exec_id); place != places_.end())
      exec.queued = place->second.queued;
    // What the timeline does not have yet is the newest.
    if (exec.queued == 0)
      exec.queued = UINT64_MAX;
    list.push_back(std::move(exec));
  }
  std::ranges::stable_sort(list, {}, &archived_exec::queued);
  std::ranges::reverse(list);
  return list;
}

caf::result<exec_page>
session_actor_state::page_of_execs(const list_execs& request) {
  auto list = all_execs();
  auto next = list.begin();
  if (!request.cursor.empty()) {
    next = std::ranges::find(list, request.cursor, &archived_exec::exec_id);
    if (next == list.end())
      return make_error(errc::bad_request,
                        "cursor is not one that this server gave");
    ++next;
  }
  exec_page page;
  std::string text;
  for (std::uint32_t count = 0; next != list.end(); ++next, ++count) {
    if ((request.limit != 0 && count == request.limit)
        || text.size() > max_exec_page) {
      page.next_cursor = std::prev(next)->exec_id;
      break;
    }
    auto found = machine_.execs.find(next->exec_id);
    text += text.empty() ? '[' : ',';
    text += to_text(json_of(found != machine_.execs.end() ? found->second
                                                          : load_exec(*next)));
  }
  page.json = shared_text{text.empty() ? "[]" : std::move(text) + ']'};
  return page;
}

// -- execs that are not at hand -----------------------------------------------

void session_actor_state::archive(const std::string& exec_id) {
  auto place = places_.extract(exec_id);
  if (place && !place.mapped().archived)
    archive_->add({exec_id, place.mapped().queued, place.mapped().exited});
}

// What the last event said of it, and what was asked for.
exec_record session_actor_state::load_exec(const archived_exec& place) const {
  exec_record exec;
  if (auto request = kept_request(exec_dir(place.exec_id)))
    exec.spec = std::move(*request);
  exec.spec.exec_id = place.exec_id;
  auto entries = timeline_reader{dir_}.entries(place.exited - 1, 1, 1);
  if (!entries.empty())
    read_exec_json(entries.front().data, exec);
  return exec;
}

// Brings an exec to hand that somebody asks for, if there is one.
std::optional<caf::error>
session_actor_state::recall(const std::string& exec_id) {
  if (machine_.execs.contains(exec_id) || archive_->empty())
    return std::nullopt;
  try {
    auto place = archive_->find(exec_id);
    if (!place)
      return std::nullopt;
    auto exec = load_exec(*place);
    places_[exec_id] = {place->queued, place->exited, true};
    feed(session::event::exec_recalled{std::move(exec)});
    return std::nullopt;
  } catch (...) {
    return current_error("looking up an exec");
  }
}

} // namespace greenroom

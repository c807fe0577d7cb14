// What clients get to see of execs.
#include "actors/session/session.hpp"

#include "actors/session/journal/session_files.hpp"
#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace greenroom {

// What it has printed comes from the journal writer, where it has printed
// anything.
void session_actor_state::answer_exec(
  const session::effect::answer_exec& what) {
  if (pending_.find<pending::exec>(what.who) == nullptr)
    return;
  auto found = machine_.execs.find(what.exec_id);
  if (found == machine_.execs.end()) // put away while the answer waited
    return with_exec(what.exec_id, what.who, [this, what] {
      if (machine_.execs.contains(what.exec_id))
        answer_exec(what);
      else
        refuse(what.who, {errc::not_found, "exec not found"});
    });
  auto& exec = found->second;
  auto json = json_of(exec);
  auto with_output = what.with_output && is_over(exec.status);
  auto printed = exec.outcome.stdout_bytes + exec.outcome.stderr_bytes;
  if (with_output && printed > 0) {
    if (!post(journal::add_output{what.who, what.exec_id, std::move(json),
                                  exec.spec.rows > 0}))
      (*this)(journal::output_added{what.who, what.exec_id, {}});
    return;
  }
  if (with_output)
    for (auto stream : {"stdout", "stderr"})
      add_output(json, stream, "");
  pending_.take<pending::exec>(what.who)->promise.deliver(
    exec_view{shared_text{to_text(json)}, with_output});
}

void session_actor_state::operator()(const journal::output_added& x) {
  auto request = pending_.take<pending::exec>(x.who);
  if (!request)
    return;
  if (x.json.empty())
    request->promise.deliver(make_error(
      errc::unavailable, "exec \"" + x.exec_id
                           + "\" has ended, but the server cannot read its "
                             "output right now; get it again"));
  else
    request->promise.deliver(exec_view{x.json, true});
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
      progress.queue_position = static_cast<std::size_t>(
        std::distance(machine_.waiting.begin(), place) + 1);
  }
  return exec_json(record().project_id, id(), exec, progress);
}

// -- lists --------------------------------------------------------------------

std::vector<archived_exec> session_actor_state::execs_in_memory() const {
  std::vector<archived_exec> list;
  for (auto& exec_id : machine_.order) {
    archived_exec exec{exec_id};
    if (auto place = places_.find(exec_id); place != places_.end())
      exec.queued = place->second.queued;
    // What the timeline does not have yet is the newest.
    if (exec.queued == 0)
      exec.queued = UINT64_MAX;
    list.push_back(std::move(exec));
  }
  return list;
}

void session_actor_state::list_page(session::ticket who,
                                    const list_execs& request) {
  journal::list_page what{who, request.limit, request.cursor, max_exec_page,
                          execs_in_memory()};
  if (archived_ == 0) {
    auto page = journal::make_page(what, {}, {});
    return (*this)(page);
  }
  if (!post(std::move(what)))
    refuse(who, {errc::overloaded,
                 "the server has too much to read, try again in a moment"});
}

void session_actor_state::operator()(journal::page_listed& x) {
  auto* asked = pending_.find<pending::page>(x.who);
  if (asked == nullptr)
    return;
  if (x.problem)
    return refuse(x.who, *x.problem);
  exec_page page;
  std::string text;
  for (auto& item : x.items) {
    if (text.size() > max_exec_page) {
      x.more = true;
      break;
    }
    if (item.json.empty()) {
      auto found = machine_.execs.find(item.exec_id);
      if (found == machine_.execs.end()) // it has been put away meanwhile
        return list_page(x.who, asked->what_to_list);
      item.json = to_text(json_of(found->second));
    }
    text += text.empty() ? '[' : ',';
    text += item.json;
    page.next_cursor = std::move(item.exec_id);
  }
  if (!x.more)
    page.next_cursor.clear();
  page.json = shared_text{text.empty() ? "[]" : std::move(text) + ']'};
  pending_.take<pending::page>(x.who)->promise.deliver(std::move(page));
}

} // namespace greenroom

#include "http/streams/response_registry.hpp"

#include "http/base/limit_reached.hpp"
#include "messages/records.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/guarded.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::http {

namespace {

/// A request takes seconds from its key to its stream, so the last ones do.
constexpr std::size_t max_dead_keys = 4096;

std::size_t sum_of(const stream_counts& open) {
  return std::accumulate(open.begin(), open.end(), std::size_t{0});
}

/// "2 event streams, 1 tunnels": of whom there are any.
std::string shown(const stream_counts& open) {
  constexpr std::array<std::string_view, 5> names{"event streams", "outputs",
                                                  "terminals", "tunnels",
                                                  "waits and other answers"};
  std::string result;
  for (std::size_t i = 0; i < open.size(); ++i)
    if (open[i] != 0)
      result += (result.empty() ? "" : ", ") + std::to_string(open[i]) + ' '
                + std::string{names[i]};
  return result;
}

stream_owner owner_of(const exchange& ex) {
  return {ex.key->id, ex.in_project ? ex.project_id() : std::string{},
          ex.key->name};
}

void report(const char* why) {
  spdlog::error("a stream or terminal failed: {}", why);
}

} // namespace

refusal why_closed(closing why) {
  switch (why) {
    case closing::revoked:
      return {errc::unauthorized, "the API key was revoked meanwhile"};
    case closing::expired:
      return {errc::unauthorized, "the API key has expired meanwhile"};
    case closing::left:
      return {errc::unavailable, "the client has left"};
    case closing::stopping:
      break;
  }
  return {errc::unavailable, "the server is stopping, try again"};
}

ws::close_code code_of(closing why) noexcept {
  return why == closing::expired ? ws::close_code::policy
                                 : ws::close_code::going_away;
}

long_response::long_response(const exchange& of)
  : owner_(owner_of(of)), expires_at_(of.key->expires_at),
    connection_id_(of.connection_id()) {}

void stream_shares::check_key(const std::string& key_id) const {
  auto found = of_keys_.find(key_id);
  if (found == of_keys_.end())
    return;
  const auto& [open, name] = found->second;
  const auto all = sum_of(open);
  if (all >= limits_.of_key)
    throw limit_reached(key_in_words(key_id, name) + " has "
                          + std::to_string(all) + " streams open ("
                          + shown(open) + "), and its limit is "
                          + std::to_string(limits_.of_key)
                          + " (limits.open_streams); close some of them",
                        limits_.of_key);
}

/// "2 of key \"a\", 1 of key \"b\"": who has most comes first.
std::string stream_shares::holders_of(const counts_of_keys& counts) const {
  constexpr std::size_t max_named = 5;
  std::vector<std::pair<std::size_t, const std::string*>> holders;
  for (auto& [key, count] : counts)
    holders.emplace_back(count, &key);
  std::ranges::stable_sort(holders, std::greater<>{},
                           [](auto& one) { return one.first; });
  std::string result;
  for (std::size_t i = 0; i < std::min(holders.size(), max_named); ++i) {
    auto& [count, key] = holders[i];
    // What a project's key has open is among all that the key has.
    result += (i == 0 ? "" : ", ") + std::to_string(count) + " of "
              + key_in_words(*key, of_keys_.at(*key).name);
  }
  return holders.size() > max_named ? result + " and others" : result;
}

void stream_shares::check_project(const std::string& project_id) const {
  auto found = of_projects_.find(project_id);
  if (limits_.of_project == 0 || found == of_projects_.end())
    return;
  std::size_t all = 0;
  for (auto& [key, count] : found->second)
    all += count;
  if (all >= limits_.of_project)
    throw limit_reached("project \"" + project_id + "\" has "
                          + std::to_string(all) + " streams open ("
                          + holders_of(found->second) + "), and its limit is "
                          + std::to_string(limits_.of_project)
                          + " (limits.project_streams); close some of them",
                        limits_.of_project);
}

void stream_shares::check(const stream_owner& owner) const {
  std::lock_guard guard{mutex_};
  check_key(owner.key_id);
  check_project(owner.project_id);
}

void stream_shares::add(const stream_owner& owner, stream_kind kind) {
  std::lock_guard guard{mutex_};
  auto& of_key = of_keys_[owner.key_id];
  ++of_key.open[static_cast<std::size_t>(kind)];
  of_key.name = owner.key_name;
  if (!owner.project_id.empty())
    ++of_projects_[owner.project_id][owner.key_id];
}

void stream_shares::remove(const stream_owner& owner, stream_kind kind) {
  std::lock_guard guard{mutex_};
  auto of_key = of_keys_.find(owner.key_id);
  if (of_key == of_keys_.end())
    return;
  --of_key->second.open[static_cast<std::size_t>(kind)];
  if (sum_of(of_key->second.open) == 0)
    of_keys_.erase(of_key);
  auto of_project = of_projects_.find(owner.project_id);
  if (of_project == of_projects_.end())
    return;
  auto held = of_project->second.find(owner.key_id);
  if (--held->second == 0)
    of_project->second.erase(held);
  if (of_project->second.empty())
    of_projects_.erase(of_project);
}

void stream_shares::count_pair(const stream_owner& owner) {
  // The other half is for the other keys.
  const auto of_key = std::max<std::size_t>(limits_.pairs / 2, 1);
  std::lock_guard guard{mutex_};
  if (pairs_ >= limits_.pairs)
    throw refused{errc::overloaded,
                  "tunnels and requests to other nodes take a second "
                  "connection each, and this node has descriptors for "
                    + std::to_string(limits_.pairs)
                    + " (its limit of open files); try again when some have "
                      "ended"};
  auto& held = pairs_of_keys_[owner.key_id];
  if (held >= of_key)
    throw limit_reached(key_in_words(owner.key_id, owner.key_name) + " has "
                          + std::to_string(held)
                          + " tunnels and requests to other nodes under way, "
                            "which is what one key may have on this node (half "
                            "of what its limit of open files allows); close "
                            "some of them",
                        of_key);
  ++held;
  ++pairs_;
}

std::shared_ptr<void> stream_shares::take_pair(const stream_owner& owner) {
  count_pair(owner);
  return {this,
          [this, key_id = owner.key_id](void*) { give_back_pair(key_id); }};
}

void stream_shares::give_back_pair(const std::string& key_id) noexcept {
  std::lock_guard guard{mutex_};
  --pairs_;
  auto held = pairs_of_keys_.find(key_id);
  if (--held->second == 0)
    pairs_of_keys_.erase(held);
}

std::shared_ptr<void> response_registry::admit_pair(const exchange& ex) const {
  return shares_.take_pair(owner_of(ex));
}

void response_registry::admit(const exchange& ex) const {
  if (ex.in_spare_place)
    throw refused{errc::overloaded,
                  "nearly all connections that are served are open, and the "
                  "last ones are for short requests; try again when some are "
                  "closed"};
  shares_.check(owner_of(ex));
}

std::optional<closing>
response_registry::fault_of(const long_response& stream) const {
  if (ended_)
    return closing::stopping;
  if (dead_keys_.contains(stream.key_id()))
    return closing::revoked;
  if (stream.has_expired(now_ms()))
    return closing::expired;
  return std::nullopt;
}

bool response_registry::add(std::shared_ptr<long_response> stream) {
  if (auto why = fault_of(*stream)) {
    stream->close(*why);
    return false;
  }
  auto id = stream->connection_id();
  shares_.add(stream->owner(), stream->kind());
  streams_.emplace(id, std::move(stream));
  return true;
}

void response_registry::remove(const long_response& stream) {
  auto [begin, end] = streams_.equal_range(stream.connection_id());
  for (auto i = begin; i != end; ++i)
    if (i->second.get() == &stream) {
      shares_.remove(stream.owner(), stream.kind());
      streams_.erase(i);
      return;
    }
}

// Closing a stream removes it from the table, so the ones to close are picked
// first.
template <class Predicate>
void response_registry::close_if(closing why, Predicate matches) {
  std::vector<std::shared_ptr<long_response>> found;
  for (auto& [connection, stream] : streams_)
    if (matches(*stream))
      found.push_back(stream);
  for (auto& stream : found)
    run_guarded([&] { stream->close(why); }, report);
}

void response_registry::tick() {
  auto now = long_response::clock::now();
  auto wall = now_ms();
  std::vector<std::shared_ptr<long_response>> all;
  all.reserve(streams_.size());
  for (auto& [connection, stream] : streams_)
    all.push_back(stream);
  for (auto& stream : all)
    run_guarded(
      [&] {
        if (stream->has_expired(wall))
          stream->close(closing::expired);
        else
          stream->tick(now);
      },
      report);
}

void response_registry::connection_closed(std::uint64_t connection_id) {
  for (auto i = streams_.find(connection_id); i != streams_.end();
       i = streams_.find(connection_id)) {
    auto stream = i->second;
    // It is called from where an exception would end the process.
    run_guarded([&] { stream->close(closing::left); }, report);
    remove(*stream); // also one that has things to do still
  }
}

void response_registry::end_key(std::string_view key_id) {
  if (dead_keys_.size() == max_dead_keys)
    dead_keys_.erase(dead_keys_.begin());
  dead_keys_.emplace(key_id);
  close_if(closing::revoked,
           [&](const long_response& s) { return s.key_id() == key_id; });
}

void response_registry::end_all() {
  ended_ = true;
  close_if(closing::stopping, [](const long_response&) { return true; });
}

} // namespace greenroom::http
